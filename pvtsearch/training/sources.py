"""Pictures to train on, by name: formula-driven ones, a folder of images, or a data set of torchvision."""

from __future__ import annotations

import hashlib
import inspect
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from pvtsearch.analysis.latency import torch_device
from pvtsearch.documents import readable
from pvtsearch.errors import InputError
from pvtsearch.training.fractals import pictures

SPLITS = ("train", "val")
MOST_BYTES = 32 * 2**30  # of formula-driven images, which are held in memory
HELD_OUT = 5  # every fifth picture of each class, where a folder has no split of its own
WHAT_IS_RIGHT = "fractals, a folder of images, or torchvision:NAME:FOLDER"


class Pictures(Protocol):
    """uint8 images (3, h, w) and their labels, by number."""

    def __len__(self) -> int:
        """How many."""

    def __getitem__(self, index: int, /) -> tuple[Tensor, int]:
        """Image and label."""


@dataclass(frozen=True)
class Data:
    """Pictures to train on and others that are held out. `digest` tells one set from another wherever it lies."""

    name: str
    classes: int
    side: int
    digest: str
    train: Pictures
    held_out: Pictures

    def __post_init__(self) -> None:
        for split, held in (("to train on", self.train), ("held out", self.held_out)):
            if not len(held):
                raise InputError(f"--data {self.name}: no pictures {split}")
        if self.classes < 2:
            raise InputError(f"--data {self.name}: needs at least 2 classes, has {self.classes}")


@dataclass(frozen=True)
class InMemory:
    """Pictures as one tensor (N, 3, H, H), and labels (N,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.images[index], int(self.labels[index])


@dataclass(frozen=True)
class Chosen:
    """Some of a data set's pictures, by their numbers in it, as RGB."""

    source: Any  # image (of PIL) and label by number
    numbers: Sequence[int]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from torchvision.transforms.v2.functional import pil_to_tensor

        try:
            image, label = self.source[self.numbers[index]]
            tensor: Tensor = pil_to_tensor(image.convert("RGB"))
        except Exception as error:  # a file of any content: readers of pictures raise what they stumble over
            raise InputError(f"{self._place(self.numbers[index])}: no picture that can be read: {error}") from error
        return tensor, int(label)

    def _place(self, number: int) -> str:
        """The file of a picture, where it has one."""
        files = getattr(self.source, "samples", ())
        return str(files[number][0]) if number < len(files) else f"picture {number}"


@dataclass(frozen=True)
class FractalSet:
    """How many formula-driven classes, and how many pictures of each."""

    classes: int = 24
    train: int = 48
    held_out: int = 48
    seed: int = 0


def open_data(name: str, side: int, *, device: torch.device | str = "cpu") -> Data:
    """The data that name stands for, to be looked at in images of side x side.

    `fractals` or `fractals:classes=24,train=48,held_out=48,seed=0`; a folder with train/CLASS/ and val/CLASS/, or with
    CLASS/ alone, of which a fifth is held out; `torchvision:NAME:FOLDER`, which downloads nothing.
    device: where formula-driven pictures are drawn; they come back to the CPU. Raises `InputError` for anything else.
    """
    kind, _, rest = name.partition(":")
    if kind == "fractals":
        return _fractals(name, _fractal_set(name, rest), side, device)
    if kind == "torchvision":
        return _torchvision(name, rest, side)
    return _folder(name, side)


def _fractal_set(name: str, text: str) -> FractalSet:
    given: dict[str, int] = {}
    for part in filter(None, text.split(",")):
        key, _, value = part.partition("=")
        if key not in FractalSet.__dataclass_fields__ or not re.fullmatch(r"[0-9]{1,7}", value):
            known = ", ".join(f"{field}=N" for field in FractalSet.__dataclass_fields__)
            raise InputError(f"--data {name}: '{part}' must be one of {known}")
        given[key] = int(value)
    return FractalSet(**given)


