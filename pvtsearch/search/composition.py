"""How the costs and scores of stages make those of a network: the columns that an exact search works on.

A stage, and any run of stages, is a row of integer *parts* (`analysis.parts`). This module alone knows which columns
are whose, when one beginning of a network is as good as another, and what a whole network's objectives are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.analysis.metrics import METRICS
from pvtsearch.analysis.parts import Algebra, Combine, Parts
from pvtsearch.analysis.table import LARGEST_EXACT
from pvtsearch.config import PVTConfig
from pvtsearch.errors import InputError
from pvtsearch.records import Objective
from pvtsearch.search.completions import Completions, fits
from pvtsearch.search.problem import Branch, Problem
from pvtsearch.space import Entering

Points = NDArray[np.int64]  # (N, objectives), less is better in each


class Composition:
    """The parts of a problem's stages under some objectives: those that add up first, then peaks, then mere limits.

    Scores are scaled to integers, rounded once per stage, and negated. In the first `strict` columns of `levels` and
    `spent` a better value makes a better network whatever is added; what a peak is made of may be hidden under a higher
    one. Raises `InputError` for an objective that does not combine over stages.
    """

    def __init__(self, problem: Problem, objectives: Sequence[Objective]) -> None:
        for objective in objectives:
            check_combines(objective.name)
        self.problem = problem
        self.objectives = tuple(objectives)
        asked = [objective.name for objective in objectives]
        sums = [name for name in asked if combine_of(name) == "sum"]
        peaks = [name for name in asked if name not in sums]
        self.names = (*sums, *peaks, *(metric for metric in problem.budget.limits if metric not in asked))
        self.strict = len(sums)
        self.algebra = Algebra(tuple(combine_of(name) for name in self.names))
        self._asked = [self.names.index(name) for name in asked]
        self._relaxable = tuple(place for place, name in enumerate(sums) if name not in problem.budget.limits)
        every = np.arange(self.algebra.width)
        places = [every[self.algebra.columns[self.names.index(metric)]] for metric in problem.budget.limits]
        self._limited = np.concatenate([every[:0], *places])
        self._completions = Completions(problem)

    @property
    def relaxable(self) -> tuple[int, ...]:
        """Columns of objectives that add up and have no limit: what may be rounded before the network is whole."""
        return self._relaxable

    @property
    def sums(self) -> tuple[int, ...]:
        """Columns of parts that are sums: the strict ones first."""
        return tuple(
            c.start for c, combine in zip(self.algebra.columns, self.algebra.combines, strict=True) if combine == "sum"
        )

    def tops(self, largest: NDArray[np.float64]) -> NDArray[np.float64]:
        """What each column of a network within the limits is at most, where `largest` is what any network has."""
        tops = largest.copy()
        for name, limit in zip(self.problem.budget.limits, self.problem.limits, strict=True):
            if combine_of(name) == "sum":
                place = self.algebra.columns[self.names.index(name)]
                tops[place] = np.minimum(tops[place], limit)
        return tops

    @property
    def nothing(self) -> Parts:
        """The parts of no stage at all, one row."""
        return self.algebra.nothing()[None]

    def parts(self, index: int, branch: Branch) -> Parts:
        """Parts of the stages of a branch, one row each."""
        return np.concatenate([self._part(index, branch, name) for name in self.names], axis=1)

    def _part(self, index: int, branch: Branch, name: str) -> Parts:
        costing = self.problem.costing
        if name in METRICS:
            costs: Parts = branch.costs[:, costing.algebra.columns[costing.metrics.index(name)]]
            return costs
        by_stage = SIGNALS[name].by_stage
        if by_stage is None:  # refused when this composition was made
            raise TypeError(name)
        options = self.problem.space.options[index].columns
        columns = {column: values[branch.rows] for column, values in options.items()}
        scores = by_stage.of_columns(index, columns, self.problem.frame)
        scaled: Parts = np.rint(scores * by_stage.scale).astype(np.int64)
        return -scaled[:, None]

    def joined(self, first: Parts, second: Parts) -> Parts:
        """Parts of runs of stages, each followed by another; shapes as numpy broadcasts them."""
        return self.algebra.concatenate(first, second)

    def levels(self, parts: Parts) -> Parts:
        """What decides how good a run of stages is, wherever it stands; less is better in each column."""
        return self.algebra.levels(parts)

    def spent(self, parts: Parts) -> Parts:
        """What decides how good a beginning of a network is: fewer columns than `levels`, so more is forgotten."""
        return -self.algebra.room(parts, np.zeros(len(self.names), dtype=np.int64))

    def totals(self, parts: Parts) -> Points:
        """The objectives of whole networks."""
        return self.algebra.total(parts)[:, self._asked]

    def can_end(self, template: PVTConfig, index: int, entering: Entering, parts: Parts) -> NDArray[np.bool_]:
        """Mask of the runs up to stage `index` that leave `entering` and that some completion keeps in the budget."""
        front = self._completions.front(template, index, entering)
        return fits(front, self.problem.limited_algebra.room(parts[:, self._limited], self.problem.limits))

    def check_range(self, largest: Sequence[int]) -> None:
        """Raise `InputError` where sums of parts, of which each column's largest is given, could pass 64 bits."""
        if max(largest) >= LARGEST_EXACT:
            raise InputError(
                f"costs of a network reach {max(largest):.1e}, beyond exact 64-bit integers: "
                "search at a smaller image size"
            )


def combine_of(name: str) -> Combine:
    """How the parts of a metric or of a signal's score combine; scores add up."""
    return METRICS[name].combine if name in METRICS else "sum"


def check_combines(name: str) -> None:
    """Raise `InputError` for a score that is no sum over stages."""
    if name not in METRICS and (name not in SIGNALS or SIGNALS[name].by_stage is None):
        raise InputError(
            f"objectives: {name} does not combine over stages, the exact search needs that: give --method optuna"
        )


def combines(name: str) -> bool:
    """Whether the exact search can take the metric or signal called name as an objective."""
    try:
        check_combines(name)
    except InputError:
        return False
    return True
