"""The files of a search held against the closed form: every network of a front costed anew from its YAML."""

from __future__ import annotations

import csv
import json
import math
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
from pvtsearch.config import ImageSize, PVTConfig, Task
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError
from pvtsearch.serialize import config_to_dict, load_config


@dataclass(frozen=True)
class Recheck:
    """What a second look at a front found: how many networks, and each thing that differs, in words."""

    networks: int
    differences: tuple[str, ...]


def recheck(folder: Path) -> Recheck:
    """Every row of `front.csv` against its YAML: cost, score and configuration anew, and the limits of the search.

    Raises `InputError` where folder does not hold the files of a search.
    """
    try:
        summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        rows = list(csv.DictReader((folder / "front.csv").read_text(encoding="utf-8").splitlines()))
        size, task = tuple(summary["image_size"]), summary["task"]
        budget, expected = Budget(summary["budget"]["limits"]), summary["front_size"]
        names = [row["name"] for row in rows]
        costed = [name for name in METRICS if rows and name in rows[0]]
        calibration = _calibration(summary["latency"]) if "latency" in summary else None
        costing = costing_with(costed, MemorySetting(**summary.get("memory", {})), calibration)
    except InputError:
        raise
    except OSError as error:
        reason = f"{error.filename} cannot be read ({error.strerror})"
        raise InputError(f"--front {folder}: must be the folder of a search: {reason}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"--front {folder}: must be the folder of a search: its files are damaged: {error}") from error
    found = [each for row in rows for each in _differences(folder, row, size, task, budget, costing)]
    if len(set(names)) != expected:
        found.append(f"front.csv has {len(set(names)):,} networks, summary.json {expected:,}")
    return Recheck(len(rows), tuple(found))


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
    config = load_config(folder / "front" / f"{name}.yaml")
    if not isinstance(config, PVTConfig) or config_to_dict(config) != json.loads(row["config"]):
        yield f"{name}: the YAML is another configuration than front.csv's"
    if not isinstance(config, PVTConfig):
        return
    cost = analytic_cost(config, size, task, costing)
    frame = frame_of(size, task, budget.limits, len(config.stages))
    scores = {name: SIGNALS[name].score(config, frame) for name in SIGNALS if name in row}
    for quantity, value in {**cost, **scores}.items():
        if quantity in row and not math.isclose(float(row[quantity]), value, rel_tol=0, abs_tol=0):
            yield f"{name}: {quantity} is {value:,}, front.csv says {row[quantity]}"
    if not budget.admits(cost):
        yield f"{name}: outside the limits of the search"
