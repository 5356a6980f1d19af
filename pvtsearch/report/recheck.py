"""The files of a search held against the closed form: every network of a front costed anew from its YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pvtsearch.accuracy.frame import frame_of
from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.analysis.calibration import Calibration
from pvtsearch.analysis.calibration_document import digest, read_calibration
from pvtsearch.analysis.metrics import METRICS, Costing, analytic_cost, costing_with
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import ImageSize, PVTConfig, Task, check_task, height_and_width
from pvtsearch.cost import Budget
from pvtsearch.documents import MOST_BYTES_OF_JSON, parse_json, read_csv, read_json, read_text
from pvtsearch.errors import InputError
from pvtsearch.serialize import config_to_dict, load_config
from pvtsearch.shown import short


@dataclass(frozen=True)
class Recheck:
    """What a second look at a front found: how many networks, and each thing that differs, in words."""

    networks: int
    differences: tuple[str, ...]


def recheck(folder: Path) -> Recheck:
    """Every row of `front.csv` against its YAML: cost, score and configuration anew, and the limits of the search.

    Raises `InputError` where folder does not hold the files of a search.
    """
    summary, rows = _files(folder)
    try:
        size, task = height_and_width(summary["image_size"]), summary["task"]
        check_task(task)
        budget, expected = Budget(summary["budget"]["limits"]), int(summary["front_size"])
        names = [row["name"] for row in rows if row["config"]]
        costed = [name for name in METRICS if rows and name in rows[0]]
        if rows and (uncosted := [name for name in budget.limits if name not in costed]):
            raise ValueError(f"front.csv has no column {short(uncosted[0])}, which is limited")
        calibration = _calibration(summary["latency"]) if "latency" in summary else None
        costing = costing_with(costed, MemorySetting(**summary.get("memory", {})), calibration)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(f"--front {folder}: must be the folder of a search: its files are damaged: {error}") from error
    found = [each for row in rows for each in _differences(folder, row, size, task, budget, costing)]
    if len(set(names)) != expected:
        found.append(f"front.csv has {len(set(names)):,} networks, summary.json {expected:,}")
    return Recheck(len(rows), tuple(found))


def _files(folder: Path) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """What summary.json holds, and the rows of front.csv."""
    table = folder / "front.csv"
    try:
        return dict(read_json(folder / "summary.json")), read_csv(read_text(table, MOST_BYTES_OF_JSON), str(table))
    except (InputError, ValueError, TypeError) as error:
        raise InputError(f"--front {folder}: must be the folder of a search: {error}") from error


def _calibration(latency: Mapping[str, Any]) -> Calibration:
    """What the search predicted latency from. Raises `InputError` where the file is gone or has other numbers."""
    found = read_calibration(Path(latency["calibration"]))
    if digest(found) != latency["digest"]:
        raise InputError(f"{latency['calibration']}: has other measurements than when the search read it: search again")
    return found


def _differences(
    folder: Path, row: Mapping[str, str], size: ImageSize, task: Task, budget: Budget, costing: Costing
) -> Iterator[str]:
    """What is not as the row says."""
    name = row["name"]
    where = f"{folder / 'front.csv'}: {short(name)}"
    config = load_config(folder / "front" / f"{name}.yaml")
    if not isinstance(config, PVTConfig) or config_to_dict(config) != parse_json(row["config"], f"{where}: config"):
        yield f"{name}: the YAML is another configuration than front.csv's"
    if not isinstance(config, PVTConfig):
        return
    cost = analytic_cost(config, size, task, costing)
    frame = frame_of(size, task, budget.limits, len(config.stages))
    scores = {name: SIGNALS[name].score(config, frame) for name in SIGNALS if name in row}
    for quantity, value in {**cost, **scores}.items():
        if quantity in row and _number(row[quantity], f"{where}: {quantity}") != value:
            yield f"{name}: {quantity} is {value:,}, front.csv says {row[quantity]}"
    if not budget.admits(cost):
        yield f"{name}: outside the limits of the search"


def _number(cell: str, where: str) -> float:
    try:
        return float(cell)
    except ValueError as error:
        raise InputError(f"{where} must be a number, got {short(cell)}") from error
