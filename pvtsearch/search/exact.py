"""The exact front of a space under hard limits, as a result that is reported like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pvtsearch.analysis.calibration import Calibration
from pvtsearch.analysis.setting import Autocast, Backend, Dtype, MemorySetting, Optimizer
from pvtsearch.config import AttentionKernel, ImageSize, Task
from pvtsearch.cost import Budget
from pvtsearch.records import Certificate, SearchResult, TrialRecord
from pvtsearch.search.composition import Composition
from pvtsearch.search.epsilon import read_epsilon
from pvtsearch.search.limits import DEFAULT_MATCH, DEFAULT_OBJECTIVES
from pvtsearch.search.question import Question, make_question, nothing_feasible
from pvtsearch.search.results import library_versions, make_result, scores
from pvtsearch.search.stagewise import Front, solve
from pvtsearch.space import SearchSpace

_LIBRARIES = ("pvtsearch", "numpy")


def exact_front(
    space: SearchSpace | str | Path,
    objectives: Sequence[str] = DEFAULT_OBJECTIVES,
    budget: Budget | str | Path | None = None,
    *,
    match: Sequence[str] = DEFAULT_MATCH,
    image_size: int | ImageSize | None = None,
    task: Task = "classification",
    batch_size: int = 1,
    dtype: Dtype = "float32",
    attention: AttentionKernel = "fused",
    autocast: Autocast = "none",
    optimizer: Optimizer = "adamw",
    memory_backend: Backend = "cpu",
    calibration: Calibration | None = None,
    extrapolate: bool = False,
    epsilon: float | str | None = None,
) -> SearchResult:
    """The front of a space under hard limits, proven: nothing within the limits beats any of it.

    Arguments are those of `run_search`. Records and front are the same here: a configuration per point, and in the
    certificate how many configurations tie with each. epsilon: a smaller front such that every configuration within the
    limits is at most a factor of 1 + epsilon better than one of it, in every objective.
    Raises `InputError` for input that cannot be, for objectives that do not combine over stages, and for a front that
    needs too much memory without epsilon; `NothingFeasible` where no configuration is within the limits.
    """
    question = make_question(
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
        extrapolate=extrapolate,
    )
    return answer(question, None if epsilon is None else str(epsilon), {})


def answer(question: Question, epsilon: str | None, circumstances: Mapping[str, Any]) -> SearchResult:
    """The exact answer to a question; circumstances are added to those that are known here."""
    composition = Composition(question.problem, question.objectives)
    front = solve(composition, None if epsilon is None else read_epsilon(epsilon))
    if not front.configs:
        raise nothing_feasible(question.problem)
    records = _records(question, front)
    return make_result(
        question,
        records,
        records,
        method="exact",
        sampler=None,
        seed=None,
        circumstances={**circumstances, "versions": library_versions(_LIBRARIES)},
        certificate=Certificate(None, front.ties, epsilon),
    )


def counted(result: SearchResult, feasible: int) -> SearchResult:
    """An exact result that says how many configurations are within the limits."""
    if result.certificate is None:
        raise TypeError("only an exact result has a certificate")
    return replace(result, certificate=replace(result.certificate, feasible=feasible))


def _records(question: Question, front: Front) -> list[TrialRecord]:
    """A record per point; its cost, summed anew from its stages, is held against what the search found."""
    records = []
    for number, (point, config, cost) in enumerate(zip(front.points, front.configs, front.costs, strict=True)):
        found = {goal.name: value for goal, value in zip(question.objectives, point, strict=True)}
        if any(cost[name] != found[name] for name in cost if name in found) or not question.problem.budget.admits(cost):
            raise AssertionError(f"the exact search found {found} where the stages cost {cost}: please report it")
        records.append(TrialRecord(number, config, cost, scores(config, question.objectives, question.problem.frame)))
    return records
