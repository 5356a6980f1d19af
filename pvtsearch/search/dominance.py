"""How many points of a plane lie at or below a corner, and which is the last: for many corners at once, exactly.

The ranks of points in the second column are a permutation, whose binary digits make a wavelet tree (Grossi, Gupta and
Vitter 2003): the points in the order of the first column are parted by one digit after the other, each time stably. A
node holds the ranks that agree in the digits so far, at the places that these ranks are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

_CORNERS = 2**15  # that are looked up at once: what they need stays in the processor's cache
_INT32 = 2**31


class _Level(NamedTuple):
    """Points parted by a digit: how many with a 0 were before each place, and the weights now before each place."""

    digit: int
    zeros: Integers
    total: Integers
    places: Integers  # which point is where now


def weight_below(points: Integers, weights: Integers, corners: Integers) -> Integers:
    """For each corner (Q, 2), the sum of weights (N,) of the points (N, 2) that are at most it in both columns.

    Sums must fit 64 bits.
    """
    levels = [level._replace(places=level.places[:0]) for level in _levels(points, weights)]
    before, inside, wanted = _started(points, weights, corners)
    sums = np.zeros(len(corners), dtype=np.int64)
    for start in range(0, len(corners), _CORNERS):
        some = slice(start, start + _CORNERS)
        for _, _, weight in _segments(levels, inside[some], wanted[some], before):
            sums[some] += weight
    return sums


def point_below(points: Integers, weights: Integers, corners: Integers, targets: Integers) -> Integers:
    """For each corner, the point at most it in both columns on which the target falls, if their weights are laid out.

    The order in which they are laid out is this function's own. Each target is from 0 to below `weight_below`.
    """
    before, inside, wanted = _started(points, weights, corners)
    found = np.full(len(corners), -1)
    left = targets.copy()
    for level, node, weight in _segments(_levels(points, weights), inside, wanted, before):
        here = np.flatnonzero((found < 0) & (left < weight))
        place = np.searchsorted(level.total, before[node[here]] + left[here], side="right") - 1
        found[here] = level.places[place]
        left -= weight
    return found


def _levels(points: Integers, weights: Integers) -> Iterator[_Level]:
    """The levels of the tree, the highest digit first."""
    every = np.arange(len(points))
    places, ranks = np.argsort(points[:, 0]), np.empty_like(every)
    ranks[np.argsort(points[:, 1])] = every
    ranks = ranks[places]
    for digit in reversed(range(len(points).bit_length())):
        one = ranks >> digit & 1
        zeros = _sums(1 - one)
        node = ranks >> digit + 1 << digit + 1  # all nodes before one are full, half of their digits 0
        earlier = zeros[:-1] - (node >> 1)
        moved = node + np.where(one, every - node - earlier + (1 << digit), earlier)
        parted = np.empty_like(every)
        parted[moved] = every
        ranks, places = ranks[parted], places[parted]
        yield _Level(digit, zeros, _sums(weights[places]), places)


def _started(points: Integers, weights: Integers, corners: Integers) -> tuple[Integers, Integers, Integers]:
    """Weights before each rank; for each corner the points within its first column, and the ranks within its second."""
    order = np.argsort(points[:, 1])
    inside = places_of(np.sort(points[:, 0]), corners[:, 0])
    return _sums(weights[order]), inside, places_of(points[order, 1], corners[:, 1])


def _segments(
    levels: Iterable[_Level], inside: Integers, wanted: Integers, before: Integers
) -> Iterator[tuple[_Level, Integers, Integers]]:
    """All points below each corner, a segment per level: the place of its first, and what its points weigh.

    inside: how many places of the node that a corner has come to are within its first column.
    """
    node = np.zeros_like(inside)
    for level in levels:
        zeros = level.zeros[node + inside] - (node >> 1)
        one = wanted >> level.digit & 1
        yield level, node, one * (level.total[node + zeros] - before[node])
        inside = np.where(one, inside - zeros, zeros)
        node = node + (one << level.digit)


def places_of(ordered: Integers, values: Integers) -> Integers:
    """How many of ordered (N,) are at most each of values (Q,): a search that goes through memory in order."""
    order = np.argsort(values)
    places = np.empty(len(values), dtype=np.int64)
    places[order] = np.searchsorted(ordered, values[order], side="right")
    return places


def _sums(values: Integers) -> NDArray[Any]:
    """The sum before each place, and of all; in 32 bits where they suffice: look-ups wait for memory."""
    sums = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=sums[1:])
    return sums.astype(np.int32) if sums[-1] < _INT32 else sums


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
