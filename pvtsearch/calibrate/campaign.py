"""Measures what a calibration needs, group by group, each beside the anchor; killed, it goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

from pvtsearch.analysis.calibration import Calibration, DevicePeaks, Measured, Subject, in_words
from pvtsearch.analysis.calibration_document import read_calibration, write_calibration
from pvtsearch.analysis.design_of_parts import designed
from pvtsearch.analysis.sampling import Run
from pvtsearch.analysis.timing import Plan
from pvtsearch.config import ImageSize, ModelConfig, PVTConfig, Task
from pvtsearch.cost import Budget
from pvtsearch.errors import ConfigError, DoesNotFit, InputError
from pvtsearch.space import SearchSpace

LEAST_ROUNDS = 9  # of a group, however long they take
WARM_UP_SHARE = 0.2  # of the time of a subject
GROUP = 8  # subjects that are measured side by side

TimeAll: TypeAlias = Callable[[Sequence[Run]], list[float]]  # seconds of each, measured in turns


@dataclass(frozen=True)
class Laboratory:
    """What touches the device: makes a subject ready to run, times several side by side, and finds the peaks.

    The first two raise `DoesNotFit` where memory does not suffice.
    """

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
    """The calibration with every subject measured that fits; path is written anew after each group.

    What a calibration has is not measured again. advance is told how many subjects are done.
    """
    for grown in growing(calibration, subjects, path, laboratory):
        calibration = grown
        advance(len(calibration.measured) + len(calibration.left_out))
    return calibration


def growing(
    calibration: Calibration, subjects: Sequence[Subject], path: Path, laboratory: Laboratory
) -> Iterator[Calibration]:
    """The calibration after every group, as path then holds it."""
    if calibration.peaks is None:
        calibration = replace(calibration, peaks=laboratory.peaks())
    if calibration.anchor is None:
        anchor = next(s.config for s in subjects if s.role in ("whole", "held_out", "alone"))
        if not isinstance(anchor, PVTConfig):
            raise TypeError(anchor)
        calibration = replace(calibration, anchor=anchor)
    for group in _missing(calibration, subjects):
        found = measure_group(calibration, group, laboratory)
        fitted = {row.subject for row in found}
        calibration = replace(
            calibration,
            measured=(*calibration.measured, *found),
            left_out=(*calibration.left_out, *(subject for subject in group if subject not in fitted)),
        )
        write_calibration(calibration, path)
        yield calibration
    write_calibration(calibration, path)


def _missing(calibration: Calibration, subjects: Sequence[Subject]) -> Iterator[list[Subject]]:
    """What is not measured yet, in the groups of an uninterrupted run."""
    known = {*(row.subject for row in calibration.measured), *calibration.left_out}
    for start in range(0, len(subjects), GROUP):
        group = [subject for subject in subjects[start : start + GROUP] if subject not in known]
        if group:
            yield group


def measure_group(calibration: Calibration, group: Sequence[Subject], laboratory: Laboratory) -> list[Measured]:
    """A row for each subject of a group that fits in memory, measured beside the anchor.

    What does not fit beside the others is tried beside half of them, down to the anchor alone. Raises `InputError`
    where not even the anchor fits.
    """
    if calibration.anchor is None:
        raise TypeError("a calibration measures beside its anchor")
    seconds = _timed(Subject("whole", calibration.anchor), group, laboratory)
    if seconds is not None:
        anchor_seconds, *others = seconds
        return [Measured(*pair, anchor_seconds) for pair in zip(group, others, strict=True)]
    if len(group) == 1:
        return []
    halves = group[: len(group) // 2], group[len(group) // 2 :]
    return [row for half in halves for row in measure_group(calibration, half, laboratory)]


def _timed(anchor: Subject, group: Sequence[Subject], laboratory: Laboratory) -> list[float] | None:
    """Seconds of the anchor and of a group; None where memory does not suffice for all of them."""
    with suppress(DoesNotFit), ExitStack() as stack:
        try:
            first = stack.enter_context(laboratory.ready(anchor))
        except DoesNotFit as error:
            raise InputError(
                f"the network that all others are measured beside does not fit in memory ({error}): give a smaller "
                "--batch-size or --image-size"
            ) from error
        return laboratory.time_all([first, *(stack.enter_context(laboratory.ready(subject)) for subject in group)])
    return None
