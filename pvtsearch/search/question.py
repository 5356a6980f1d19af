"""What a search is asked: a problem, what to make large or small in it, and whether its scores are extrapolated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.analysis.calibration import Calibration
from pvtsearch.analysis.metrics import METRICS, costing_with
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import ImageSize, Task, height_and_width
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError, NothingFeasible
from pvtsearch.records import Objective
from pvtsearch.search.completions import Completions
from pvtsearch.search.limits import DEFAULT_MATCH, baseline_budget, objectives_of, prior_limits
from pvtsearch.search.problem import Problem
from pvtsearch.serialize import load_config
from pvtsearch.serialize_space import load_space
from pvtsearch.space import SearchSpace


@dataclass(frozen=True)
class Question:
    """A problem with its objectives; `extrapolated` where scores are used outside the prior's envelope."""

    problem: Problem
    objectives: tuple[Objective, ...]
    extrapolated: bool


def make_question(
    space: SearchSpace | str | Path,
    *,
    budget: Budget | str | Path | None,
    objectives: Sequence[str],
    image_size: int | ImageSize | None,
    task: Task,
    extrapolate: bool,
    match: Sequence[str] = DEFAULT_MATCH,
    setting: MemorySetting | None = None,
    calibration: Calibration | None = None,
) -> Question:
    """What is asked, with all checked that can be checked at once.

    match: metrics in which a budget's network is the limit. setting: what peak memory is computed for, where it is
    limited or an objective. calibration: what latency is predicted from, there likewise. Raises `InputError` for input
    that cannot be.
    """
    space = space if isinstance(space, SearchSpace) else load_space(space)
    size = height_and_width(space.image_size if image_size is None else image_size)
    setting = setting or MemorySetting()
    if not isinstance(budget, Budget):
        found = load_config(budget) if budget else None
        budget = Budget({}, "none")
        if found:
            budget = baseline_budget(found, size, task=task, match=match, setting=setting, calibration=calibration)
    goals = objectives_of(objectives)
    scored = any(goal.name in SIGNALS for goal in goals)
    limits = prior_limits(space, budget, size, task) if scored and not extrapolate else ()
    metrics = (*budget.limits, *(goal.name for goal in goals if goal.name in METRICS))
    problem = Problem(space, size, task, budget, limits, costing_with(metrics, setting, calibration))
    comparing = [goal.name for goal in goals if goal.name in SIGNALS and SIGNALS[goal.name].compares]
    if comparing and problem.frame.published is None:
        raise _nothing_published(comparing[0], problem)
    return Question(problem, goals, extrapolate and scored)


def _nothing_published(name: str, problem: Problem) -> InputError:
    """The error of a signal that has nothing to compare with."""
    got = f"{len(problem.space.stages)} stages" if "macs" in problem.budget.limits else "no limit on MACs"
    return InputError(
        f"objectives: {name} compares with published PVT networks, of 4 stages and at a limit on MACs, got {got}: "
        "give --max-gmacs or --budget, or objectives without it (width_sum needs neither)"
    )


def nothing_feasible(problem: Problem) -> NothingFeasible:
    """The error of a problem without any configuration: whether the budget or the prior's envelope is to blame."""
    return NothingFeasible(_why_nothing(problem))


def is_feasible(problem: Problem) -> bool:
    """Whether any configuration is within all limits."""
    completions, start = Completions(problem), problem.start()
    return any(len(completions.front(template, 0, start)) for template in problem.space.templates)


def _why_nothing(problem: Problem) -> str:
    limits = ", ".join(f"{METRICS[name].asked_as} <= {limit:,}" for name, limit in problem.budget.limits.items())
    limits = limits or "no limits"
    if problem.stage_limits and is_feasible(replace(problem, stage_limits=())):
        return (
            f"no configuration of {problem.space.name} is within {limits} and inside the prior's envelope: "
            "give --extrapolate (in Python extrapolate=True) to search outside it, or another space"
        )
    if rules := _rules_to_blame(problem):
        return f"no configuration of {problem.space.name} is within {limits} and keeps the space's rules: {rules}"
    if not problem.space.size(problem.image_size).legal:
        height, width = problem.image_size
        return f"no configuration of {problem.space.name} is legal at {height}x{width}: give a larger --image-size"
    return f"no configuration of {problem.space.name} is within {limits}: raise the budget or widen the space"


def _rules_to_blame(problem: Problem) -> str:
    """The rules without which something would be within all limits; nothing where rules are not to blame."""
    rules = problem.space.rules
    if not rules or not is_feasible(replace(problem, space=replace(problem.space, rules=()))):
        return ""
    one_by_one = ((rule, tuple(other for other in rules if other is not rule)) for rule in rules)
    alone = [
        rule for rule, left in one_by_one if is_feasible(replace(problem, space=replace(problem.space, rules=left)))
    ]
    return "; ".join(str(rule) for rule in (alone or rules))
