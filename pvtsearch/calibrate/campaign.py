"""Measures what a calibration needs, group by group, each beside the anchor; killed, it goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from pvtsearch.analysis.calibration import (
    Calibration,
    DevicePeaks,
    Measured,
    Subject,
    in_words,
    read_calibration,
    write_calibration,
)
from pvtsearch.analysis.design_of_parts import designed
from pvtsearch.analysis.sampling import Run
from pvtsearch.analysis.timing import Plan
from pvtsearch.config import ImageSize, ModelConfig, PVTConfig, Task
from pvtsearch.cost import Budget
from pvtsearch.errors import ConfigError, InputError
from pvtsearch.space import SearchSpace

LEAST_ROUNDS = 9  # of a group, however long they take
WARM_UP_SHARE = 0.2  # of the time of a subject
GROUP = 8  # subjects that are measured side by side

TimeAll: TypeAlias = Callable[[Sequence[Run]], list[float]]  # seconds of each, measured in turns


@dataclass(frozen=True)
class Laboratory:
    """What touches the device: makes a subject ready to run, times several side by side, and finds the peaks."""

    ready: Callable[[Subject], AbstractContextManager[Run]]
    time_all: TimeAll
    peaks: Callable[[], DevicePeaks]


def plan_for(seconds: float) -> Plan:
    """How long subjects are measured: hundreds of them, so each for no more than so many seconds."""
    return Plan(min_rounds=LEAST_ROUNDS, min_seconds=0.0, max_seconds=seconds, warm_up_seconds=WARM_UP_SHARE * seconds)


def subjects_of(
    space: SearchSpace,
    image_size: ImageSize,
    task: Task,
    *,
    stages: int,
    networks: int,
    held_out: int,
    references: Sequence[ModelConfig],
    budget: Budget,
    seed: int,
) -> list[Subject]:
    """Everything a calibration measures, in order; references that are too large for the input are left out."""
    design = designed(
        space, image_size, task, stages=stages, networks=networks, held_out=held_out, budget=budget, seed=seed
    )
    legal = [config for config in references if _is_legal(config, image_size)]
    return [
        *(Subject("alone", part.config, part.place) for part in design.alone),
        *(Subject("whole", part.config) for part in design.whole),
        *(Subject("reference", config) for config in legal),
        *(Subject("held_out", part.config) for part in design.held_out),
    ]


def _is_legal(config: ModelConfig, image_size: ImageSize) -> bool:
    if isinstance(config, PVTConfig):
        try:
            config.grids(image_size)
        except ConfigError:
            return False
    return True


def begun(fresh: Calibration, path: Path) -> Calibration:
    """The calibration of path, under the command of fresh; fresh itself where there is none.

    Raises `InputError` where path holds another setting, space, input or device, or was made with other versions.
    """
    if not path.exists():
        return replace(fresh, file=str(path))
    known = read_calibration(path)
    ours, theirs = _identity(fresh), _identity(known)
    for name, value in ours.items():
        if theirs[name] != value:
            raise InputError(
                f"{path}: holds measurements with {name} {theirs[name]}, this command's is {value}: give another --out"
            )
    return replace(known, command=fresh.command, design=fresh.design)


def _identity(calibration: Calibration) -> dict[str, Any]:
    """What must be the same for measurements to stand in one file."""
    same = {"space": calibration.space, "setting": in_words(calibration.setting), "task": calibration.task}
    height, width = calibration.image_size
    return {**same, "image size": f"{height}x{width}", **_versions(calibration.circumstances)}


def _versions(circumstances: Mapping[str, Any]) -> dict[str, Any]:
    return {name: circumstances.get(name) for name in ("device_name", "threads", "torch")}


def calibrate(
    calibration: Calibration,
    subjects: Sequence[Subject],
    path: Path,
    laboratory: Laboratory,
    advance: Callable[[int], None] = lambda _done: None,
) -> Calibration:
    """The calibration with every subject measured; path is written anew after each group.

    What a calibration has is not measured again. advance is told how many subjects are done.
    """
    if calibration.peaks is None:
        calibration = replace(calibration, peaks=laboratory.peaks())
    if calibration.anchor is None:
        anchor = next(s.config for s in subjects if s.role in ("whole", "held_out", "alone"))
        if not isinstance(anchor, PVTConfig):
            raise TypeError(anchor)
        calibration = replace(calibration, anchor=anchor)
    for group in _missing(calibration, subjects):
        calibration = replace(
            calibration, measured=(*calibration.measured, *measure_group(calibration, group, laboratory))
        )
        write_calibration(calibration, path)
        advance(len(calibration.measured))
    write_calibration(calibration, path)
    return calibration


def _missing(calibration: Calibration, subjects: Sequence[Subject]) -> Iterator[list[Subject]]:
    """What is not measured yet, in the groups of an uninterrupted run."""
    known = {row.subject for row in calibration.measured}
    for start in range(0, len(subjects), GROUP):
        group = [subject for subject in subjects[start : start + GROUP] if subject not in known]
        if group:
            yield group


def measure_group(calibration: Calibration, group: Sequence[Subject], laboratory: Laboratory) -> list[Measured]:
    """A row for each subject of a group, measured beside the anchor."""
    if calibration.anchor is None:
        raise TypeError("a calibration measures beside its anchor")
    with ExitStack() as stack:
        everything = (Subject("whole", calibration.anchor), *group)
        runs = [stack.enter_context(laboratory.ready(subject)) for subject in everything]
        anchor_seconds, *seconds = laboratory.time_all(runs)
    return [Measured(*pair, anchor_seconds) for pair in zip(group, seconds, strict=True)]
