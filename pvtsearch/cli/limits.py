"""Options of limits, which `search` and `space` share, as one budget."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.cli import values
from pvtsearch.config import ImageSize, Task
from pvtsearch.cost import Budget
from pvtsearch.errors import BudgetError, InputError
from pvtsearch.serialize import load_config

if TYPE_CHECKING:
    from pvtsearch.analysis.calibration import Calibration
    from pvtsearch.search.problem import Problem

BudgetOption = Annotated[str | None, typer.Option(help="A network whose cost is the limit.", metavar="CONFIG")]
MatchOption = Annotated[str | None, typer.Option(help="Metrics of --budget that are limits; by default params,macs.")]
MaxGmacsOption = Annotated[str | None, typer.Option(help="Limit on MACs, in billions.")]
MaxParamsOption = Annotated[str | None, typer.Option(help="Limit on parameters, such as 25.6M.")]
MaxMemoryOption = Annotated[str | None, typer.Option(help="Limit on peak memory in inference, such as 4GiB.")]
MaxTrainingMemoryOption = Annotated[
    str | None, typer.Option(help="Limit on peak memory of a training step, such as 16GiB.")
]
MaxLatencyOption = Annotated[
    str | None, typer.Option(help="Limit on predicted latency, such as 5ms; needs a calibration.")
]


def check_circumstances(given: Iterable[str], problem: Problem) -> None:
    """Raise `InputError` for an option that says what memory is computed for, where no such memory is asked for."""
    costing = problem.costing
    shared = ("batch_size", "dtype") if "latency_ns" in costing.metrics else ()
    needless = [name for name in given if name not in (*costing.circumstances, *shared)]
    if needless:
        option = "--memory-backend" if needless[0] == "backend" else f"--{needless[0].replace('_', '-')}"
        kind = "training memory" if costing.peaks else "memory"
        raise InputError(
            f"{option} is a circumstance of {kind}, which is not asked for: give --max-memory or "
            "--max-training-memory, or inference_memory or training_memory in --match or --objectives"
        )


def the_budget(
    budget: str | None,
    match: str | None,
    size: ImageSize,
    task: Task,
    setting: MemorySetting,
    calibration: Calibration | None = None,
    *,
    max_latency: str | None = None,
    max_gmacs: str | None,
    max_params: str | None,
    max_memory: str | None = None,
    max_training_memory: str | None = None,
) -> Budget:
    """The limits of the options together: where two limit one metric the smaller wins."""
    from pvtsearch.search.limits import DEFAULT_MATCH, baseline_budget

    limits = {}
    if max_params is not None:
        limits["params"] = values.number("--max-params", max_params, values.COUNT_UNITS)
    if max_gmacs is not None:
        limits["macs"] = values.number("--max-gmacs", max_gmacs, values.BILLIONS)
    if max_memory is not None:
        limits["inference_peak_bytes"] = values.number("--max-memory", max_memory, values.BYTE_UNITS)
    if max_training_memory is not None:
        limits["training_peak_bytes"] = values.number("--max-training-memory", max_training_memory, values.BYTE_UNITS)
    if max_latency is not None:
        limits["latency_ns"] = values.number("--max-latency", max_latency, values.TIME_UNITS)
    if budget is None and not limits:
        raise BudgetError(
            "a search needs limits: give --budget CONFIG (such as resnet50), --max-gmacs, --max-params, --max-memory, "
            "--max-training-memory or --max-latency"
        )
    if budget is None and match is not None:
        raise BudgetError("--match names metrics of --budget, which is not given: give --budget CONFIG")
    base = Budget({}, "")
    if budget is not None:
        metrics = DEFAULT_MATCH if match is None else values.names(match)
        base = baseline_budget(
            load_config(budget), size, task=task, match=metrics, setting=setting, calibration=calibration
        )
    return base.tightened(limits, "limits given by hand") if limits else base
