"""A device whose time is known, a sum over pieces, so that what a calibration learns of it can be checked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pvtsearch.analysis.calibration import Calibration, DevicePeaks, Subject
from pvtsearch.analysis.latency_model import pieces_of
from pvtsearch.analysis.pieces import Piece
from pvtsearch.analysis.timing import TimingSetting
from pvtsearch.calibrate.campaign import Laboratory, calibrate, subjects_of
from pvtsearch.config import ImageSize, PVTConfig, Task
from pvtsearch.cost import Budget
from pvtsearch.errors import DoesNotFit
from pvtsearch.presets import PRESETS
from pvtsearch.space import SearchSpace

SECONDS = {"calls": 2e-5, "embeddings": 3e-5, "embedding macs": 2e-11, "embedding elements": 1e-9, "blocks": 8e-5,
           "linear macs": 1e-11, "attention macs": 3e-11, "softmax elements": 2e-9, "token elements": 4e-9,
           "hidden elements": 2e-9, "depthwise macs": 6e-11, "block weights": 4e-10, "reductions": 2e-5,
           "reduction macs": 2e-11, "pooled elements": 1e-9, "heads": 1e-5, "head macs": 4e-10}  # fmt: skip


def piece_seconds(piece: Piece) -> float:
    """The law of the device: costs by kind of work; a block whose width is no multiple of 64 wastes a tenth."""
    seconds = sum(SECONDS.get(name, 0.0) * float(amount) for name, amount in piece.work.items())
    return seconds * (1.1 if piece.kind == "block" and piece.marks["unaligned"] else 1.0)


def subject_seconds(subject: Subject, image_size: ImageSize, task: Task, batch_size: int) -> float:
    """What a subject takes; a network that is no PVT takes 5 ms."""
    if not isinstance(subject.config, PVTConfig):
        return 5e-3
    return sum(times * piece_seconds(piece) for times, piece in pieces_of(subject.part, image_size, task, batch_size))


class Killed(Exception):
    """The process was killed."""


def synthetic(
    image_size: ImageSize,
    task: Task = "classification",
    *,
    batch_size: int = 1,
    noise: float = 0.0,
    slow: Callable[[int], float] = lambda _group: 1.0,
    dies_at: int | None = None,
    fits: Callable[[Subject], bool] = lambda _subject: True,
    most_at_once: int = 10**6,
) -> Laboratory:
    """The device on a bench. slow: how much slower it is in a group; dies_at: the group in which it is killed.

    fits: whether there is room for a subject; for more than most_at_once side by side there is none.
    """
    rng, groups = np.random.default_rng(0), iter(range(10**6))

    @contextmanager
    def ready(subject: Subject) -> Iterator[Callable[[], object]]:
        if not fits(subject):
            raise DoesNotFit("out of memory")
        yield lambda: subject_seconds(subject, image_size, task, batch_size)

    def time_all(runs: Sequence[Callable[[], object]]) -> list[float]:
        group = next(groups)
        if group == dies_at:
            raise Killed
        if len(runs) > most_at_once:
            raise DoesNotFit("out of memory")
        spread = np.exp(rng.normal(0.0, noise, len(runs)))
        return [float(run()) * slow(group) * each for run, each in zip(runs, spread, strict=True)]  # type: ignore[arg-type]

    return Laboratory(ready, time_all, lambda: DevicePeaks(1e11, 1e10))


def blank(space: SearchSpace, image_size: ImageSize, task: Task = "classification", batch_size: int = 1) -> Calibration:
    """A calibration of which nothing is measured yet."""
    setting = TimingSetting(batch_size=batch_size)
    circumstances = {"device_name": "Synthetic One", "threads": 1, "torch": "2"}
    return Calibration(space.name, setting, task, image_size, circumstances, {}, "pvtsearch calibrate")


_KNOWN: dict[tuple[str, ImageSize, Task], list[Subject]] = {}


def subjects(space: SearchSpace, image_size: ImageSize, task: Task = "classification") -> list[Subject]:
    """A small design, with ResNet-18 as a reference; made once for a space, which is known by its name."""
    key = space.name, image_size, task
    if key not in _KNOWN:
        references = [PRESETS["resnet18"].config]
        counts = {"stages": 40, "networks": 6, "held_out": 12, "seed": 0}
        _KNOWN[key] = subjects_of(space, image_size, task, references=references, budget=Budget(), **counts)
    return _KNOWN[key]


def calibrated(
    space: SearchSpace, image_size: ImageSize, path: Path, task: Task = "classification", **bench: Any
) -> Calibration:
    """A calibration of the synthetic device, in the file path."""
    start = blank(space, image_size, task)
    return calibrate(start, subjects(space, image_size, task), path, synthetic(image_size, task, **bench))
