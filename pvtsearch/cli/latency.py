"""Options of latency, which `search` and `space` share: whether it is asked for, what it is predicted from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pvtsearch.cli import values
from pvtsearch.config import ImageSize, NetworkTask, Task
from pvtsearch.errors import InputError

if TYPE_CHECKING:
    from pvtsearch.analysis.calibration import Calibration
    from pvtsearch.analysis.timing import TimingSetting
    from pvtsearch.records import SearchResult
    from pvtsearch.space import SearchSpace


def asks_for_latency(max_latency: str | None, match: str | None, objectives: str) -> bool:
    """Whether latency is limited or an objective."""
    return max_latency is not None or "latency" in (*values.names(match or ""), *values.names(objectives))


def check_latency_options(wants_latency: bool, given: Mapping[str, object]) -> None:
    """Raise `InputError` for an option of latency where none is asked for."""
    needless = [name for name, value in given.items() if value is not None]
    if needless and not wants_latency:
        raise InputError(
            f"{needless[0]} is of latency, which is not asked for: give --max-latency, or latency in --match or "
            "--objectives"
        )


def calibration_of(
    given: Path | None, setting: TimingSetting, space: SearchSpace, size: ImageSize, task: Task
) -> Calibration:
    """The calibration that fits. Raises `InputError` that names the command to make it."""
    from pvtsearch.analysis.calibration_files import calibrations_folder, find_calibration

    return find_calibration(calibrations_folder(given), setting, space, size, task)


def with_finalists(result: SearchResult, calibration: Calibration | None, count: int) -> SearchResult:
    """The result with some networks of its front measured, where latency is asked for and this is the device."""
    if calibration is None or count == 0:
        return result
    from pvtsearch.calibrate.campaign import plan_for
    from pvtsearch.calibrate.finalists import measured_finalists
    from pvtsearch.calibrate.laboratory import laboratory, missing_device

    reason = missing_device(calibration)
    if reason:
        return replace(result, circumstances={**result.circumstances, "not_measured": reason})
    task: NetworkTask = "backbone" if calibration.task == "backbone" else "classification"
    bench = laboratory(calibration.setting, calibration.image_size, task, plan_for(3.0))
    finalists = measured_finalists(result, calibration, bench, count)
    missing = min(count, len(result.front)) - len(finalists)
    facts = {"not_measured": f"{missing:,} do not fit in memory"} if missing else {}
    return replace(result, finalists=finalists, circumstances={**result.circumstances, **facts})
