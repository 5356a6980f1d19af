"""Networks as rows of their stages' options: what they cost, and all of a problem's numbered without listing any."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.table import as_dict
from pvtsearch.config import PVTConfig
from pvtsearch.knobs import Rows
from pvtsearch.search.problem import Branch, Problem
from pvtsearch.space import Entering


class Path(NamedTuple):
    """A network: its template, and for each stage the row of its options."""

    template: PVTConfig
    rows: tuple[int, ...]
    cost: dict[str, int]  # by metric name


def costs_of(problem: Problem, template: PVTConfig, rows: Rows) -> list[dict[str, int]]:
    """Every metric of networks (N, stages) given by the rows of their stages' options, by a problem's tables."""
    totals = _totals(problem, template, rows).tolist()
    return [dict(zip(problem.costing.metrics, total, strict=True)) for total in totals]


def _totals(problem: Problem, template: PVTConfig, rows: Rows) -> NDArray[np.int64]:
    """These metrics as columns, (N, metrics)."""
    spent = np.tile(problem.algebra.nothing(), (len(rows), 1))
    states = {problem.start(): np.arange(len(rows))}
    for index, column in enumerate(rows.T):
        left: dict[Entering, list[Rows]] = defaultdict(list)
        for entering, networks in states.items():
            for branch in problem.branches(template, index, entering):
                mine = networks[np.isin(column[networks], branch.rows)]
                costs = branch.costs[np.searchsorted(branch.rows, column[mine])]
                spent[mine] = problem.algebra.concatenate(spent[mine], costs)
                left[branch.leaving].append(mine)
        states = {leaving: np.concatenate(each) for leaving, each in left.items()}
    return problem.algebra.total(spent)


class Paths:
    """The networks that rules and limits on stages allow, numbered from 0 to below `total`."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._known: dict[tuple[PVTConfig, int, Entering], list[int]] = {}
        start = problem.start()
        self._starts = list(accumulate((self._behind(t, 0, start) for t in problem.space.templates), initial=0))
        self.total = self._starts[-1]

    def _behind(self, template: PVTConfig, index: int, entering: Entering) -> int:
        """How many ways there are to go on from a state."""
        return 1 if index == len(self.problem.space.stages) else self._table(template, index, entering)[-1]

    def _table(self, template: PVTConfig, index: int, entering: Entering) -> list[int]:
        """How many ways there are through the branches before each one, and through all."""
        key = template, index, entering
        if key not in self._known:
            branches = self.problem.branches(*key)
            ways = (len(branch.rows) * self._behind(template, index + 1, branch.leaving) for branch in branches)
            self._known[key] = list(accumulate(ways, initial=0))
        return self._known[key]

    def path(self, number: int) -> Path:
        """The network of a number."""
        place = bisect_right(self._starts, number) - 1
        template, entering = self.problem.space.templates[place], self.problem.start()
        number -= self._starts[place]
        rows: list[int] = []
        spent = self.problem.algebra.nothing()
        for index in range(len(self.problem.space.stages)):
            branch, number = self._branch(template, index, entering, number)
            place, number = divmod(number, self._behind(template, index + 1, branch.leaving))
            rows.append(int(branch.rows[place]))
            spent = self.problem.algebra.concatenate(spent, branch.costs[place])
            entering = branch.leaving
        return Path(template, tuple(rows), as_dict(spent, self.problem.costing))

    def _branch(self, template: PVTConfig, index: int, entering: Entering, number: int) -> tuple[Branch, int]:
        """The branch that a number falls on, and the number among its own."""
        table = self._table(template, index, entering)
        place = bisect_right(table, number) - 1
        return self.problem.branches(template, index, entering)[place], number - table[place]

    def config(self, path: Path) -> PVTConfig:
        """The configuration of a path."""
        stages = (options.stages[row] for options, row in zip(self.problem.space.options, path.rows, strict=True))
        return self.problem.space.decode(path.template, tuple(stages))

    def costs(self, numbers: Sequence[int]) -> NDArray[np.int64]:
        """Every metric of many networks, (N, metrics) in the order of the problem's costing; rows are in no order."""
        exact = np.array(numbers, dtype=np.int64 if self.total <= np.iinfo(np.int64).max else object)
        found = [np.empty((0, len(self.problem.costing.metrics)), dtype=np.int64)]
        for template, (start, stop) in zip(self.problem.space.templates, pairwise(self._starts), strict=True):
            mine = exact[(exact >= start) & (exact < stop)] - start
            found.append(_totals(self.problem, template, self._rows(template, mine)))
        return np.concatenate(found)

    def _rows(self, template: PVTConfig, numbers: NDArray[Any]) -> Rows:
        """Rows of stages' options, (N, stages), of the networks of a template by their numbers among its own."""
        rows, left = np.empty((len(numbers), len(self.problem.space.stages)), dtype=np.int64), numbers.copy()
        states = {self.problem.start(): np.arange(len(numbers))}
        for index in range(rows.shape[1]):
            leaving: dict[Entering, list[Rows]] = defaultdict(list)
            for entering, networks in states.items():
                table = np.array(self._table(template, index, entering), dtype=numbers.dtype)
                places = np.searchsorted(table, left[networks], side="right") - 1
                for place, branch in enumerate(self.problem.branches(template, index, entering)):
                    here = networks[places == place]
                    behind = self._behind(template, index + 1, branch.leaving)
                    within = left[here] - table[place]
                    rows[here, index] = branch.rows[(within // behind).astype(np.int64)]
                    left[here] = within % behind
                    leaving[branch.leaving].append(here)
            states = {entering: np.concatenate(each) for entering, each in leaving.items()}
        return rows
