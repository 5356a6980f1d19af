"""Uniform draws from the configurations within a problem's limits, and an estimate where they are too many to count."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pvtsearch.config import PVTConfig
from pvtsearch.errors import InputError, NothingFeasible
from pvtsearch.knobs import Rows
from pvtsearch.search.counting import Range, matched, room_for, sums_fit, survey
from pvtsearch.search.dominance import point_below
from pvtsearch.search.halves import COLUMNS, MAX_ROWS, Halves, Integers, Meeting, TooManyRows
from pvtsearch.search.paths import Path, Paths
from pvtsearch.search.problem import Branch, Problem
from pvtsearch.search.question import is_feasible, nothing_feasible
from pvtsearch.space import Entering

Z_95 = 1.959963984540054  # two-sided 95 % of a normal distribution
ESTIMATE_DRAWS = 100_000
MAX_MISSES = 1_000_000


@dataclass(frozen=True)
class Estimate:
    """How many configurations lie within the limits, from so many uniform draws, with a 95 % interval (Wilson 1927).

    ranges: of each metric over the draws that are within the limits.
    """

    feasible: int
    low: int
    high: int
    draws: int
    ranges: dict[str, Range]


def uniform_draws(problem: Problem, count: int, *, seed: int, most: int = MAX_ROWS) -> list[PVTConfig]:
    """`count` configurations within a problem's limits, drawn uniformly and independently, with replacement.

    By counting what lies behind each choice; where tables for that would pass `most` rows, by rejection of draws from
    the whole space. Raises `NothingFeasible` where there is nothing, or where rejection finds hardly anything.
    """
    if count < 0:
        raise InputError(f"count must be at least 0, got {count}")
    if not is_feasible(problem):
        raise nothing_feasible(problem)
    rng = random.Random(seed)  # noqa: S311  statistics, no secret
    try:
        return _counted_draws(Halves(problem, most=most), count, rng)
    except TooManyRows:
        paths = Paths(problem)
        return [paths.config(path) for path in islice(_accepted(paths, rng), count)]


def estimate_feasible(problem: Problem, *, seed: int = 0, draws: int = ESTIMATE_DRAWS) -> Estimate:
    """An unbiased estimate of the number of configurations within a problem's limits."""
    paths, rng = Paths(problem), random.Random(seed)  # noqa: S311  statistics, no secret
    numbers = [rng.randrange(paths.total) for _ in range(draws if paths.total else 0)]
    hits, ranges = survey(problem, paths.costs(numbers))
    low, high = _wilson(hits, draws)
    return Estimate(paths.total * hits // draws, int(paths.total * low), math.ceil(paths.total * high), draws, ranges)


def _wilson(hits: int, draws: int) -> tuple[float, float]:
    """The 95 % interval of a share."""
    share, weight = hits / draws, Z_95**2 / draws
    middle = (share + weight / 2) / (1 + weight)
    half = Z_95 / (1 + weight) * math.sqrt(share * (1 - share) / draws + weight / (4 * draws))
    return max(0.0, middle - half), min(1.0, middle + half)


def _admits(problem: Problem, path: Path) -> bool:
    return problem.budget.admits(path.cost)


def _accepted(paths: Paths, rng: random.Random) -> Iterator[Path]:
    """Draws from all networks that are within the limits."""
    misses = 0
    while misses < MAX_MISSES:
        path = paths.path(rng.randrange(paths.total))
        misses += 1
        if _admits(paths.problem, path):
            misses = 0
            yield path
    raise NothingFeasible(
        f"{paths.problem.space.name}: of {misses:,} draws in a row none was within the limits: raise the budget"
    )


def _counted_draws(halves: Halves, count: int, rng: random.Random) -> list[PVTConfig]:
    """Draws through the halves: a first half in proportion to what it may meet, then one of these."""
    layouts = [_laid_out(meeting, partners) for meeting, partners in matched(halves)]
    starts = list(accumulate((int(layout[-1]) for layout in layouts), initial=0))
    targets = sorted((rng.randrange(starts[-1]), number) for number in range(count))
    members = {template: _Members(halves.problem, template, rng) for template in halves.problem.space.templates}
    drawn: dict[int, PVTConfig] = {}
    for place, meeting in enumerate(halves.meetings()):
        mine = [(t - starts[place], number) for t, number in targets if starts[place] <= t < starts[place + 1]]
        if mine:
            rows = _met(halves, meeting, layouts[place], [target for target, _ in mine])
            config = members[meeting.template].config
            drawn |= {number: config(row) for (_, number), row in zip(mine, rows.tolist(), strict=True)}
    return [drawn[number] for number in range(count)]


def _laid_out(meeting: Meeting, partners: Integers) -> NDArray[Any]:
    """How many configurations the first halves up to each one make; Python integers where a sum could be too large."""
    counts = meeting.firsts.counts
    return np.cumsum(counts * partners) if sums_fit(counts, partners) else np.cumsum(counts * partners.astype(object))


def _met(halves: Halves, meeting: Meeting, layout: NDArray[Any], targets: list[int]) -> NDArray[np.int32]:
    """Rows of the stages of the network that each target falls on, shape (targets, stages)."""
    first = np.searchsorted(layout, np.array(targets, dtype=object), side="right")
    before = np.where(first > 0, layout[first - 1], 0)
    # A first half that stands for several takes as many rounds through what it may meet.
    partners = (layout[first] - before) // meeting.firsts.counts[first]
    within = ((np.array(targets, dtype=object) - before) % partners).astype(np.int64)
    seconds = meeting.seconds
    second = point_below(seconds.costs, seconds.counts, room_for(halves, meeting)[first], within)
    return np.concatenate([meeting.firsts.rows[first], seconds.rows[second]], axis=1)


class _Members:
    """The configurations of a template that a row per stage stands for: all stages of the state that cost the same."""

    def __init__(self, problem: Problem, template: PVTConfig, rng: random.Random) -> None:
        self.problem, self.template, self.rng = problem, template, rng
        self._known: dict[tuple[int, Entering, int], tuple[Rows, Entering]] = {}

    def config(self, rows: list[int]) -> PVTConfig:
        """One of these configurations, each with the same chance."""
        entering, stages = self.problem.start(), []
        for index, row in enumerate(rows):
            key = index, entering, row
            if key not in self._known:
                self._known[key] = _alike(self.problem.branches(self.template, index, entering), row)
            alike, entering = self._known[key]
            stages.append(self.problem.space.options[index].stages[alike[self.rng.randrange(len(alike))]])
        return self.problem.space.decode(self.template, tuple(stages))


def _alike(branches: Sequence[Branch], row: int) -> tuple[Rows, Entering]:
    """The rows of a branch that cost what row does, and the state that they leave."""
    branch = next(branch for branch in branches if row in branch.rows)
    place = int(np.flatnonzero(branch.rows == row)[0])
    same = (branch.costs[:, COLUMNS] == branch.costs[place, COLUMNS]).all(axis=1)
    return branch.rows[same], branch.leaving
