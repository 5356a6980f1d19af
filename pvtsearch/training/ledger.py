"""Trainings that are done, in a folder: what was trained is never trained again, and what was interrupted goes on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from pvtsearch.documents import read_json
from pvtsearch.errors import InputError
from pvtsearch.files import write_whole
from pvtsearch.training.loop import Job, Machine, train
from pvtsearch.trainings import OnEpoch, Outcome, epochs_from, unheard


class Ledger:
    """A folder of trainings, each in a file named by all that its accuracy follows from."""

    def __init__(self, folder: Path, machine: Machine | None = None) -> None:
        self.folder, self.machine = folder, machine or Machine()

    def trained(self, wanted: Job, on_epoch: OnEpoch = unheard) -> Outcome:
        """A training's outcome; it is run where that is not known. on_epoch: told of every epoch in either case."""
        path = self.folder / f"{wanted.digest[:16]}.json"
        if path.exists():
            found = read_outcome(path)
            for epoch in found.curve:
                on_epoch(epoch)
            return found
        checkpoint = path.with_suffix(".pt")
        outcome, _weights = train(wanted, self.machine, checkpoint=checkpoint, on_epoch=on_epoch)
        write_whole(path, training_json(wanted, self.machine, outcome))
        checkpoint.unlink(missing_ok=True)
        return outcome


def training_json(wanted: Job, machine: Machine, outcome: Outcome) -> str:
    """A training as JSON: what was trained, on what and how, and how it came out."""
    held = {
        "schema_version": 1,
        "network": asdict(wanted.config),
        "data": {"name": wanted.data.name, "digest": wanted.data.digest, "classes": wanted.data.classes,
                 "image_size": wanted.data.side, "train": len(wanted.data.train),
                 "held_out": len(wanted.data.held_out)},
        "recipe": asdict(wanted.recipe),
        "seed": wanted.seed,
        "circumstances": {**asdict(machine), "autocast": wanted.autocast, "torch": torch.__version__,
                          "threads": torch.get_num_threads()},
        "outcome": asdict(outcome),
    }  # fmt: skip
    return json.dumps(held, indent=2) + "\n"


def read_outcome(path: Path) -> Outcome:
    """The outcome in a file of `training_json`. Raises `InputError` for any other file."""
    try:
        held: dict[str, Any] = read_json(path)["outcome"]
        accuracy, held_out, seconds = float(held["accuracy_percent"]), int(held["held_out"]), float(held["seconds"])
        if not (0 <= accuracy <= 100 and held_out > 0):
            raise ValueError(f"{accuracy} percent of {held_out} images")
        return Outcome(accuracy, held_out, epochs_from(held["curve"]), seconds)
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise InputError(f"{path}: no outcome of a training: remove it, and it is trained again") from error
