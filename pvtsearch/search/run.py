"""From a space and a budget to a front: plan, run, sum up; `run_search` is all three in one call."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, InMemoryStorage

from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.analysis.metrics import METRICS, costing_with
from pvtsearch.analysis.setting import Autocast, Backend, Dtype, MemorySetting, Optimizer
from pvtsearch.config import AttentionKernel, ImageSize, Task, height_and_width
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError, NothingFeasible
from pvtsearch.records import Objective, SearchResult, TrialRecord
from pvtsearch.search.decode import Decoded, Decoder
from pvtsearch.search.limits import DEFAULT_MATCH, DEFAULT_OBJECTIVES, baseline_budget, objectives_of, prior_limits
from pvtsearch.search.pareto import front_of
from pvtsearch.search.problem import Problem
from pvtsearch.search.samplers import DEFAULT_SAMPLER, SAMPLERS
from pvtsearch.search.study import StudyPlan, open_study, run_study
from pvtsearch.serialize import load_config
from pvtsearch.serialize_space import load_space
from pvtsearch.space import SearchSpace

DEFAULT_TRIALS = 1000
DEFAULT_STUDY = "pvtsearch"
_LIBRARIES = ("pvtsearch", "numpy", "optuna")


def run_search(
    space: SearchSpace | str | Path,
    *,
    budget: Budget | str | Path | None = None,
    match: Sequence[str] = DEFAULT_MATCH,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    image_size: int | ImageSize | None = None,
    task: Task = "classification",
    batch_size: int = 1,
    dtype: Dtype = "float32",
    attention: AttentionKernel = "fused",
    autocast: Autocast = "none",
    optimizer: Optimizer = "adamw",
    memory_backend: Backend = "cpu",
    sampler: str = DEFAULT_SAMPLER,
    trials: int = DEFAULT_TRIALS,
    seed: int = 0,
    extrapolate: bool = False,
    storage: BaseStorage | None = None,
    study_name: str = DEFAULT_STUDY,
) -> SearchResult:
    """The front of a space under hard limits, from `trials` distinct evaluated configurations.

    space: a `SearchSpace`, or the name or path of one. budget: limits, or a network whose cost in the metrics of match
    is the limit. image_size: a side or (height, width), by default the space's. batch_size, dtype, attention,
    autocast, optimizer, memory_backend: what peak memory is computed for, where it is limited or an objective.
    extrapolate: use the prior outside its envelope. storage: Optuna's, by default in memory; the same storage and study
    name go on where they were left.
    Raises `InputError` for input that cannot be, `NothingFeasible` where no configuration is within the limits.
    """
    plan = plan_search(
        space,
        budget=budget,
        match=match,
        objectives=objectives,
        image_size=image_size,
        task=task,
        setting=MemorySetting(
            batch_size=batch_size,
            dtype=dtype,
            attention=attention,
            autocast=autocast,
            optimizer=optimizer,
            backend=memory_backend,
        ),
        sampler=sampler,
        trials=trials,
        seed=seed,
        extrapolate=extrapolate,
    )
    study = open_study(storage or InMemoryStorage(), study_name, plan)
    return sum_up(plan, run_study(study, plan))


def plan_search(
    space: SearchSpace | str | Path,
    *,
    budget: Budget | str | Path | None,
    objectives: Sequence[str],
    image_size: int | ImageSize | None,
    task: Task,
    sampler: str,
    trials: int,
    seed: int,
    extrapolate: bool,
    match: Sequence[str] = DEFAULT_MATCH,
    setting: MemorySetting | None = None,
) -> StudyPlan:
    """What `run_search` runs, with everything checked that can be checked before the first trial."""
    space = space if isinstance(space, SearchSpace) else load_space(space)
    size = height_and_width(space.image_size if image_size is None else image_size)
    setting = setting or MemorySetting()
    if not isinstance(budget, Budget):
        found = load_config(budget) if budget else None
        budget = baseline_budget(found, size, task=task, match=match, setting=setting) if found else Budget({}, "none")
    _check(trials, seed, sampler)
    goals = objectives_of(objectives)
    enveloped = "prior" in objectives and not extrapolate
    limits = prior_limits(space, budget, size, task) if enveloped else ()
    metrics = (*budget.limits, *(goal.name for goal in goals if goal.name in METRICS))
    decoder = Decoder(Problem(space, size, task, budget, limits, costing_with(metrics, setting)))
    if not decoder.templates:
        raise NothingFeasible(_why_nothing(decoder.problem))
    definition = _definition(decoder.problem, goals, sampler, seed)
    return StudyPlan(decoder, goals, _scorer(goals), trials, sampler, seed, extrapolate, definition)


def sum_up(
    plan: StudyPlan, records: Sequence[TrialRecord], circumstances: Mapping[str, Any] | None = None
) -> SearchResult:
    """The records of a plan's study as a result; circumstances are added to those that are known here."""
    problem, evaluated = plan.decoder.problem, tuple(records[: plan.trials])
    size = problem.space.size(problem.image_size)
    return SearchResult(
        space=problem.space.name,
        space_size=size.legal,
        image_size=problem.image_size,
        task=problem.task,
        memory=problem.costing.circumstances or None,
        budget=problem.budget,
        objectives=plan.objectives,
        method="optuna",
        sampler=plan.sampler,
        seed=plan.seed,
        records=evaluated,
        front=_named(front_of(evaluated, plan.objectives)),
        extrapolated=plan.extrapolate and any(goal.name == "prior" for goal in plan.objectives),
        circumstances={
            **(circumstances or {}),
            **_envelope_in_words(problem),
            "dropped": {law: count for law, count in size.dropped().items() if count},
            "exhausted": len(evaluated) < plan.trials,
            "versions": library_versions(),
        },
    )


