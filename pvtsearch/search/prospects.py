"""Which beginnings of networks can still end on a front, told by networks that are known: bounds under prices.

Sums of a network's costs, each at a price (Lagrange), have a least value over all rests of a beginning, found in one
pass over the stages. What is not beaten by a known network lies at or below one of some corners, in every cost; where
at some prices even the least value is more than that of the corner, no completion does.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.parts import Parts
from pvtsearch.search.choices import Choices
from pvtsearch.search.composition import Composition, Points
from pvtsearch.space import Entering

Floats = NDArray[np.float64]

MOST_OBJECTIVES = 2  # with more, networks that are known beat too little to pay

_CHEAPEST, _DEAREST = 0.02, 20.0  # of all that may be spent of a cost, in the largest of the first objective
_PRICES = 256  # that are tried
_KEPT = 4  # that a corner is asked for: those that say most of whole networks
_CORNERS = 64
_PORTION = 2**14  # beginnings that are asked for at once: what they need stays in the processor's cache
_SLACK = 1e-9  # of a value: far above what floats round


def prices(composition: Composition, tops: Floats, number: int) -> Floats:
    """About `number` prices of each column of parts, (P, columns): 1 for the first, 0 for all that is no sum.

    Those of other sums are spread evenly in their logarithms. tops: the largest that each column can be, signs aside,
    in a network within the limits.
    """
    first, *others = composition.sums
    levels = max(2, round(number ** (1 / max(1, len(others)))))
    shares = [0.0, *np.geomspace(_CHEAPEST, _DEAREST, levels - 1)]
    found = np.zeros((levels ** len(others), len(tops)))
    found[:, first] = 1
    found[:, others] = np.array(list(product(shares, repeat=len(others))))
    found[:, others] *= np.maximum(1, tops[first]) / np.maximum(1, tops[others])
    return found


class Prospects:
    """What tells which beginnings of a template's networks can end on the front.

    The objectives are one sum or two: the first columns of parts. tops: as for `prices`. known: the objectives of some
    networks within the limits, (N, objectives), at least one.
    """

    def __init__(self, choices: Choices, tops: Floats, known: Points) -> None:
        self._choices, self._rests = choices, dict[tuple[int, Entering], Floats]()
        self._prices = prices(choices.composition, tops, _PRICES)
        corners = _corners(known, tops)
        allowed = corners @ self._prices.T
        allowed += _SLACK * (1 + np.abs(corners) @ self._prices.T)
        start = self._rest(0, choices.problem.start())
        telling = np.argsort(allowed - start, axis=1)[:, :_KEPT]  # (corners, prices)
        self._allowed = np.take_along_axis(allowed, telling, axis=1)[:, :, None]
        self._asked, places = np.unique(telling, return_inverse=True)
        self._places = places.reshape(telling.shape)

    def open(self, index: int, entering: Entering, parts: Parts) -> NDArray[np.bool_]:
        """Mask of the beginnings before stage `index` that leave `entering` and may end where nothing known is better.

        What ties with something known is not beaten.
        """
        found = np.zeros(len(parts), dtype=bool)
        asked, rest = self._prices[self._asked], self._rest(index, entering)[self._asked, None]
        for start in range(0, len(parts), _PORTION):
            some = slice(start, start + _PORTION)
            least = asked @ parts[some].T + rest
            for places, allowed in zip(self._places, self._allowed, strict=True):
                found[some] |= (least[places] <= allowed).all(axis=0)
        return found

    def _rest(self, index: int, entering: Entering) -> Floats:
        """The least that a rest from stage `index` on has at each of the prices, (P,)."""
        if index > self._choices.last:
            return np.zeros(len(self._prices))
        if (index, entering) not in self._rests:
            least = np.full(len(self._prices), np.inf)
            for choice in self._choices.after(index, entering):
                values = (choice.stages.parts @ self._prices.T).min(axis=0)
                least = np.minimum(least, values + self._rest(index + 1, choice.leaving))
            self._rests[index, entering] = least
        return self._rests[index, entering]


def _corners(known: Points, tops: Floats) -> Floats:
    """Parts (C, columns) such that what is within the limits is beaten by a known point, or at or below one of them."""
    if known.shape[1] == 1:
        return np.array([[known.min(), *tops[1:]]])
    starts = np.unique(known[:, 1])
    starts = starts[np.unique(np.linspace(0, len(starts) - 1, _CORNERS - 1).astype(np.int64))]
    corners = np.tile(tops, (len(starts) + 1, 1))
    corners[:-1, 1] = starts - 1  # up to where the next point is
    corners[1:, 0] = [known[known[:, 1] <= start, 0].min() for start in starts]
    return corners
