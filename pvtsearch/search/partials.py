"""Networks up to some stage, as a table: their parts, how many there are of each, and one to stand for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.parts import Parts
from pvtsearch.search.epsilon import cell_of
from pvtsearch.search.pareto import nondominated, undominated
from pvtsearch.search.sieve import Sieve

Integers = NDArray[np.int64]
Counts = NDArray[Any]  # int64, or Python integers where a count may pass 64 bits

_BUNDLE = 4  # choices that are tried as one first: where their best parts together are no use, none of them is
_BATCH = 2**15  # rows that are gathered before they are pruned, at least: a sieve is needed early


@dataclass(frozen=True)
class Partials:
    """N partial networks that leave one state.

    `counts` is how many configurations a row is. One stands for them: that whose head dims are nearest 64, then the
    smallest point. It is row `parent` of the table before, followed by row `row` of its stage's options.
    """

    parts: Parts  # (N, columns)
    counts: Counts  # (N,)
    distance: Integers  # (N,): sum over stages of |head_dim - 64|
    parent: Integers  # (N,)
    rank: Integers  # (N,): of the parent's point among its table's
    row: Integers  # (N,)

    def __len__(self) -> int:
        return len(self.counts)

    def take(self, rows: Any) -> Partials:
        """These rows of the table."""
        return Partials(*(getattr(self, column.name)[rows] for column in fields(self)))


def stacked(tables: list[Partials]) -> Partials:
    """One table below the other; at least one."""
    columns = (field.name for field in fields(Partials))
    return Partials(*(np.concatenate([getattr(table, name) for table in tables]) for name in columns))


def collapsed(table: Partials, keys: Parts) -> Partials:
    """One row for rows of equal keys (N, columns): counts added, the preferred of them standing for all."""
    order = np.lexsort((table.row, table.rank, table.distance, *keys.T[::-1]))
    table, keys = table.take(order), keys[order]
    new = (keys[1:] != keys[:-1]).any(axis=1)
    starts = np.flatnonzero(np.concatenate([[True], new]))
    return replace(table.take(starts), counts=np.add.reduceat(table.counts, starts))


def bundled(choices: Partials) -> Parts:
    """The least of each column over every few rows of choices; they are sorted, so neighbours are alike."""
    return np.minimum.reduceat(choices.parts, np.arange(0, len(choices), _BUNDLE), axis=0)


def unbundled(places: Integers, bundles: int, choices: int) -> tuple[Integers, Integers]:
    """Rows, and choices of so many, of places in a table of rows by bundles."""
    first, bundle = np.divmod(places, bundles)
    second = (bundle[:, None] * _BUNDLE + np.arange(_BUNDLE)).ravel()
    there = np.flatnonzero(second < choices)
    return first.repeat(_BUNDLE)[there], second[there]


class Pruning(Protocol):
    """Which partial networks of one state may be forgotten, and the columns that this is seen in, less is better."""

    def keys(self, parts: Parts) -> Parts:
        """The columns that decide."""

    def pruned(self, table: Partials) -> Partials:
        """What is kept of a table that is not empty."""

    def sieve(self, table: Partials) -> Sieve | None:
        """What shows at a glance much that this table makes needless; None where nothing can."""


@dataclass(frozen=True)
class Exact:
    """Forgets what another beats in the first `strict` columns: nothing that ends on the front, and no tie.

    seen: the columns that decide, made of parts.
    """

    strict: int
    seen: Callable[[Parts], Parts]

    def keys(self, parts: Parts) -> Parts:
        """The columns that decide."""
        return self.seen(parts)

    def pruned(self, table: Partials) -> Partials:
        """Rows of distinct keys that no other beats, with all their counts."""
        keys = self.keys(table.parts)
        kept = undominated(keys, self.strict)
        return collapsed(table.take(kept), keys[kept])

    def sieve(self, table: Partials) -> Sieve | None:
        """A sieve is strict in the first column, so that has to be one in which to be better counts."""
        return Sieve(self.keys(table.parts)) if self.strict else None


@dataclass(frozen=True)
class Rounded:
    """Forgets what another is as good as up to cells of some columns, and exactly in all others.

    seen: the columns that decide, made of parts.
    """

    cells: Mapping[int, Integers]  # column -> first values of its cells
    seen: Callable[[Parts], Parts]

    def keys(self, parts: Parts) -> Parts:
        """The columns that decide, those that have cells replaced by the numbers of these."""
        keys = self.seen(parts).copy()
        for column, starts in self.cells.items():
            keys[:, column] = cell_of(starts, keys[:, column])
        return keys

    def pruned(self, table: Partials) -> Partials:
        """One row per key that no other dominates: the best by its own columns."""
        table = collapsed(table, self.seen(table.parts))
        return table.take(nondominated(self.keys(table.parts)))

    def sieve(self, table: Partials) -> Sieve | None:
        """A sieve over cells."""
        return Sieve(self.keys(table.parts))


@dataclass(frozen=True)
class Leading:
    """Forgets all but the first of the least scores, a row each: what is left is a part of what matters, soon found.

    scores: of parts (N, columns), (N, scores).
    """

    scores: Callable[[Parts], NDArray[np.float64]]

    def keys(self, parts: Parts) -> Parts:
        """All columns."""
        return parts

    def pruned(self, table: Partials) -> Partials:
        """The leading rows."""
        return table.take(np.unique(self.scores(table.parts).argmin(axis=0)))

    def sieve(self, table: Partials) -> Sieve | None:
        """No row of a table tells which others do not lead."""
        return None


class Gathering:
    """What is kept of the partial networks that reach one state, while batch after batch of them comes in."""

    def __init__(self, pruning: Pruning) -> None:
        self._pruning = pruning
        self._tables: list[Partials] = []
        self._sieve: Sieve | None = None

    def __len__(self) -> int:
        return sum(map(len, self._tables))

    def promising(self, parts: Parts) -> NDArray[np.bool_]:
        """Mask of the rows that are not seen at a glance to be needless."""
        return self._sieve.passes(self._pruning.keys(parts)) if self._sieve else np.ones(len(parts), dtype=bool)

    def add(self, batch: Partials) -> None:
        """Take in a batch."""
        if not len(batch):
            return
        self._tables.append(batch)
        if len(self) > max(_BATCH, 2 * len(self._tables[0])):
            self.prune()

    def prune(self) -> None:
        """Forget what is needless in what came so far."""
        if self._tables:
            self._tables = [self._pruning.pruned(stacked(self._tables))]
            self._sieve = self._pruning.sieve(self._tables[0])

    def kept(self) -> Partials | None:
        """What no other row makes needless; None where nothing came."""
        self.prune()
        return self._tables[0] if self._tables else None
