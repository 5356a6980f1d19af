"""A training as it stands, in one file that is whole or not there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pvtsearch.documents import readable
from pvtsearch.errors import InputError
from pvtsearch.files import appearing, named
from pvtsearch.trainings import Epoch, epochs_from

_FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """What a training needs to go on: the next step, its tensors, and what it has seen."""

    digest: str  # of what is trained, on what, and how
    step: int
    tensors: dict[str, Any]  # states of network, optimizer and scaler
    loss_sum: float  # of the epoch under way
    curve: tuple[Epoch, ...]
    seconds: float


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint whole: path holds it, or what it held before."""
    held = {
        "format": _FORMAT,
        "digest": checkpoint.digest,
        "step": checkpoint.step,
        "tensors": checkpoint.tensors,
        "loss_sum": checkpoint.loss_sum,
        "curve": [asdict(epoch) for epoch in checkpoint.curve],
        "seconds": checkpoint.seconds,
    }
    _write_whole(path, held)


def write_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write a network's state dict whole, as `load_weights` reads it."""
    _write_whole(path, weights)


def read_weights(path: Path) -> dict[str, Tensor]:
    """A state dict from a file. Raises `InputError` for any other file."""
    try:
        with readable(path):
            held = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # a file of any content
        raise InputError(f"{path}: no state dict of a network, as torch.save writes it") from error
    if not isinstance(held, dict) or not all(isinstance(value, Tensor) for value in held.values()):
        raise InputError(f"{path}: must hold a state dict, names with tensors")
    return held


def _write_whole(path: Path, held: Mapping[str, Any]) -> None:
    try:
        with named(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        with appearing(path) as temporary, temporary.open("wb") as file:
            torch.save(held, file)
    except RuntimeError as error:  # torch turns what the system refuses into one
        raise InputError(f"{path}: cannot be written: {error}") from error


def read_checkpoint(path: Path, digest: str) -> Checkpoint | None:
    """The checkpoint at path, None where there is none. Raises `InputError` where it is of another training."""
    if not path.exists():
        return None
    try:
        with readable(path):
            held = torch.load(path, map_location="cpu", weights_only=True)
        if held["format"] != _FORMAT:
            raise InputError(f"{path}: a checkpoint of format {held['format']}, this version knows {_FORMAT}")
        found = Checkpoint(
            digest=held["digest"],
            step=int(held["step"]),
            tensors=dict(held["tensors"]),
            loss_sum=float(held["loss_sum"]),
            curve=epochs_from(held["curve"]),
            seconds=float(held["seconds"]),
        )
    except InputError:
        raise
    except Exception as error:  # a file of any content
        raise InputError(f"{path}: no checkpoint of a training: remove it, or give another --out") from error
    if found.digest != digest:
        raise InputError(
            f"{path}: belongs to another training (network, data, recipe, seed or precision differ): give another --out"
        )
    return found
