"""How many points of a plane lie at or below a corner, and which is the last: for many corners at once, exactly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def weight_below(points: Integers, weights: Integers, corners: Integers) -> Integers:
    """For each corner (Q, 2), the sum of weights (N,) of the points (N, 2) that are at most it in both columns.

    N is below 2^31, and sums must fit 64 bits.
    """
    sums = np.zeros(len(corners), dtype=np.int64)
    for segment in _segments(points, weights, corners):
        sums += segment.total[segment.last] - segment.total[segment.first]
    return sums


def point_below(points: Integers, weights: Integers, corners: Integers, targets: Integers) -> Integers:
    """For each corner, the point at most it in both columns on which the target falls, if their weights are laid out.

    The order in which they are laid out is this function's own. Each target is from 0 to below `weight_below`.
    """
    found = np.full(len(corners), -1)
    left = targets.copy()
    for segment in _segments(points, weights, corners):
        before = segment.total[segment.first]
        width = segment.total[segment.last] - before
        here = np.flatnonzero((found < 0) & (left < width))
        found[here] = segment.places[np.searchsorted(segment.total, before[here] + left[here], side="right") - 1]
        left -= width
    return found


class _Segment(NamedTuple):
    """Some of the points below each corner, as a span of places: from `first` to before `last`."""

    first: NDArray[np.int32]
    last: NDArray[np.int32]
    total: Integers  # weights of all places before
    places: Integers  # which point is where


def _segments(points: Integers, weights: Integers, corners: Integers) -> Iterator[_Segment]:
    """All points below each corner, in as many segments as ranks have bits.

    A wavelet matrix (Claude, Navarro and Ordóñez 2015): points in the order of the first column are parted by one bit
    after the other of their rank in the second.
    """
    places = np.argsort(points[:, 0], kind="stable")
    heights = np.sort(points[:, 1])
    ranks = np.searchsorted(heights, points[places, 1]).astype(np.int32)
    wanted = np.searchsorted(heights, corners[:, 1], side="right").astype(np.int32)  # below are the ranks less than it
    ends = np.searchsorted(points[places, 0], corners[:, 0], side="right").astype(np.int32)
    starts = np.zeros_like(ends)
    for bit in reversed(range(len(points).bit_length())):
        low = (ranks >> bit & 1) == 0
        low_before = np.concatenate([[0], np.cumsum(low)]).astype(np.int32)
        parted = np.concatenate([np.flatnonzero(low), np.flatnonzero(~low)])
        ranks, places = ranks[parted], places[parted]
        first, last = low_before[starts], low_before[ends]
        upper = (wanted >> bit & 1).astype(bool)
        yield _Segment(first, np.where(upper, last, first), np.append(0, np.cumsum(weights[places])), places)
        starts = np.where(upper, low_before[-1] + starts - first, first)
        ends = np.where(upper, low_before[-1] + ends - last, last)


def last_at_most(values: Integers, ends: Integers, bounds: Integers) -> Integers:
    """For each query, the last place before its end where a value (N,) is at most its bound; -1 where there is none.

    A tree of minima: node n covers nodes 2n and 2n + 1. The search climbs to a node with such a value and descends.
    """
    leaves = 1 << len(values).bit_length()  # more than values: every end is a leaf
    tree = np.full(2 * leaves, np.iinfo(np.int64).max)
    tree[leaves : leaves + len(values)] = values
    width = leaves
    while width > 1:
        width //= 2
        tree[width : 2 * width] = tree[2 * width : 4 * width].reshape(-1, 2).min(axis=1)
    nodes = _climbed(tree, ends + leaves, bounds)
    while (inner := (nodes > 0) & (nodes < leaves)).any():
        right = 2 * nodes[inner] + 1
        nodes[inner] = np.where(tree[right] <= bounds[inner], right, right - 1)
    return np.where(nodes > 0, nodes - leaves, -1)


def _climbed(tree: Integers, nodes: Integers, bounds: Integers) -> Integers:
    """The last node before each of nodes, among those that cover all before it, with a value in bounds; 0 for none."""
    found = np.zeros(len(nodes), dtype=np.int64)
    while (climbing := (nodes > 1) & (found == 0)).any():
        hits = climbing & (nodes % 2 == 1) & (tree[np.maximum(nodes - 1, 0)] <= bounds)
        found[hits] = nodes[hits] - 1
        nodes = np.where(climbing, nodes // 2, nodes)
    return found
