"""Fronts: which points are non-dominated, on integers or floats, all columns minimised.

Rows sorted lexicographically can only be dominated by earlier ones, and then only in the columns after the first. So a
table is halved: the front of the first half removes rows of the second, and both halves are tables again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pvtsearch.records import Objective, TrialRecord

Points = NDArray[Any]

_SMALL = 96  # rows that are compared all with all
_BLOCK = 1024  # rows of an archive that one table of bits is made of
_WORD = 64


def nondominated(points: Points) -> NDArray[np.bool_]:
    """Mask of the rows of points (N, K) that no other row dominates; of equal rows the first is kept."""
    points = points[:, _telling(points)]
    order, group = _ranked(points, points.shape[1])
    first = np.flatnonzero(np.diff(group, prepend=-1))
    keep = np.zeros(len(points), dtype=bool)
    if len(first):
        order = order[first]
        keep[order[_unbeaten(points[order], np.arange(len(order)))]] = True
    return keep


def _telling(points: Points) -> list[int]:
    """Columns that decide, of those that order the rows alike only the first: parameters, but not their bytes."""
    if not len(points) or points.shape[1] <= 2:
        return list(range(points.shape[1]))
    orders: dict[bytes, int] = {}
    for column, values in enumerate(points.T):
        distinct, ranks = np.unique(values, return_inverse=True)
        if len(distinct) > 1:
            orders.setdefault(ranks.tobytes(), column)
    return list(orders.values())


def undominated(points: Points, strict: int) -> NDArray[np.bool_]:
    """Mask of the rows of points (N, K) that no other row beats.

    One row beats another where it is no worse in any column and better in one of the first `strict`. So rows that tie
    in these are all kept unless a third one beats them; with `strict` 0 all are.
    """
    keep = np.zeros(len(points), dtype=bool)
    if len(points):
        telling = _telling(points)
        points, strict = points[:, telling], sum(column < strict for column in telling)
        order, group = _ranked(points, strict)
        keep[order[_unbeaten(points[order], group)]] = True
    return keep


def _ranked(points: Points, strict: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order by rows, and in that order the number of each row's group: rows that agree in the first `strict`."""
    order = np.lexsort(points.T[::-1]) if points.shape[1] else np.arange(len(points))
    group = np.zeros(len(points), dtype=np.int64)
    for column in points.T[:strict]:
        group[1:] |= np.diff(column[order]) != 0
    return order, np.cumsum(group)


def _unbeaten(ranked: Points, group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places of the rows that no row of an earlier group is at least as good as, in all columns."""
    if group[0] == group[-1]:
        return np.arange(len(ranked))
    if ranked.shape[1] <= 2:
        return _staircase(ranked, group)
    if len(ranked) <= _SMALL:
        return _compared(ranked, group)
    middle = _boundary(group)
    first = _unbeaten(ranked[:middle], group[:middle])
    rest = middle + np.flatnonzero(~reached(ranked[first, 1:], ranked[middle:, 1:]))
    if not len(rest):
        return first
    return np.concatenate([first, rest[_unbeaten(ranked[rest], group[rest])]])


def _boundary(group: NDArray[np.int64]) -> int:
    """Where a group begins, near the middle and after the start."""
    half = group[len(group) // 2]
    start = int(np.searchsorted(group, half))
    return start or int(np.searchsorted(group, half, side="right"))


def _staircase(ranked: Points, group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Two columns at most: a row stays where its last column is below all of earlier groups."""
    if ranked.shape[1] < 2:
        return np.flatnonzero(group == group[0])
    lowest = np.minimum.accumulate(ranked[:, 1])
    start = np.searchsorted(group, group)
    return np.flatnonzero((start == 0) | (ranked[:, 1] < lowest[start - 1]))


def _compared(ranked: Points, group: NDArray[np.int64]) -> NDArray[np.int64]:
    """A few rows, all compared with all."""
    beats = group[:, None] < group[None, :]
    for column in ranked.T[1:]:
        beats &= column[:, None] <= column[None, :]
    return np.flatnonzero(~beats.any(axis=0))


def reached(archive: Points, queries: Points) -> NDArray[np.bool_]:
    """For each query (Q, K): whether some row of archive (A, K) is at most it, in every column; A and K at least 1."""
    match archive.shape[1]:
        case 1:
            above: NDArray[np.bool_] = queries[:, 0] >= archive.min()
            return above
        case 2:
            return _above_staircase(archive, queries)
        case _:
            mask = np.zeros(len(queries), dtype=bool)
            for start in range(0, len(archive), _BLOCK):
                left = np.flatnonzero(~mask)
                mask[left] = _reached_by_bits(archive[start : start + _BLOCK], queries[left])
            return mask


def _above_staircase(archive: Points, queries: Points) -> NDArray[np.bool_]:
    steps = archive[nondominated(archive)]
    steps = steps[np.argsort(steps[:, 0])]
    place = np.searchsorted(steps[:, 0], queries[:, 0], side="right") - 1
    above: NDArray[np.bool_] = steps[np.maximum(place, 0), 1] <= queries[:, 1]
    return above & (place >= 0)


def _reached_by_bits(archive: Points, queries: Points) -> NDArray[np.bool_]:
    """A bit per row of archive: for each column the rows at most a query's value; their intersection is asked for."""
    words = -(-len(archive) // _WORD)
    common = np.full((len(queries), words), ~np.uint64(0))
    for column in range(archive.shape[1]):
        order = np.argsort(archive[:, column], kind="stable")
        bits = np.zeros((len(archive) + 1, words), dtype=np.uint64)
        bits[np.arange(1, len(archive) + 1), order // _WORD] = np.uint64(1) << (order % _WORD).astype(np.uint64)
        np.bitwise_or.accumulate(bits, axis=0, out=bits)
        common &= bits[np.searchsorted(archive[order, column], queries[:, column], side="right")]
    mask: NDArray[np.bool_] = (common != 0).any(axis=1)
    return mask


def minimised(records: Sequence[TrialRecord], objectives: Sequence[Objective]) -> Points:
    """Objective values of records, shape (N, K), signs turned so that less is better."""
    signs = [1 if objective.direction == "minimize" else -1 for objective in objectives]
    rows = [[s * r.value(o.name) for s, o in zip(signs, objectives, strict=True)] for r in records]
    return np.array(rows, dtype=np.float64).reshape(-1, len(signs))


def front_of(records: Sequence[TrialRecord], objectives: Sequence[Objective]) -> tuple[TrialRecord, ...]:
    """The non-dominated records, one per point of the front, sorted by the objectives in turn.

    Of records that tie in all objectives the one whose head dims are nearest 64 stands for them, then the earliest.
    """
    preferred = sorted(records, key=lambda record: (_head_dim_distance(record), record.trial))
    points = minimised(preferred, objectives)
    front = np.flatnonzero(nondominated(points))
    ranked = front[np.lexsort(points[front].T[::-1])]
    return tuple(preferred[row] for row in ranked)


def _head_dim_distance(record: TrialRecord) -> int:
    return sum(abs(stage.head_dim - 64) for stage in record.config.stages)
