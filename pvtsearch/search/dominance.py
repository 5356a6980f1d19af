"""How many points of a plane lie at or below a corner, and which is the last: for many corners at once, exactly.

The ranks of points in the second column are a permutation, whose digits make a wavelet tree (Grossi, Gupta and Vitter
2003): the points in the order of the first column are parted by one digit after the other, each time stably. A node
holds the ranks that agree in the digits so far, at the places that these ranks are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

_BITS = 2  # of a digit where only weights are asked for: fewer levels, larger tables
_CORNERS = 2**15  # that are looked up at once: what they need stays in the processor's cache
_INT32 = 2**31


class _Level(NamedTuple):
    """N points parted by a digit: for each of its values a row (N + 1) of sums over the points before each place."""

    shift: int
    same: NDArray[np.int32]  # how many have this value
    less: NDArray[Any]  # what those weigh that have a smaller one
    places: Integers  # which point is where when they are parted


def weight_below(points: Integers, weights: Integers, corners: Integers) -> Integers:
    """For each corner (Q, 2), the sum of weights (N,) of the points (N, 2) that are at most it in both columns.

    Sums must fit 64 bits.
    """
    levels = [level._replace(places=level.places[:0]) for level in _levels(points, weights, _BITS)]
    inside, wanted = _started(points, corners)
    sums = np.zeros(len(corners), dtype=np.int64)
    for start in range(0, len(corners), _CORNERS):
        some = slice(start, start + _CORNERS)
        for _, _, weight in _segments(levels, inside[some], wanted[some]):
            sums[some] += weight
    return sums


def point_below(points: Integers, weights: Integers, corners: Integers, targets: Integers) -> Integers:
    """For each corner, the point at most it in both columns on which the target falls, if their weights are laid out.

    The order in which they are laid out is this function's own. Each target is from 0 to below `weight_below`.
    """
    found = np.full(len(corners), -1)
    left = targets.copy()
    for level, node, weight in _segments(_levels(points, weights, 1), *_started(points, corners)):
        here = np.flatnonzero((found < 0) & (left < weight))
        total = _sums(weights[level.places])  # those of digit 0 are first in their node
        found[here] = level.places[np.searchsorted(total, total[node[here]] + left[here], side="right") - 1]
        left -= weight
    return found


def _levels(points: Integers, weights: Integers, bits: int) -> Iterator[_Level]:
    """The levels of the tree, the highest digit first."""
    every, digits = np.arange(len(points)), 2**bits
    kind = np.int32 if weights.sum() < _INT32 else np.int64  # look-ups wait for memory
    places, ranks = order_of(points[:, 0]), np.empty_like(every)
    ranks[order_of(points[:, 1])] = every
    ranks = ranks[places]
    for shift in reversed(range(0, len(points).bit_length(), bits)):
        digit, node, weighed = ranks >> shift & digits - 1, ranks >> shift + bits << shift + bits, weights[places]
        same, less = (np.zeros((digits, len(points) + 1), dtype=d) for d in (np.int32, kind))
        for value in range(digits):
            np.cumsum(digit == value, out=same[value, 1:])
            np.cumsum(weighed * (digit < value), out=less[value, 1:])
        parted = np.empty_like(every)
        parted[node + (digit << shift) + same[digit, every] - same[digit, node]] = every
        ranks, places = ranks[parted], places[parted]
        yield _Level(shift, same, less, places)


def _started(points: Integers, corners: Integers) -> tuple[Integers, Integers]:
    """For each corner the number of points within its first column, and within its second."""
    first, second = (places_of(np.sort(points[:, c]), corners[:, c]) for c in (0, 1))
    return first, second


def _segments(
    levels: Iterable[_Level], inside: Integers, wanted: Integers
) -> Iterator[tuple[_Level, Integers, Integers]]:
    """All points below each corner, a segment per level: their node, and what they weigh.

    inside: how many places of the node that a corner has come to are within its first column.
    """
    node = np.zeros_like(inside)
    for level in levels:
        values, row = level.same.shape
        digit = wanted >> level.shift & values - 1
        first = digit * row + node
        last = first + inside
        yield level, node, level.less.take(last) - level.less.take(first)
        inside = (level.same.take(last) - level.same.take(first)).astype(np.int64)
        node = node + (digit << level.shift)


def places_of(ordered: Integers, values: Integers) -> Integers:
    """How many of ordered (N,) are at most each of values (Q,): a search that goes through memory in order."""
    order = order_of(values)
    places = np.empty(len(values), dtype=np.int64)
    places[order] = np.searchsorted(ordered, values[order], side="right")
    return places


def order_of(values: Integers) -> Integers:
    """The places of values in their order, of equal ones the earlier first."""
    bits = len(values).bit_length()
    least = int(values.min(initial=0))
    if int(values.max(initial=0)) - least >= 1 << 62 - bits:
        return np.argsort(values, kind="stable")
    # Integers are sorted several times faster than places by their integers.
    packed = np.sort(values - least << bits | np.arange(len(values)))
    order: Integers = packed & (1 << bits) - 1
    return order


def _sums(values: Integers) -> Integers:
    """The sum before each place, and of all."""
    sums = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=sums[1:])
    return sums


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