def _fractals(name: str, wanted: FractalSet, side: int, device: torch.device | str) -> Data:
    if wanted.classes < 2 or min(wanted.train, wanted.held_out) < 1:
        raise InputError(f"--data {name}: needs at least 2 classes, and a picture of each to train on and to hold out")
    size = wanted.classes * (wanted.train + wanted.held_out) * 3 * side**2
    if size > MOST_BYTES:
        raise InputError(
            f"--data {name}: its images at {side}x{side} would take {size / 2**30:,.1f} GiB, at most "
            f"{MOST_BYTES // 2**30} are held in memory: ask for fewer or smaller ones"
        )
    torch_device(str(device))
    splits = []
    for split, count in enumerate((wanted.train, wanted.held_out)):
        found = pictures(seed=wanted.seed, classes=wanted.classes, count=count, split=split, side=side, device=device)
        splits.append(InMemory(*(tensor.cpu() for tensor in found)))
    return Data(name, wanted.classes, side, _digest(repr(wanted)), *splits)


def _folder(name: str, side: int) -> Data:
    from torchvision.datasets import ImageFolder

    root = _at_home(name)
    if not os.path.isdir(root):
        raise InputError(f"--data {name}: no such folder; it must be {WHAT_IS_RIGHT}")
    if (there := [split for split in SPLITS if (root / split).is_dir()]) and len(there) < len(SPLITS):
        raise InputError(
            f"--data {name}: has {there[0]}/ alone; a split of one's own needs train/CLASS/ and val/CLASS/"
        )
    try:
        if len(there) == len(SPLITS):
            train, held_out = (ImageFolder(str(root / split)) for split in SPLITS)
            if train.classes != held_out.classes:
                raise InputError(f"--data {name}: train and val hold other classes")
            parts = [Chosen(source, range(len(source))) for source in (train, held_out)]
            files = [*train.samples, *held_out.samples]
        else:
            train = ImageFolder(str(root))
            parts = [Chosen(train, numbers) for numbers in _split([label for _, label in train.samples])]
            files = train.samples
    except FileNotFoundError as error:  # torchvision's: folders without classes or images, and which
        raise InputError(f"--data {name}: {error}") from error
    sizes = [f"{Path(path).relative_to(root)} {_size(Path(path))}" for path, _ in files]
    return Data(name, len(train.classes), side, _digest("\n".join(sizes)), *parts)


def _at_home(name: str) -> Path:
    """The path, from the home folder where it begins with ~; as it is where there is no such home."""
    return Path(os.path.expanduser(name))


def _size(path: Path) -> int:
    """Bytes of a file. Raises `InputError` for what is none: a pipe would be waited for for ever."""
    with readable(path):
        return path.stat().st_size


def _split(labels: Sequence[int]) -> tuple[list[int], list[int]]:
    """Numbers to train on and to hold out: of every class a fifth, in an order that a fixed seed mixes."""
    by_class: dict[int, list[int]] = {}
    for number in np.random.default_rng(0).permutation(len(labels)).tolist():
        by_class.setdefault(labels[number], []).append(number)
    held_out = {number for numbers in by_class.values() for number in numbers[HELD_OUT - 1 :: HELD_OUT]}
    return [n for n in range(len(labels)) if n not in held_out], sorted(held_out)


def _torchvision(name: str, rest: str, side: int) -> Data:
    import torchvision.datasets

    kind, _, folder = rest.partition(":")
    made = getattr(torchvision.datasets, kind, None) if kind in torchvision.datasets.__all__ else None
    if made is None or not folder:
        raise InputError(f"--data {name}: must be torchvision:NAME:FOLDER, such as torchvision:CIFAR10:data")
    options = inspect.signature(made).parameters
    if "train" in options:
        splits: list[dict[str, Any]] = [{"train": True}, {"train": False}]
    elif "split" in options:
        splits = [{"split": "train"}, {"split": "val" if kind in {"ImageNet", "Places365"} else "test"}]
    else:
        raise InputError(f"--data {name}: {kind} has no split of its own; lay it out as a folder of images")
    try:
        train, held_out = (made(str(_at_home(folder)), **split) for split in splits)
    except (RuntimeError, ValueError, OSError, TypeError) as error:
        reason = str(error).split(". ")[0].splitlines()[0]
        raise InputError(f"--data {name}: {reason} (nothing is downloaded here)") from error
    classes = len(getattr(train, "classes", ())) or 1 + max(int(train[n][1]) for n in range(len(train)))
    digest = _digest(f"{kind} {len(train)} {len(held_out)}")
    return Data(name, classes, side, digest, *(Chosen(each, range(len(each))) for each in (train, held_out)))


def _digest(text: str) -> str:
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]
