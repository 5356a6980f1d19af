"""`pvtsearch space`: how large a space is, how much of it a budget leaves, and what that costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pvtsearch.analysis.setting import Dtype, Execution, MemorySetting
from pvtsearch.cli import tables, values
from pvtsearch.cli.latency import asks_for_latency, calibration_of, check_latency_options
from pvtsearch.cli.limits import (
    BudgetOption,
    MatchOption,
    MaxGmacsOption,
    MaxLatencyOption,
    MaxMemoryOption,
    MaxParamsOption,
    MaxTrainingMemoryOption,
    check_circumstances,
    the_budget,
)

if TYPE_CHECKING:
    from pvtsearch.search.counting import Inventory
    from pvtsearch.search.draws import Estimate
    from pvtsearch.search.problem import Problem


def space(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="A shipped space or a YAML file.")],
    budget: BudgetOption = None,
    match: MatchOption = None,
    max_gmacs: MaxGmacsOption = None,
    max_params: MaxParamsOption = None,
    max_memory: MaxMemoryOption = None,
    max_training_memory: MaxTrainingMemoryOption = None,
    max_latency: MaxLatencyOption = None,
    device: Annotated[str | None, typer.Option(help="Of latency: cpu or cuda; by default cpu.")] = None,
    execution: Annotated[Execution | None, typer.Option(help="Of latency; by default eager.")] = None,
    calibrations: Annotated[
        Path | None, typer.Option(help="Folder or file of calibrations; by default reports/devices.")
    ] = None,
    task: values.TaskOption = "classification",
    batch_size: Annotated[int | None, typer.Option(help="Images, of memory and latency; by default 1.", min=1)] = None,
    dtype: Annotated[Dtype | None, typer.Option(help="Of memory and latency; by default float32.")] = None,
    image_size: Annotated[str | None, typer.Option(help="Input side or HxW; by default the space's.")] = None,
    format: Annotated[
        Literal["table", "json", "markdown"], typer.Option("--format", help="How to print it.")
    ] = "table",
) -> int:
    """How many configurations a space has, how many are within a budget, and what these cost: exact, by counting."""
    from pvtsearch.analysis.metrics import costing_with
    from pvtsearch.analysis.timing import TimingSetting
    from pvtsearch.search.counting import take_stock
    from pvtsearch.search.draws import estimate_feasible
    from pvtsearch.search.halves import TooManyRows
    from pvtsearch.search.problem import Problem
    from pvtsearch.serialize_space import load_space

    loaded = load_space(space)
    size = values.image_size(image_size) or (loaded.image_size, loaded.image_size)
    given = {"batch_size": batch_size, "dtype": dtype}
    circumstances: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    setting = MemorySetting(**circumstances)
    wants_latency = asks_for_latency(max_latency, match, "")
    of_latency = {"--device": device, "--execution": execution, "--calibrations": calibrations}
    check_latency_options(wants_latency, of_latency)
    timing = TimingSetting(device=device or "cpu", execution=execution or "eager", **circumstances)
    calibration = calibration_of(calibrations, timing, loaded, size, task) if wants_latency else None
    limits = the_budget(
        budget,
        match,
        size,
        task,
        setting,
        calibration,
        max_gmacs=max_gmacs,
        max_params=max_params,
        max_memory=max_memory,
        max_training_memory=max_training_memory,
        max_latency=max_latency,
    )
    problem = Problem(loaded, size, task, limits, costing=costing_with(limits.limits, setting, calibration))
    check_circumstances(circumstances, problem)
    found: Inventory | Estimate
    try:
        found = take_stock(problem)
    except TooManyRows:
        found = estimate_feasible(problem)
    facts = as_json(problem, found)
    if format == "json":
        print(json.dumps(facts, indent=2))
    else:
        tables.print_table([f"{loaded.name} {size[0]}x{size[1]}", task, ""], rows(facts), format)
    return 0 if found.feasible else 1


def as_json(problem: Problem, found: Inventory | Estimate) -> dict[str, Any]:
    """What was asked and what was counted; an estimate stands under `estimate`, never under `feasible`."""
    from pvtsearch.search.draws import Estimate

    size = problem.space.size(problem.image_size)
    facts: dict[str, Any] = {
        "space": problem.space.name,
        "image_size": list(problem.image_size),
        "task": problem.task,
        "budget": {"limits": dict(problem.budget.limits), "source": problem.budget.source},
        "size": size.legal,
        "dropped": {law: count for law, count in size.dropped().items() if count},
    }
    ranges = {name: {"least": span.least, "largest": span.largest} for name, span in found.ranges.items()}
    share = found.feasible / size.legal if size.legal else 0.0
    if isinstance(found, Estimate):
        interval = {"low": found.low, "high": found.high, "confidence": 0.95}
        estimate = {"feasible": found.feasible, "share": share, **interval, "draws": found.draws, "ranges": ranges}
        return {**facts, "estimate": estimate}
    return {**facts, "feasible": found.feasible, "share": share, "ranges": ranges}


def rows(facts: dict[str, Any]) -> list[list[str]]:
    """The facts for people: what, how much, and a remark."""
    size = facts["size"]
    body = [["configurations", f"{size:,}", ""]]
    found = facts.get("estimate", facts)
    share, seen = f"{found['share']:.3%} of them", ""
    if "estimate" in facts:
        interval = f"95 % interval {found['low']:,} to {found['high']:,}"
        body.append(["within the budget, estimated", f"{found['feasible']:,}", f"{share}, {interval}"])
        seen = f" of {found['draws']:,} draws"
    else:
        body.append(["within the budget", f"{found['feasible']:,}", share])
    for metric, span in found["ranges"].items():
        body.append([f"{metric}, least{seen}", f"{span['least']:,}", ""])
        limit = facts["budget"]["limits"].get(metric)
        body.append([f"{metric}, largest{seen}", f"{span['largest']:,}", f"limit {limit:,}" if limit else ""])
    return body
