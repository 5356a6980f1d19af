"""How many configurations lie within the limits, exactly, and the least and the largest cost among them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pvtsearch.search.dominance import last_at_most, weight_below
from pvtsearch.search.halves import MAX_ROWS, PLANE, Halves, Integers, Meeting
from pvtsearch.search.problem import Problem

_INT64 = 2**63


class Range(NamedTuple):
    """The least and the largest value of a metric."""

    least: int
    largest: int


@dataclass(frozen=True)
class Inventory:
    """All configurations within a problem's limits: how many, and the range of each metric over them."""

    feasible: int
    ranges: dict[str, Range]


def count_feasible(problem: Problem, *, most: int = MAX_ROWS) -> int:
    """The exact number of configurations within a problem's limits. Raises `TooManyRows` beyond `most` table rows."""
    halves = Halves(problem, most=most)
    return sum(_pairs(meeting, partners_of(halves, meeting)) for meeting in halves.meetings())


def take_stock(problem: Problem, *, most: int = MAX_ROWS) -> Inventory:
    """The exact number of configurations within a problem's limits, and the range of each metric over them.

    Raises `TooManyRows` beyond `most` table rows.
    """
    halves, feasible = Halves(problem, most=most), 0
    spans: list[list[Range]] = [[] for _ in PLANE]
    for meeting in halves.meetings():
        feasible += _pairs(meeting, partners_of(halves, meeting))
        for column, found in enumerate(spans):
            found.extend(_spans(halves, meeting, column))
    ranges = {
        name: Range(min(span.least for span in found), max(span.largest for span in found))
        for name, found in zip(PLANE, spans, strict=True)
        if found
    }
    return Inventory(feasible, ranges)


def room_for(halves: Halves, meeting: Meeting) -> Integers:
    """What each first half leaves of the limits."""
    return halves.limits - meeting.firsts.costs - meeting.shifts


def partners_of(halves: Halves, meeting: Meeting) -> Integers:
    """How many second halves each first half may meet."""
    return weight_below(meeting.seconds.costs, meeting.seconds.counts, room_for(halves, meeting))


def _pairs(meeting: Meeting, partners: Integers) -> int:
    """How many configurations a meeting is, as a Python integer."""
    counts = meeting.firsts.counts
    if len(counts) * int(counts.max(initial=0)) * int(partners.max(initial=0)) < _INT64:
        return int(counts @ partners)
    return int(counts.astype(object) @ partners.astype(object))


def _spans(halves: Halves, meeting: Meeting, column: int) -> Iterator[Range]:
    """The range of one metric over a meeting's configurations within the limits; nothing where there are none."""
    seconds = meeting.seconds.costs
    ordered = seconds[np.lexsort((seconds[:, 1 - column], seconds[:, column]))]
    values, others = ordered[:, column], ordered[:, 1 - column]
    room, spent = room_for(halves, meeting), (meeting.firsts.costs + meeting.shifts)[:, column]
    ends = np.searchsorted(values, room[:, column], side="right")
    last = last_at_most(others, ends, room[:, 1 - column])
    reverse_first = last_at_most(others[::-1], np.full_like(ends, len(others)), room[:, 1 - column])
    met = np.flatnonzero(last >= 0)
    if len(met):
        first = len(others) - 1 - reverse_first[met]
        yield Range(int((spent[met] + values[first]).min()), int((spent[met] + values[last[met]]).max()))
