"""Which limits no completion of a half-built network can break any more: they need not tell one from another.

The most that a rest can ask for is the demand of the largest parts that any rest has, column by column. Bytes of
parameters are in a network's memory throughout, but a limit on parameters holds too: so what a rest asks for is also
looked at less so many bytes for each parameter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pvtsearch.analysis.parts import Algebra, Parts
from pvtsearch.analysis.table import LARGEST_EXACT
from pvtsearch.search.choices import Choices
from pvtsearch.search.composition import Points, combine_of
from pvtsearch.space import Entering


class _Limit(NamedTuple):
    """A limit on a metric that is no objective, and how much of it one of a limited sum may stand for."""

    algebra: Algebra  # of the metric
    columns: slice  # of parts
    seen: slice  # of `Composition.spent`
    most: int
    sum_column: int
    sum_most: int
    rate: int  # of the metric, for one of the sum

    def parts(self, parts: Parts) -> Parts:
        """The metric's parts, (N, columns), less what the sum stands for."""
        own = parts[:, self.columns].copy()
        own[:, 0] -= self.rate * parts[:, self.sum_column]
        return own

    def room(self, parts: Parts) -> Points:
        """What is left of the limit after a beginning, less all that the rest of the sum may stand for."""
        left = self.algebra.room(parts[:, self.columns], np.array([self.most]))
        return left - self.rate * (self.sum_most - parts[:, self.sum_column, None])


class Slack:
    """What tells which limits still matter to beginnings of a template's networks."""

    def __init__(self, choices: Choices) -> None:
        self._choices, self._composition = choices, choices.composition
        self._limits = _limits(choices)
        self._rests: dict[tuple[int, Entering], list[Parts]] = {}

    def spent(self, index: int, entering: Entering) -> Callable[[Parts], Points]:
        """`Composition.spent` of beginnings before stage `index` that leave `entering`, for what still matters.

        Where a limit cannot be broken any more its columns are all alike, and below all others.
        """
        demands = [
            each.algebra.demand(rest) for each, rest in zip(self._limits, self._rest(index, entering), strict=True)
        ]

        def spent(parts: Parts) -> Points:
            known = self._composition.spent(parts)
            for limit, demand in zip(self._limits, demands, strict=True):
                known[:, limit.seen][limit.room(parts) >= demand] = -LARGEST_EXACT
            return known

        return spent

    def _rest(self, index: int, entering: Entering) -> list[Parts]:
        """For each limit the largest parts, column by column, that any rest from stage `index` on has."""
        if index > self._choices.last:
            return [limit.algebra.nothing() for limit in self._limits]
        if (index, entering) not in self._rests:
            largest = [limit.algebra.nothing() for limit in self._limits]
            for choice in self._choices.after(index, entering):
                for place, rest in enumerate(self._rest(index + 1, choice.leaving)):
                    limit = self._limits[place]
                    joined = limit.algebra.concatenate(limit.parts(choice.stages.parts), rest)
                    largest[place] = np.maximum(largest[place], joined.max(axis=0))
            self._rests[index, entering] = largest
        return self._rests[index, entering]


def _limits(choices: Choices) -> list[_Limit]:
    """The limits on what is no objective, each with the limited sum that may stand for most of its metric.

    Without those on what also runs on the way back: less of it can be asked for by larger parts.
    """
    composition, limits = choices.composition, choices.problem.budget.limits
    asked = [objective.name for objective in composition.objectives]
    columns = dict(zip(composition.names, composition.algebra.columns, strict=True))
    found, start = list[_Limit](), 0
    for name, combine in zip(composition.names, composition.algebra.combines, strict=True):
        algebra = Algebra((combine,))
        seen = slice(start, start := start + algebra.demand(algebra.nothing()).shape[-1])
        if name in limits and name not in asked and combine != "round_trip":
            most = min(limits[name], LARGEST_EXACT)
            ways = [_Limit(algebra, columns[name], seen, most, 0, 0, 0)]
            for other, column in columns.items():
                if other in limits and combine_of(other) == "sum" and other != name:
                    rate = choices.rate(columns[name].start, column.start)
                    if rate * limits[other] < most and rate * choices.largest[column.start] < LARGEST_EXACT:
                        ways.append(_Limit(algebra, columns[name], seen, most, column.start, limits[other], rate))
            found.append(ways[-1])
    return found
