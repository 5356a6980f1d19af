"""How near a search by trials came to the exact front, where that can be computed: hypervolume, distance, points found.

Hypervolume is the volume of all that some network of a front is at least as good as, up to a reference point. That
point depends on the question alone, never on the trials, so that shares of different runs can be compared and further
trials never lower one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pvtsearch.cost import Budget
from pvtsearch.errors import InputError
from pvtsearch.records import Objective, Quality, SearchResult, TrialRecord
from pvtsearch.search.exact import answer
from pvtsearch.search.pareto import Points, minimised
from pvtsearch.search.question import Question

UNLIMITED_FACTOR = 2


def compared(result: SearchResult, question: Question) -> SearchResult:
    """A result of trials with its quality, or with the reason why the exact front of its question is not known."""
    try:
        exact = answer(question, None, {}).front
        quality = quality_of(result.records, exact, result.objectives, result.budget)
    except InputError as error:
        reason = str(error).partition(": give ")[0]  # the advice is for those who asked for an exact search
        return replace(result, circumstances={**result.circumstances, "not_compared": reason})
    return replace(result, quality=quality)


def quality_of(
    records: Sequence[TrialRecord], exact: Sequence[TrialRecord], objectives: Sequence[Objective], budget: Budget
) -> Quality:
    """How near records, in the order of their evaluation, come to the exact front of the same question.

    Raises `InputError` where an objective is not above 0: shares and factors mean nothing there.
    """
    points, goal = minimised(records, objectives), minimised(exact, objectives)
    _check_positive([*records, *exact], objectives)
    signs = np.array([1 if objective.direction == "minimize" else -1 for objective in objectives])
    reference = reference_point(exact, objectives, budget)
    corner = signs * np.array(list(reference.values()))
    known = set(map(tuple, points.tolist()))
    return Quality(
        reference=reference,
        exact=tuple(exact),
        found=sum(row in known for row in map(tuple, goal.tolist())),
        factor=_factor(signs * points, signs * goal, signs < 0),
        history=_history(points, corner, _hypervolume(goal, corner)),
    )


def _check_positive(records: Sequence[TrialRecord], objectives: Sequence[Objective]) -> None:
    for name in (objective.name for objective in objectives):
        if (least := min(record.value(name) for record in records)) <= 0:
            raise InputError(f"{name} is {least:g} somewhere: shares and factors need values above 0")


def reference_point(exact: Sequence[TrialRecord], objectives: Sequence[Objective], budget: Budget) -> dict[str, float]:
    """Where hypervolume is measured from, by objective: what is just not worth anything.

    A limited metric: one more than its limit, so that what is exactly at the limit still counts. A score: 0. A metric
    without a limit: twice the largest of the exact front; at that largest itself the front's end would count nothing.
    """
    return {objective.name: _reference(exact, objective, budget.limits) for objective in objectives}


def _reference(exact: Sequence[TrialRecord], objective: Objective, limits: Mapping[str, int]) -> float:
    if objective.direction == "maximize":
        return 0
    if objective.name in limits:
        return limits[objective.name] + 1
    return UNLIMITED_FACTOR * max(record.value(objective.name) for record in exact)


def _factor(values: Points, goal: Points, maximised: NDArray[np.bool_]) -> float:
    """The least factor such that every row of goal is at most so much better than some row of values, in all columns.

    The multiplicative epsilon indicator (Zitzler et al. 2003, Performance assessment of multiobjective optimizers).
    """
    from moocore import epsilon_mult

    return float(epsilon_mult(values, ref=goal, maximise=maximised))


def _history(points: Points, corner: NDArray[np.float64], whole: float) -> tuple[tuple[int, float], ...]:
    """After how many rows the share of the whole rose, and to what."""
    front, steps = points[:0], [(0, 0.0)]
    for count, point in enumerate(points, start=1):
        if (front <= point).all(axis=1).any():
            continue
        front = np.concatenate([front[(front < point).any(axis=1)], point[None]])
        share = min(1.0, _hypervolume(front, corner) / whole)  # rounding may pass 1 by a bit
        if share > steps[-1][1]:
            steps.append((count, share))
    return tuple(steps[1:])


def _hypervolume(points: Points, corner: NDArray[np.float64]) -> float:
    """Volume between points (N, K) and a corner; sorted first: equal sets have equal volumes to the last bit."""
    from moocore import hypervolume

    return float(hypervolume(np.unique(points, axis=0), ref=corner))