def _envelope_in_words(problem: Problem) -> dict[str, Any]:
    """The intervals that stages were kept in, by stage; nothing where there were none."""
    stages: dict[str, list[str]] = {}
    for limit in problem.stage_limits:
        unit, name = (10**9, "GMACs") if limit.quantity == "macs" else (1, limit.quantity)
        span = f"{name} {limit.lower / unit:.3g} to {limit.upper / unit:.3g}"
        stages.setdefault(f"stage {limit.stage + 1}", []).append(span)
    return {"envelope": {stage: ", ".join(spans) for stage, spans in stages.items()}} if stages else {}


def _named(front: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    """The records of a front, their configurations named by position: front_001 and so on."""
    digits = max(3, len(str(len(front))))
    return tuple(
        replace(record, config=replace(record.config, name=f"front_{position:0{digits}}"))
        for position, record in enumerate(front, start=1)
    )


def _check(trials: int, seed: int, sampler: str) -> None:
    if trials < 1:
        raise InputError(f"trials must be at least 1, got {trials}")
    if not 0 <= seed < 2**32:
        raise InputError(f"seed must be at least 0 and below 2^32, got {seed}")
    if sampler not in SAMPLERS:
        raise InputError(f"sampler must be one of {', '.join(SAMPLERS)}, got '{sampler}'")


def _scorer(goals: Sequence[Objective]) -> Callable[[Decoded], dict[str, float]]:
    signals = {goal.name: SIGNALS[goal.name] for goal in goals if goal.name in SIGNALS}
    return lambda decoded: {name: signal.score(decoded.config) for name, signal in signals.items()}


def _why_nothing(problem: Problem) -> str:
    """What to say when nothing is feasible: whether the budget or the envelope of the prior is to blame."""
    limits = ", ".join(f"{metric} <= {limit:,}" for metric, limit in problem.budget.limits.items()) or "no limits"
    if problem.stage_limits and Decoder(replace(problem, stage_limits=())).templates:
        return (
            f"no configuration of {problem.space.name} is within {limits} and inside the prior's envelope: "
            "give --extrapolate to search outside it, or another space"
        )
    if not problem.space.size(problem.image_size).legal:
        height, width = problem.image_size
        return f"no configuration of {problem.space.name} is legal at {height}x{width}: give a larger --image-size"
    return f"no configuration of {problem.space.name} is within {limits}: raise the budget or widen the space"


def _definition(problem: Problem, goals: Sequence[Objective], sampler: str, seed: int) -> dict[str, Any]:
    """What makes two commands the same search, in plain values."""
    memory = {"memory": problem.costing.circumstances} if problem.costing.circumstances else {}
    return {
        "space": f"{problem.space.name} ({hashlib.sha256(repr(problem.space).encode()).hexdigest()[:12]})",
        "image size": list(problem.image_size),
        "task": problem.task,
        "budget": dict(problem.budget.limits),
        "objectives": [f"{goal.direction} {goal.name}" for goal in goals],
        "limits on stages": [[x.stage, x.quantity, repr(x.lower), repr(x.upper)] for x in problem.stage_limits],
        **memory,
        "sampler": sampler,
        "seed": seed,
    }


def library_versions() -> dict[str, str]:
    """Versions of what computed a result."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # run from a source tree that was never installed
            versions[name] = "not installed"
    return versions
