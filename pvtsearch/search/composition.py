"""How the costs and scores of stages make those of a network: the columns that an exact search works on.

A stage, and any run of stages, is a row of integer *parts*. This module alone knows what the columns are, how two runs
become one, and what a whole network's objectives are: a metric that combines in another way has its place here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.analysis.metrics import METRICS
from pvtsearch.analysis.table import LARGEST_EXACT
from pvtsearch.config import PVTConfig
from pvtsearch.errors import InputError
from pvtsearch.records import Objective
from pvtsearch.search.completions import Completions, fits
from pvtsearch.search.problem import Branch, Problem
from pvtsearch.space import Entering

Parts = NDArray[np.int64]  # (N, columns), less is better in each


class Composition:
    """The parts of a problem's stages under some objectives: objectives first, then limited metrics that are none.

    Scores are scaled to integers, rounded once per stage, and negated. The first `strict` columns are those in which a
    better part makes a better network whatever is added. Raises `InputError` for an objective that does not add up.
    """

    def __init__(self, problem: Problem, objectives: Sequence[Objective]) -> None:
        for objective in objectives:
            _check_additive(objective.name)
        self.problem = problem
        self.objectives = tuple(objectives)
        names = [objective.name for objective in objectives]
        self.columns = (*names, *(metric for metric in problem.budget.limits if metric not in names))
        self.strict = len(names)
        self._limited = [self.columns.index(metric) for metric in problem.budget.limits]
        self._completions = Completions(problem)

    @property
    def relaxable(self) -> tuple[int, ...]:
        """Objectives without a limit: what may be rounded before the network is whole."""
        return tuple(place for place in range(self.strict) if place not in self._limited)

    @property
    def nothing(self) -> Parts:
        """The parts of no stage at all, one row."""
        return np.zeros((1, len(self.columns)), dtype=np.int64)

    def parts(self, index: int, branch: Branch) -> Parts:
        """Parts of the stages of a branch, one row each."""
        return np.stack([self._part(index, branch, name) for name in self.columns], axis=1)

    def _part(self, index: int, branch: Branch, name: str) -> NDArray[np.int64]:
        if name in METRICS:
            costs: NDArray[np.int64] = branch.costs[:, list(METRICS).index(name)]
            return costs
        by_stage = SIGNALS[name].by_stage
        if by_stage is None:  # refused when this composition was made
            raise TypeError(name)
        options = self.problem.space.options[index].columns
        scores = by_stage.of_columns({column: values[branch.rows] for column, values in options.items()})
        scaled: NDArray[np.int64] = np.rint(scores * by_stage.scale).astype(np.int64)
        return -scaled

    @staticmethod
    def joined(first: Parts, second: Parts) -> Parts:
        """Parts of runs of stages, each followed by another; shapes as numpy broadcasts them."""
        return first + second

    def totals(self, parts: Parts) -> Parts:
        """The objectives of whole networks, less is better in each."""
        return parts[:, : self.strict]

    def can_end(self, template: PVTConfig, index: int, entering: Entering, parts: Parts) -> NDArray[np.bool_]:
        """Mask of the runs up to stage `index` that leave `entering` and that some completion keeps in the budget."""
        front = self._completions.front(template, index, entering)
        return fits(front, self.problem.limits - parts[:, self._limited])

    def check_range(self, largest: Sequence[int]) -> None:
        """Raise `InputError` where sums of parts, of which each column's largest is given, could pass 64 bits."""
        if max(largest) >= LARGEST_EXACT:
            raise InputError(
                f"costs of a network reach {max(largest):.1e}, beyond exact 64-bit integers: "
                "search at a smaller image size"
            )


def _check_additive(name: str) -> None:
    """Raise `InputError` for a metric or score that is no sum over stages."""
    if name in METRICS and METRICS[name].combine == "sum":
        return
    if name in SIGNALS and SIGNALS[name].by_stage is not None:
        return
    raise InputError(
        f"objectives: {name} does not combine over stages, the exact search needs that: give --method optuna"
    )


def combines(name: str) -> bool:
    """Whether the exact search can take the metric or signal called name as an objective."""
    try:
        _check_additive(name)
    except InputError:
        return False
    return True
