"""From a space and a budget to a front: plan, run, sum up; `run_search` is all three in one call."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage, InMemoryStorage

from pvtsearch.analysis.calibration import Calibration
from pvtsearch.analysis.calibration_document import digest
from pvtsearch.analysis.setting import Autocast, Backend, Dtype, MemorySetting, Optimizer
from pvtsearch.config import AttentionKernel, ImageSize, Task
from pvtsearch.cost import Budget
from pvtsearch.errors import EvaluationFailed, InputError
from pvtsearch.records import Objective, SearchResult, TrialRecord
from pvtsearch.search.decode import Decoded
from pvtsearch.search.ending import Ending
from pvtsearch.search.limits import DEFAULT_MATCH, DEFAULT_OBJECTIVES
from pvtsearch.search.pareto import front_of
from pvtsearch.search.plan import PRUNERS, Evaluate, StudyPlan
from pvtsearch.search.problem import Problem
from pvtsearch.search.quality import compared
from pvtsearch.search.question import Question, make_question, nothing_feasible
from pvtsearch.search.results import library_versions, make_result, scores
from pvtsearch.search.samplers import DEFAULT_SAMPLER, SAMPLERS
from pvtsearch.search.stored import StoredStudy, open_study
from pvtsearch.search.structured import Structure
from pvtsearch.search.study import run_study
from pvtsearch.space import SearchSpace
from pvtsearch.trainings import ACCURACY, OnEpoch, Trainer

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
    calibration: Calibration | None = None,
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
    calibration: what latency is predicted from, where it is limited or an objective (`read_calibration`).
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
        calibration=calibration,
        sampler=sampler,
        trials=trials,
        seed=seed,
        extrapolate=extrapolate,
    )
    return answered(plan, open_study(storage or InMemoryStorage(), study_name, plan))


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
    calibration: Calibration | None = None,
) -> StudyPlan:
    """What `run_search` runs, with everything checked that can be checked before the first trial."""
    question = make_question(
        space,
        budget=budget,
        match=match,
        objectives=objectives,
        image_size=image_size,
        task=task,
        setting=setting,
        calibration=calibration,
        extrapolate=extrapolate,
    )
    return plan_study(question, sampler=sampler, trials=trials, seed=seed)


def plan_study(
    question: Question,
    *,
    sampler: str,
    trials: int,
    seed: int,
    trainer: Trainer | None = None,
    training: Mapping[str, Any] | None = None,
    pruner: str | None = None,
) -> StudyPlan:
    """How a question is answered by trials.

    trainer: gives accuracy, where it is an objective; training: what else it follows from, in plain values.
    pruner: of `PRUNERS`, what ends poor trainings; by default median where accuracy is the only objective, else none.
    Raises `InputError` for a pruner beside several objectives or without trainings, `NothingFeasible` where no
    configuration is within the limits.
    """
    _check(trials, seed, sampler)
    chosen = _pruner(question, pruner)
    structure = Structure(question)
    if not structure.decoder.templates:
        raise nothing_feasible(question.problem)
    definition = {**_definition(question.problem, question.objectives, sampler, seed), **(training or {})}
    if trainer is not None:
        definition["pruner"] = chosen
    return StudyPlan(structure, question, _scorer(question, trainer, seed), trials, sampler, seed, definition, chosen)


def answered(
    plan: StudyPlan,
    study: StoredStudy,
    circumstances: Mapping[str, Any] | None = None,
    on_record: Callable[[TrialRecord], None] = lambda _record: None,
    ending: Ending | None = None,
) -> SearchResult:
    """What a study finds, new, joined or taken up again; circumstances are added to those that are known here."""
    run_study(study, plan, on_record, ending)
    return found_by(plan, study, circumstances)


def found_by(plan: StudyPlan, study: StoredStudy, circumstances: Mapping[str, Any] | None = None) -> SearchResult:
    """What a study has found so far."""
    evaluated = tuple(study.records()[: plan.trials])
    if not evaluated and (failures := study.failures()):
        raise EvaluationFailed(f"all of {len(failures)} evaluations failed; the last: {failures[-1]}")
    others = {name: count for name in ("pruned", "failed") if (count := study.count(name))}
    result = make_result(
        plan.question,
        evaluated,
        front_of(evaluated, plan.question.objectives),
        method="optuna",
        sampler=plan.sampler,
        seed=plan.seed,
        circumstances={
            **(circumstances or {}),
            **{key: plan.definition[key] for key in ("training",) if key in plan.definition},
            **others,
            "exhausted": len(evaluated) + sum(others.values()) < plan.trials,
            "versions": library_versions(_LIBRARIES),
        },
        certificate=None,
    )
    return compared(result, plan.question)


def _check(trials: int, seed: int, sampler: str) -> None:
    if trials < 1:
        raise InputError(f"trials must be at least 1, got {trials}")
    if not 0 <= seed < 2**32:
        raise InputError(f"seed must be at least 0 and below 2^32, got {seed}")
    if sampler not in SAMPLERS:
        raise InputError(f"sampler must be one of {', '.join(SAMPLERS)}, got '{sampler}'")


def _pruner(question: Question, asked: str | None) -> str:
    """The pruner that is asked for, or that goes with the objectives: Optuna's know of one objective only."""
    prunable = [goal.name for goal in question.objectives] == [ACCURACY]
    if asked not in {None, *PRUNERS}:
        raise InputError(f"pruner must be one of {', '.join(PRUNERS)}, got '{asked}'")
    if asked not in {None, "none"} and not prunable:
        raise InputError(f"pruner {asked} ends trainings where accuracy is the only objective")
    return asked or ("median" if prunable else "none")


def _scorer(question: Question, trainer: Trainer | None, seed: int) -> Evaluate:
    """Scores of a configuration; its accuracy by training it."""
    wanted = any(goal.name == ACCURACY for goal in question.objectives)
    if wanted and trainer is None:
        raise InputError(f"{ACCURACY} is an objective and needs a trainer: in Python trainer=, see docs/accuracy.md")

    def score(decoded: Decoded, on_epoch: OnEpoch) -> dict[str, float]:
        found = scores(decoded.config, question.objectives, question.problem.frame)
        if wanted and trainer is not None:
            found[ACCURACY] = trainer(decoded.config, seed, on_epoch).accuracy_percent
        return found

    return score


def _definition(problem: Problem, goals: Sequence[Objective], sampler: str, seed: int) -> dict[str, Any]:
    """What makes two commands the same search, in plain values."""
    memory = {"memory": problem.costing.circumstances} if problem.costing.circumstances else {}
    latency = {"calibration": digest(problem.costing.predicted)} if "latency_ns" in problem.costing.metrics else {}
    return {
        "space": f"{problem.space.name} ({hashlib.sha256(repr(problem.space).encode()).hexdigest()[:12]})",
        "image size": list(problem.image_size),
        "task": problem.task,
        "budget": dict(problem.budget.limits),
        "objectives": [f"{goal.direction} {goal.name}" for goal in goals],
        "limits on stages": [[x.stage, x.quantity, repr(x.lower), repr(x.upper)] for x in problem.stage_limits],
        **memory,
        **latency,
        "sampler": sampler,
        "seed": seed,
    }
