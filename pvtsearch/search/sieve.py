"""A coarse picture of what an archive beats: it removes most of what is beaten, at a few look-ups per row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pvtsearch.search.pareto import Points

_CELLS = 2**18  # of the table, whatever its number of axes
_NOTHING = np.iinfo(np.int64).max


class Sieve:
    """Integer rows that are surely beaten by a row of archive (A, K), A at least 1, in its first column.

    Columns after the first are cut at values of the archive. A cell holds the least first column of the archive's rows
    that are at or below the cell's lower corner: what is above the corner and has a larger first column is beaten.
    """

    def __init__(self, archive: Points) -> None:
        axes = archive.shape[1] - 1
        self._edges = _cuts(list(archive.T[1:]))
        self._least = np.full([1, *(len(edges) + 1 for edges in self._edges)], _NOTHING)
        corner = [np.searchsorted(e, c) + 1 for e, c in zip(self._edges, archive.T[1:], strict=True)]
        np.minimum.at(self._least, (np.zeros(len(archive), dtype=np.int64), *corner), archive[:, 0])
        for axis in range(1, axes + 1):
            np.minimum.accumulate(self._least, axis=axis, out=self._least)

    def passes(self, rows: Points) -> NDArray[np.bool_]:
        """Mask of the rows (N, K) that the picture does not show to be beaten."""
        cell = [np.searchsorted(e, c, side="right") for e, c in zip(self._edges, rows.T[1:], strict=True)]
        mask: NDArray[np.bool_] = self._least[(0, *cell)] >= rows[:, 0]
        return mask


def _cuts(columns: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """Values at which each column is cut: a column of few values leaves more cells to the others."""
    values = [np.unique(column) for column in columns]
    found, cells = list[NDArray[np.int64]](values), _CELLS
    for done, place in enumerate(np.argsort([len(each) for each in values], kind="stable")):
        found[place] = _cut(values[place], max(1, int(cells ** (1 / (len(values) - done))) - 1))
        cells //= len(found[place]) + 1
    return found


def _cut(values: NDArray[np.int64], cuts: int) -> NDArray[np.int64]:
    """At most `cuts` of sorted values, evenly spaced by rank, the largest among them."""
    if len(values) <= cuts:
        return values
    return values[np.linspace(len(values) - 1, 0, cuts).astype(np.int64)[::-1]]
