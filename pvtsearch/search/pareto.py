"""Fronts: which points are non-dominated, on integers or floats, all columns minimised."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pvtsearch.records import Objective, TrialRecord

Points = NDArray[Any]

_BLOCK = 256


def nondominated(points: Points) -> NDArray[np.bool_]:
    """Mask of the rows of points (N, K) that no other row dominates; of equal rows the first is kept."""
    keep = np.zeros(len(points), dtype=bool)
    if not len(points):
        return keep
    if points.shape[1] > 2:
        points = points[:, _telling(points)]
    order = np.lexsort(points.T[::-1]) if points.shape[1] else np.arange(len(points))
    ranked = points[order]
    if points.shape[1] <= 2:
        keep[order[_staircase(ranked)]] = True
    else:
        keep[order[_archive(ranked)]] = True
    return keep


def _telling(points: Points) -> list[int]:
    """Columns that decide, of those that order the rows alike only one: parameters, but not their bytes."""
    orders: dict[bytes, int] = {}
    for column, values in enumerate(points.T):
        distinct, ranks = np.unique(values, return_inverse=True)
        if len(distinct) > 1:
            orders.setdefault(ranks.tobytes(), column)
    return list(orders.values())


def _staircase(ranked: Points) -> NDArray[np.int64]:
    """Two columns at most, sorted by rows: a row stays where its last column falls below all before it."""
    if ranked.shape[1] < 2:
        return np.zeros(1, dtype=np.int64)
    lowest = np.minimum.accumulate(ranked[:, 1])
    falls = np.concatenate([[True], ranked[1:, 1] < lowest[:-1]])
    return np.flatnonzero(falls)


def _archive(ranked: Points) -> NDArray[np.int64]:
    """Any number of columns, sorted by rows: nothing later dominates, so each row meets only what was kept.

    Block by block: most rows are beaten by what earlier blocks left, all at once.
    """
    kept: list[int] = []
    archive = np.empty_like(ranked)
    for start in range(0, len(ranked), _BLOCK):
        before = len(kept)
        block = ranked[start : start + _BLOCK]
        beaten = np.any(np.all(archive[None, :before] <= block[:, None], axis=2), axis=1)
        for row in np.flatnonzero(~beaten):
            if not (archive[before : len(kept)] <= block[row]).all(axis=1).any():
                archive[len(kept)] = block[row]
                kept.append(start + int(row))
    return np.array(kept, dtype=np.int64)


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
