"""The cheapest ways to complete a half-built network: what tells, before a choice, whether it can end in budget."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.parts import Parts
from pvtsearch.config import PVTConfig
from pvtsearch.search.pareto import nondominated
from pvtsearch.search.problem import Problem
from pvtsearch.space import Entering

Front = NDArray[np.int64]


class Rests(NamedTuple):
    """Ways to complete a network: their costs as parts, and what each demands of a beginning. Sorted by demand."""

    parts: Parts
    demand: Front


class Completions:
    """For every state a network can be in between two stages, the Pareto-minimal costs of all that may follow.

    Costs are those that the budget limits, jointly: cheap in one limit and dear in another are both kept.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.algebra = problem, problem.limited_algebra
        self._known: dict[tuple[PVTConfig, int, Entering], Rests] = {}

    def front(self, template: PVTConfig, index: int, entering: Entering) -> Front:
        """Pareto-minimal demands (F, K) of stages `index` and later; F is 0 where nothing legal can follow.

        A beginning can be completed where its room is at least one of them in every column, see `fits`.
        """
        return self._rests(template, index, entering).demand

    def _rests(self, template: PVTConfig, index: int, entering: Entering) -> Rests:
        if index == len(self.problem.space.stages):
            nothing = self.algebra.nothing()[None]
            return Rests(nothing, self.algebra.demand(nothing))
        key = (template, index, entering)
        if key not in self._known:
            self._known[key] = self._combine(template, index, entering)
        return self._known[key]

    def _combine(self, template: PVTConfig, index: int, entering: Entering) -> Rests:
        found = [self.algebra.nothing()[None][:0]]
        for branch in self.problem.branches(template, index, entering):
            costs = branch.costs[:, self.problem.limited]
            cheapest = costs[nondominated(self.algebra.levels(costs))]
            following = self._rests(template, index + 1, branch.leaving).parts
            pairs = self.algebra.concatenate(cheapest[:, None], following[None])
            pairs = pairs.reshape(len(cheapest) * len(following), self.algebra.width)
            pairs = pairs[(self.algebra.total(pairs) <= self.problem.limits).all(axis=1)]
            found.append(pairs[nondominated(self.algebra.demand(pairs))])
        merged = np.concatenate(found)
        demand = self.algebra.demand(merged)
        kept = np.flatnonzero(nondominated(demand))
        order = kept[np.lexsort(demand[kept].T[::-1])] if demand.shape[1] else kept
        return Rests(merged[order], demand[order])


def fits(front: Front, room: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each row of room (R, K): whether some demand of the front (F, K, sorted by rows) stays within it."""
    if not len(front):
        return np.zeros(len(room), dtype=bool)
    match front.shape[1]:
        case 0:
            return np.ones(len(room), dtype=bool)
        case 1 | 2:
            # Along a sorted front the last column falls, so the last row that fits the first column is the best.
            place = np.searchsorted(front[:, 0], room[:, 0], side="right") - 1
            inside: NDArray[np.bool_] = front[np.maximum(place, 0), -1] <= room[:, -1]
            return inside & (place >= 0)
        case _:
            return _fits_any(front, room)


def _fits_any(front: Front, room: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The same, demand by demand; a row that has met one is asked no further."""
    inside = np.zeros(len(room), dtype=bool)
    open_rows = np.arange(len(room))
    for demand in front:
        met = (demand <= room[open_rows]).all(axis=1)
        inside[open_rows[met]] = True
        open_rows = open_rows[~met]
        if not len(open_rows):
            break
    return inside
