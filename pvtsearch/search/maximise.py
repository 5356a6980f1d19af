"""The network of the highest score within all limits, for any score that adds up over stages: branch and bound.

A price on each limited sum (Lagrange) turns limits into a smaller score, whose maximum over all networks takes one pass
over the layers: never below what is sought. Under prices that make this bound low few networks are left to look at.
Limits on peaks are not priced; they only decide which beginnings of networks can be completed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pvtsearch.search.completions import fits
from pvtsearch.search.lattice import Edges, Integers, Lattice

Floats = NDArray[np.float64]

PRICES = 30  # that are tried
_DEARER = 30  # more of them, each twice the one before, where none so far led to a network within the limits
_KEPT = 6  # bounds that beginnings of networks are held against
_FIRST = 4  # beginnings in the first portion: what they lead to makes later portions small
_MOST = 2**19  # edges that are looked at at once
_CLOSE = 1e-9  # of a bound: nearer to it nothing can be gained


class Best(NamedTuple):
    """A network within the limits, and its score."""

    score: float
    edges: Edges


class _Bound(NamedTuple):
    """Prices of the limited sums, and for each node of each layer the most that the rest can add under them."""

    value: float  # no network within the limits scores more
    prices: Floats  # (sums,)
    rests: tuple[Floats, ...]  # (nodes,) of each layer, and of the end


class _Beginnings(NamedTuple):
    """P beginnings of networks, all up to one layer."""

    scores: Floats  # (P,)
    parts: Integers  # (P, columns)
    nodes: Integers  # (P,) of the next layer
    edges: Integers  # (P, stages so far)
    bounds: Floats  # (P,): no network that begins so scores more

    def take(self, rows: Any) -> _Beginnings:
        """These rows."""
        return _Beginnings(self.scores[rows], self.parts[rows], self.nodes[rows], self.edges[rows], self.bounds[rows])


class Maximiser:
    """Finds maxima on a lattice, again and again: only scores and limits change."""

    def __init__(self, lattice: Lattice) -> None:
        self.lattice, self.algebra = lattice, lattice.problem.limited_algebra
        self.sums = [m for m, combine in enumerate(self.algebra.combines) if combine == "sum"]
        self.columns = [self.algebra.columns[m].start for m in self.sums]

    def best(self, scores: Sequence[Floats], limits: Integers | None = None) -> Best | None:
        """A network within the limits that no other outscores; None where none is within them.

        scores: for each layer what its edges add, shape (R,). limits: instead of the problem's, none above it.
        """
        if not self.lattice.roots:
            return None
        return _Search(self, scores, self.lattice.problem.limits if limits is None else limits).run()


class _Search:
    """One maximisation."""

    def __init__(self, maximiser: Maximiser, scores: Sequence[Floats], limits: Integers) -> None:
        self.lattice, self.algebra, self.columns = maximiser.lattice, maximiser.algebra, maximiser.columns
        self.scores, self.limits = scores, limits
        self.sizes = np.maximum(limits[maximiser.sums], 1).astype(np.float64)  # what a share is a share of
        self.shares = [layer.costs[:, self.columns] / self.sizes for layer in self.lattice.layers]
        self.room = limits[maximiser.sums] / self.sizes  # 1, or less where nothing may be spent
        self.found: Best | None = None
        self.bounds: list[_Bound] = []
        self._orders: dict[tuple[int, int], tuple[Integers, Floats]] = {}

    def run(self) -> Best | None:
        """The best network; None where none is within the limits."""
        self.bounds = self._priced()
        roots = len(self.lattice.roots)
        nothing = np.zeros((roots, self.algebra.width), dtype=np.int64)
        none = np.zeros((roots, 0), dtype=np.int64)
        self._descend(0, _Beginnings(np.zeros(roots), nothing, np.arange(roots), none, np.full(roots, np.inf)))
        return self.found

    @property
    def _least(self) -> float:
        """What is to be outscored."""
        return -np.inf if self.found is None else self.found.score

    def _priced(self) -> list[_Bound]:
        """The lowest bounds, under prices that follow the subgradient (Polyak 1969)."""
        prices, step = np.zeros(len(self.columns)), 1.0
        bounds: list[_Bound] = []
        lowest = np.inf
        for _ in range(PRICES):
            bound, edges = self._bound(prices)
            step = step if bound.value < lowest else 0.7 * step
            lowest = min(lowest, bound.value)
            bounds.append(bound)
            self._consider(edges)
            over = np.sum([shares[edge] for shares, edge in zip(self.shares, edges, strict=True)], axis=0) - self.room
            length = float((np.where((prices > 0) | (over > 0), over, 0.0) ** 2).sum())
            if length == 0 or bound.value - self._least < _CLOSE * (1 + abs(bound.value)):
                break
            gap = lowest - self._least if self.found else 1.0 + abs(lowest)
            prices = np.maximum(0.0, prices + step * gap / length * over)
        for doublings in range(_DEARER if self.found is None else 0):
            bound, edges = self._bound(2.0**doublings * (1 + prices))
            bounds.append(bound)
            self._consider(edges)
            if self.found:
                break
        return sorted(bounds, key=lambda each: each.value)[:_KEPT]

    def _bound(self, prices: Floats) -> tuple[_Bound, Edges]:
        """The bound under some prices, and the network that attains it."""
        rests, reduced = [np.zeros(1)], list[Floats]()
        for index in reversed(range(len(self.lattice.layers))):
            layer = self.lattice.layers[index]
            reduced.append(self.scores[index] - self.shares[index] @ prices + rests[-1][layer.following])
            rests.append(np.maximum.reduceat(reduced[-1], layer.starts[:-1]))
        rests.reverse()
        node, edges = int(np.argmax(rests[0])), list[int]()
        value = float(rests[0][node] + self.room @ prices)
        for layer, values in zip(self.lattice.layers, reversed(reduced), strict=True):
            span = layer.edges(node)
            edges.append(span.start + int(np.argmax(values[span])))
            node = int(layer.following[edges[-1]])
        return _Bound(value, prices, tuple(rests)), tuple(edges)

    def _consider(self, edges: Edges) -> None:
        """Take a network that is within the limits and better than what was found."""
        score = float(sum(scores[edge] for scores, edge in zip(self.scores, edges, strict=True)))
        if score > self._least and (self.algebra.total(self.lattice.cost(edges)[None])[0] <= self.limits).all():
            self.found = Best(score, edges)

    def _descend(self, index: int, beginnings: _Beginnings) -> None:
        """Look at all networks that begin so, the most promising first."""
        order = np.argsort(-beginnings.bounds, kind="stable")
        if index == len(self.lattice.layers):
            self._consider(tuple(beginnings.edges[order[0]].tolist()))
            return
        for portion in _portions(len(order)):
            chosen = beginnings.take(order[portion])
            chosen = chosen.take(chosen.bounds > self._least)
            if not len(chosen.scores):
                return
            for longer in self._longer(index, chosen):
                if len(longer.scores):
                    self._descend(index + 1, longer)

    def _longer(self, index: int, beginnings: _Beginnings) -> Iterator[_Beginnings]:
        """Beginnings with one stage more, as far as they may outscore what was found."""
        bound = self.bounds[0]
        # An edge of reduced score r is of use after a beginning of reduced score b only where b + r is enough.
        reduced = beginnings.scores + (self.room - self._spent(beginnings.parts)) @ bound.prices
        for node in np.unique(beginnings.nodes):
            here = np.flatnonzero(beginnings.nodes == node)
            edges, values = self._order(index, int(node))
            counts = np.searchsorted(-values, reduced[here] - self._least, side="left")
            for start, stop in _spans(counts):
                number = counts[start:stop]
                before = np.repeat(np.cumsum(number) - number, number)
                places = np.arange(len(before)) - before
                yield self._joined(index, beginnings, np.repeat(here[start:stop], number), edges[places])

    def _order(self, index: int, node: int) -> tuple[Integers, Floats]:
        """The edges of a node, and their scores reduced by the first prices, with what follows them; highest first."""
        key = index, node
        if key not in self._orders:
            layer, bound = self.lattice.layers[index], self.bounds[0]
            span = layer.edges(node)
            values = self.scores[index][span] - self.shares[index][span] @ bound.prices
            values += bound.rests[index + 1][layer.following[span]]
            order = np.argsort(-values, kind="stable")
            self._orders[key] = order + span.start, values[order]
        return self._orders[key]

    def _joined(self, index: int, beginnings: _Beginnings, rows: Integers, edges: Integers) -> _Beginnings:
        """Beginnings and an edge each, as far as they may outscore what was found and can end within the limits."""
        layer = self.lattice.layers[index]
        scores = beginnings.scores[rows] + self.scores[index][edges]
        parts = self.algebra.concatenate(beginnings.parts[rows], layer.costs[edges])
        nodes, left = layer.following[edges], self.room - self._spent(parts)
        bounds = np.min([scores + left @ b.prices + b.rests[index + 1][nodes] for b in self.bounds], axis=0)
        inside = np.flatnonzero(bounds > self._least)
        inside = inside[self._can_end(index + 1, nodes[inside], parts[inside])]
        longer = np.concatenate([beginnings.edges[rows[inside]], edges[inside, None]], axis=1)
        return _Beginnings(scores[inside], parts[inside], nodes[inside], longer, bounds[inside])

    def _spent(self, parts: Integers) -> Floats:
        """Shares of the limited sums that are spent."""
        shares: Floats = parts[:, self.columns] / self.sizes
        return shares

    def _can_end(self, index: int, nodes: Integers, parts: Integers) -> NDArray[np.bool_]:
        """Mask of the beginnings that some rest keeps within the limits."""
        inside = np.zeros(len(parts), dtype=bool)
        if index == len(self.lattice.layers):
            inside[:] = (self.algebra.total(parts) <= self.limits).all(axis=1)
            return inside
        room = self.algebra.room(parts, self.limits)
        for node in np.unique(nodes):
            template, entering = self.lattice.layers[index].nodes[node]
            front = self.lattice.completions.front(template, index, entering)
            inside[nodes == node] = fits(front, room[nodes == node])
        return inside


def _portions(count: int) -> Iterator[slice]:
    """Portions that grow: `_FIRST`, then four times as many, and so on."""
    start, size = 0, _FIRST
    while start < count:
        yield slice(start, start + size)
        start, size = start + size, size * 4


def _spans(counts: Integers) -> Iterator[tuple[int, int]]:
    """Stretches of rows whose counts sum to at most `_MOST`, or of one row."""
    ends, start = np.cumsum(counts), 0
    while start < len(counts):
        before = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + _MOST, side="right")))
        yield start, stop
        start = stop
