"""Two halves of every network within the limits: tables of first halves, tables of second halves, and which may meet.

Of a first half the second needs to know only the state it leaves; and where all that this state adds to the costs of
second halves is a constant, they share one table and each first half carries its shift.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.metrics import METRICS
from pvtsearch.analysis.table import LARGEST_EXACT
from pvtsearch.config import PVTConfig
from pvtsearch.errors import InputError, PvtsearchError
from pvtsearch.search.completions import Completions, fits
from pvtsearch.search.problem import Branch, Problem
from pvtsearch.space import Entering

PLANE = ("params", "macs")
MAX_ROWS = 20_000_000

COLUMNS = [list(METRICS).index(name) for name in PLANE]

Integers = NDArray[np.int64]


class TooManyRows(PvtsearchError):
    """Halves of these networks are too many for a table, or limits are on other metrics than those of the plane."""


@dataclass(frozen=True)
class Runs:
    """N runs of consecutive stages: their costs in the plane, how many configurations each is, rows of stages' options.

    Stages of equal costs that leave one state are one run, written with the rows of the first of them.
    """

    costs: Integers  # (N, 2)
    counts: Integers  # (N,)
    rows: NDArray[np.int32]  # (N, stages)

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, places: Integers | NDArray[np.bool_]) -> Runs:
        """These runs."""
        return Runs(self.costs[places], self.counts[places], self.rows[places])


def runs_of(branch: Branch) -> Runs:
    """The stages of a branch, those of equal costs as one."""
    costs, first, counts = np.unique(branch.costs[:, COLUMNS], axis=0, return_index=True, return_counts=True)
    return Runs(costs, counts, branch.rows[first, None].astype(np.int32))


class Meeting(NamedTuple):
    """First and second halves: a pair is a network of the space, within the limits where the sum of their costs is.

    Second halves begin at the state that a first half leaves, `entering` by `entering`, and are told by their rows.
    """

    template: PVTConfig
    firsts: Runs  # with the costs of second halves that depend on the state
    seconds: Runs


class Halves:
    """The halves of a problem's networks, as meetings. Raises `TooManyRows` where a table would pass `most` rows."""

    def __init__(self, problem: Problem, *, most: int = MAX_ROWS) -> None:
        self.problem, self.most = problem, most
        if not problem.budget.limits.keys() <= set(PLANE):
            raise TooManyRows(
                f"limits beyond {' and '.join(PLANE)} are counted by no table: estimate_feasible estimates"
            )
        known = problem.budget.limits
        self.limits = np.array([min(known.get(name, LARGEST_EXACT), LARGEST_EXACT) for name in PLANE], dtype=np.int64)
        self._unlimited = [column for column, name in enumerate(PLANE) if name not in known]
        self._completions = Completions(problem)
        self._tails: dict[tuple[PVTConfig, int, Entering], Runs] = {}

    def meetings(self) -> Iterator[Meeting]:
        """Each network within the limits is a pair of exactly one meeting."""
        sizes = [len(options.stages) for options in self.problem.space.options]
        middle = min(range(len(sizes)), key=lambda index: max(math.prod(sizes[:index]), math.prod(sizes[index:])))
        if max(math.prod(sizes[:middle]), math.prod(sizes[middle:])) >= LARGEST_EXACT:
            raise TooManyRows("halves beyond 64 bits")
        for template in self.problem.space.templates:
            yield from self._meetings(template, middle)

    def _meetings(self, template: PVTConfig, middle: int) -> Iterator[Meeting]:
        shared: dict[tuple[Entering, bytes], tuple[Runs, list[tuple[Runs, Integers]]]] = {}
        for entering, firsts in self._firsts(template, middle).items():
            for branch in self.problem.branches(template, middle, entering):
                runs = runs_of(branch)
                shift = runs.costs.min(axis=0)
                runs = Runs(runs.costs - shift, runs.counts, runs.rows)
                key = branch.leaving, runs.costs.tobytes() + runs.counts.tobytes() + runs.rows.tobytes()
                shared.setdefault(key, (runs, []))[1].append((firsts, shift))
        for (leaving, _), (runs, users) in shared.items():
            firsts = _stacked([Runs(each.costs + shift, each.counts, each.rows) for each, shift in users])
            room = self.limits - firsts.costs.min(axis=0)
            seconds = self._joined(runs, self._tail(template, middle + 1, leaving), room)
            if len(seconds):
                yield Meeting(template, firsts, seconds)

    def _firsts(self, template: PVTConfig, middle: int) -> dict[Entering, Runs]:
        """First halves that some completion keeps within the limits, by the state they leave."""
        layer = {self.problem.start(): _nothing()}
        for index in range(middle):
            tables: dict[Entering, list[Runs]] = {}
            for entering, runs in layer.items():
                for branch in self.problem.branches(template, index, entering):
                    joined = self._joined(runs, runs_of(branch), self.limits)
                    tables.setdefault(branch.leaving, []).append(self._completed(template, index + 1, branch, joined))
            layer = {leaving: runs for leaving, each in tables.items() if len(runs := _stacked(each))}
            self._check(sum(map(len, layer.values())))
        return layer

    def _completed(self, template: PVTConfig, index: int, branch: Branch, runs: Runs) -> Runs:
        front = self._completions.front(template, index, branch.leaving)
        limited = [PLANE.index(metric) for metric in self.problem.budget.limits]  # sums: a metric is a column
        return runs.take(fits(front, self.problem.limits - runs.costs[:, limited]))

    def _tail(self, template: PVTConfig, index: int, entering: Entering) -> Runs:
        """All runs of stages from `index` to the last that may follow a state, and are within the limits alone."""
        if index == len(self.problem.space.stages):
            return _nothing()
        key = (template, index, entering)
        if key not in self._tails:
            stages = len(self.problem.space.stages) - index
            tables = [Runs(np.zeros((0, 2), np.int64), np.zeros(0, np.int64), np.empty((0, stages), np.int32))]
            for branch in self.problem.branches(template, index, entering):
                following = self._tail(template, index + 1, branch.leaving)
                tables.append(self._joined(runs_of(branch), following, self.limits))
            self._tails[key] = _stacked(tables)
        return self._tails[key]

    def _joined(self, runs: Runs, others: Runs, limits: Integers) -> Runs:
        """Each run followed by each of others, as far as the sum is within limits."""
        self._check(len(runs) * len(others))
        sums = [np.add.outer(*columns) for columns in zip(runs.costs.T, others.costs.T, strict=True)]
        if any(sums[column].max(initial=0) > LARGEST_EXACT for column in self._unlimited):
            # Sums of two cannot pass 64 bits, later ones could.
            raise InputError("costs of a network go beyond exact 64-bit integers: give a smaller image size")
        places = np.flatnonzero((sums[0] <= limits[0]) & (sums[1] <= limits[1]))
        first, second = np.divmod(places, max(1, len(others)))
        return Runs(
            np.stack([column.ravel()[places] for column in sums], axis=1),
            runs.counts[first] * others.counts[second],
            np.concatenate([runs.rows[first], others.rows[second]], axis=1),
        )

    def _check(self, rows: int) -> None:
        if rows > self.most:
            raise TooManyRows(
                f"a table of {rows:,} rows is needed, most is {self.most:,}: give more, or estimate_feasible"
            )


def _nothing() -> Runs:
    """The one run of no stage."""
    return Runs(np.zeros((1, 2), np.int64), np.ones(1, np.int64), np.empty((1, 0), np.int32))


def _stacked(tables: Sequence[Runs]) -> Runs:
    """One table below the other; at least one."""
    return Runs(
        np.concatenate([table.costs for table in tables]),
        np.concatenate([table.counts for table in tables]),
        np.concatenate([table.rows for table in tables]),
    )
