"""The cheapest ways to complete a half-built network: what tells, before a choice, whether it can end in budget."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pvtsearch.config import PVTConfig
from pvtsearch.search.pareto import nondominated
from pvtsearch.search.problem import Problem
from pvtsearch.space import Entering

Front = NDArray[np.int64]


class Completions:
    """For every state a network can be in between two stages, the Pareto-minimal costs of all that may follow.

    Costs are those that the budget limits, jointly: cheap in one limit and dear in another are both kept.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._known: dict[tuple[PVTConfig, int, Entering], Front] = {}

    def front(self, template: PVTConfig, index: int, entering: Entering) -> Front:
        """Pareto-minimal costs (F, K) of stages `index` and later; F is 0 where nothing legal can follow."""
        if index == len(self.problem.space.stages):
            return np.zeros((1, len(self.problem.limited)), dtype=np.int64)
        key = (template, index, entering)
        if key not in self._known:
            self._known[key] = self._combine(template, index, entering)
        return self._known[key]

    def _combine(self, template: PVTConfig, index: int, entering: Entering) -> Front:
        sums = [np.empty((0, len(self.problem.limited)), dtype=np.int64)]
        for branch in self.problem.branches(template, index, entering):
            costs = branch.costs[:, self.problem.limited]
            cheapest = costs[nondominated(costs)]
            following = self.front(template, index + 1, branch.leaving)
            pairs = np.repeat(cheapest, len(following), axis=0) + np.tile(following, (len(cheapest), 1))
            pairs = pairs[(pairs <= self.problem.limits).all(axis=1)]
            sums.append(pairs[nondominated(pairs)])
        merged = np.concatenate(sums)
        merged = merged[nondominated(merged)]
        return merged[np.lexsort(merged.T[::-1])] if merged.shape[1] else merged


def fits(front: Front, remaining: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For each row of remaining (R, K): whether some completion of the front (F, K, sorted by rows) stays within it."""
    if not len(front):
        return np.zeros(len(remaining), dtype=bool)
    match front.shape[1]:
        case 0:
            return np.ones(len(remaining), dtype=bool)
        case 1 | 2:
            # Along a sorted front the last column falls, so the last row that fits the first column is the best.
            place = np.searchsorted(front[:, 0], remaining[:, 0], side="right") - 1
            inside: NDArray[np.bool_] = front[np.maximum(place, 0), -1] <= remaining[:, -1]
            return inside & (place >= 0)
        case _:
            return np.array([(front <= row).all(axis=1).any() for row in remaining], dtype=bool)
