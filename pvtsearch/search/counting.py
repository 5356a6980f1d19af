"""How many configurations lie within the limits, exactly, and the least and the largest cost among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from pvtsearch.analysis.table import LARGEST_EXACT
from pvtsearch.search.dominance import last_at_most, order_of, places_of, weight_below
from pvtsearch.search.halves import MAX_ROWS, PLANE, Halves, Integers, Meeting, TooManyRows
from pvtsearch.search.paths import Paths
from pvtsearch.search.problem import Problem

ONE_BY_ONE = 300_000  # networks that are looked at one by one
_INT64 = 2**63
_PORTION = 2**14  # first halves that are asked for the largest cost at once, the most promising first


class Range(NamedTuple):
    """The least and the largest value of a metric."""

    least: int
    largest: int


class Inventory(NamedTuple):
    """Configurations within a problem's limits: how many, and the range of each metric over them."""

    feasible: int
    ranges: dict[str, Range]


def count_feasible(problem: Problem, *, most: int = MAX_ROWS) -> int:
    """The exact number of configurations within a problem's limits. Raises `TooManyRows` beyond `most` table rows."""
    halves = Halves(problem, most=most)
    return sum(_pairs(meeting, partners) for meeting, partners in matched(halves))


def take_stock(problem: Problem, *, most: int = MAX_ROWS) -> Inventory:
    """The exact number of configurations within a problem's limits, and the range of each metric over them.

    By tables of halves where limits are on params and MACs, else one by one. Raises `TooManyRows` beyond `most` table
    rows, or `ONE_BY_ONE` networks: then `draws.estimate_feasible` estimates.
    """
    try:
        halves, feasible = Halves(problem, most=most), 0
    except TooManyRows:
        paths = Paths(problem)
        if paths.total > ONE_BY_ONE:
            raise
        return survey(problem, paths.costs(range(paths.total)))
    ranges = [Range(LARGEST_EXACT, -1) for _ in PLANE]
    for meeting, partners in matched(halves):
        feasible += _pairs(meeting, partners)
        met = meeting._replace(firsts=meeting.firsts.take(partners > 0))
        ranges = [_widened(known, halves, met, column) for column, known in enumerate(ranges)]
    return Inventory(feasible, dict(zip(PLANE, ranges, strict=True)) if feasible else {})


def survey(problem: Problem, costs: Integers) -> Inventory:
    """How many of these networks are within the budget, and the range of each metric over them; costs (N, metrics)."""
    metrics = list(problem.costing.metrics)
    inside = np.ones(len(costs), dtype=bool)
    for name, limit in problem.budget.limits.items():
        inside &= costs[:, metrics.index(name)] <= limit
    columns = costs[inside].T.tolist() if inside.any() else []
    ranges = {name: Range(min(column), max(column)) for name, column in zip(metrics, columns, strict=False)}
    return Inventory(int(inside.sum()), ranges)


def matched(halves: Halves) -> Iterator[tuple[Meeting, Integers]]:
    """Every meeting, and how many second halves each first half may meet."""
    for meeting in halves.meetings():
        yield meeting, partners_of(halves, meeting)


def room_for(halves: Halves, meeting: Meeting) -> Integers:
    """What each first half leaves of the limits."""
    return halves.limits - meeting.firsts.costs


def partners_of(halves: Halves, meeting: Meeting) -> Integers:
    """How many second halves each first half may meet."""
    return weight_below(meeting.seconds.costs, meeting.seconds.counts, room_for(halves, meeting))


def _pairs(meeting: Meeting, partners: Integers) -> int:
    """How many configurations a meeting is, as a Python integer."""
    counts = meeting.firsts.counts
    return int(counts @ partners if sums_fit(counts, partners) else counts.astype(object) @ partners.astype(object))


def sums_fit(counts: Integers, partners: Integers) -> bool:
    """Whether all configurations that first halves make with their partners can be summed in 64 bits."""
    return len(counts) * int(counts.max(initial=0)) * int(partners.max(initial=0)) < _INT64


def _widened(known: Range, halves: Halves, meeting: Meeting, column: int) -> Range:
    """A range of one metric, with the configurations of a meeting of which every first half has some."""
    seconds, room = meeting.seconds.costs, room_for(halves, meeting)
    if len(room) == 0 or known == _hoped(known, halves, meeting, column):
        return known
    ordered = seconds[np.lexsort((seconds[:, 1 - column], seconds[:, column]))]
    values, others = ordered[:, column], ordered[:, 1 - column]
    spent, bounds = meeting.firsts.costs[:, column], room[:, 1 - column]
    ends = places_of(values, room[:, column])
    largest = _largest(known.largest, spent, values, others, ends, bounds)
    # The least of what is in bounds of the other metric is in bounds of this one: something is in both.
    least = _largest(-known.least, -spent, -values[::-1], others[::-1], np.full_like(ends, len(values)), bounds)
    return Range(-least, largest)


def _hoped(known: Range, halves: Halves, meeting: Meeting, column: int) -> Range:
    """The range of one metric as a meeting would widen it if any of its halves could meet."""
    firsts, seconds = meeting.firsts.costs[:, column], meeting.seconds.costs[:, column]
    least, largest = int(firsts.min() + seconds.min()), int(firsts.max() + seconds.max())
    return Range(min(known.least, least), max(known.largest, min(largest, int(halves.limits[column]))))


def _largest(known: int, spent: Integers, values: Integers, others: Integers, ends: Integers, bounds: Integers) -> int:
    """The largest of known and, for each query, spent and the last value before its end whose other is in bounds."""
    hopes = spent + values[ends - 1]
    hopeful = np.flatnonzero(hopes > known)
    order = hopeful[order_of(-hopes[hopeful])]
    for start in range(0, len(order), _PORTION):
        asked = order[start : start + _PORTION]
        if hopes[asked[0]] <= known:
            break
        last = last_at_most(others, ends[asked], bounds[asked])
        known = max(known, int((spent[asked] + values[last]).max()))
    return known
