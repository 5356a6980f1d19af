"""Costs of stretches of a network as rows of integers that concatenate, whether a metric sums or peaks.

A stretch is one stage or several neighbouring ones. Concatenation is associative and monotone in every column.

sum: one column.
peak: three columns, bytes there throughout, held and peak of a forward pass.
round_trip: six, the same, then held and peak of what runs on the way back, last stage first, and what goes at the turn
(`spans.Tape`).

For limits a stretch that begins a network and one that ends it meet in plain comparisons: a rest fits after a
beginning where `demand(rest) <= room(beginning, limits)` in every column. In (max, +) algebra a stage is a matrix, a
beginning a row, a rest a column, and the peak is their product.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias, assert_never

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.spans import Span, Tape

Combine: TypeAlias = Literal["sum", "peak", "round_trip"]
Parts: TypeAlias = NDArray[np.int64]  # (..., columns of an algebra)

WIDTHS: dict[Combine, int] = {"sum": 1, "peak": 3, "round_trip": 6}
# The highest point is in the beginning, in the rest, or, where there is a way back, in the rest's or the beginning's.
_MEETING_POINTS: dict[Combine, int] = {"sum": 1, "peak": 2, "round_trip": 4}


@dataclass(frozen=True)
class Algebra:
    """How the costs of stretches concatenate: one entry of `combines` for each metric, in the order of the columns.

    All functions take arrays (..., width) and broadcast over what comes before the last axis.
    """

    combines: tuple[Combine, ...]

    @cached_property
    def columns(self) -> tuple[slice, ...]:
        """The columns of each metric."""
        ends = np.cumsum([WIDTHS[combine] for combine in self.combines], dtype=int).tolist()
        return tuple(slice(end - WIDTHS[combine], end) for combine, end in zip(self.combines, ends, strict=True))

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.columns[-1].stop if self.columns else 0

    def nothing(self) -> Parts:
        """The empty stretch: zeros."""
        return np.zeros(self.width, dtype=np.int64)

    def concatenate(self, first: Parts, second: Parts) -> Parts:
        """The stretch that is first, then second."""
        joined = np.add(first, second, dtype=np.int64)  # right for all that sums, and the shape of the answer
        for combine, columns in zip(self.combines, self.columns, strict=True):
            if combine != "sum":
                both = from_columns(first[..., columns]) + from_columns(second[..., columns])
                _write(joined[..., columns], to_columns(both, combine))
        return joined

    def total(self, parts: Parts) -> NDArray[np.int64]:
        """What a whole network with these parts costs, shape (..., metrics)."""
        return _stack(parts, [[_total(combine, parts[..., c])] for combine, c in self._metrics()])

    def levels(self, parts: Parts) -> NDArray[np.int64]:
        """What decides how good a stretch is, wherever it stands.

        A stretch at or below another in every column is at least as good in all metrics, whatever is around it.
        """
        return _stack(parts, [_levels(combine, parts[..., c]) for combine, c in self._metrics()])

    def demand(self, rest: Parts) -> NDArray[np.int64]:
        """What the rest of a network asks for.

        A rest at or below another in every column is at least as good after every beginning: fewer columns than
        `levels`, so more is dominated.
        """
        return _stack(rest, [_demand(combine, rest[..., c]) for combine, c in self._metrics()])

    def room(self, beginning: Parts, limits: NDArray[np.int64]) -> NDArray[np.int64]:
        """The largest demand that stays within limits (..., metrics) after this beginning of a network."""
        places = [(combine, c, limits[..., m]) for m, (combine, c) in enumerate(self._metrics())]
        return _stack(beginning, [_room(combine, beginning[..., c], limit) for combine, c, limit in places])

    def _metrics(self) -> list[tuple[Combine, slice]]:
        return list(zip(self.combines, self.columns, strict=True))


def from_columns(parts: Parts) -> Tape:
    """The columns of a metric that peaks as spans."""
    throughout, held, peak, *back = np.moveaxis(parts, -1, 0)
    return Tape(Span(held, peak), Span(*back[:2]), throughout, *back[2:])


def to_columns(stretch: Tape, combine: Combine) -> tuple[Any, ...]:
    """Spans as the columns of a metric that combines so; what runs on the way back only where that has columns."""
    forward, backward = stretch.forward, stretch.backward
    columns = (stretch.throughout, forward.held, forward.peak, backward.held, backward.peak, stretch.turn)
    return columns[: WIDTHS[combine]]


def _total(combine: Combine, parts: Parts) -> Any:
    match combine:
        case "sum":
            return parts[..., 0]
        case "peak" | "round_trip":
            return from_columns(parts).peak
        case _:
            assert_never(combine)


def _levels(combine: Combine, parts: Parts) -> tuple[Any, ...]:
    match combine:
        case "sum":
            return (parts[..., 0],)
        case "peak" | "round_trip":
            stretch = from_columns(parts)
            base, top = stretch.throughout, stretch.throughout + stretch.forward.held
            turned = top - stretch.turn
            levels = (
                base,
                base + stretch.forward.peak,
                top,
                turned + stretch.backward.peak,
                turned + stretch.backward.held,
                turned,
            )
            return levels[: WIDTHS[combine]]
        case _:
            assert_never(combine)


def _demand(combine: Combine, rest: Parts) -> tuple[Any, ...]:
    match combine:
        case "sum":
            return (rest[..., 0],)
        case "peak" | "round_trip":
            stretch = from_columns(rest)
            base, turned = stretch.throughout, stretch.throughout + stretch.forward.held - stretch.turn
            demand = (base, base + stretch.forward.peak, turned + stretch.backward.peak, turned + stretch.backward.held)
            return demand[: _MEETING_POINTS[combine]]
        case _:
            assert_never(combine)


def _room(combine: Combine, beginning: Parts, limit: Any) -> tuple[Any, ...]:
    match combine:
        case "sum":
            return (limit - beginning[..., 0],)
        case "peak" | "round_trip":
            stretch = from_columns(beginning)
            left, held = limit - stretch.throughout, stretch.forward.held
            turned = left - held + stretch.turn
            room = (left - stretch.forward.peak, left - held, turned, turned - stretch.backward.peak)
            return room[: _MEETING_POINTS[combine]]
        case _:
            assert_never(combine)


def _stack(parts: Parts, metrics: list[Any]) -> NDArray[np.int64]:
    """Columns of all metrics side by side; none where there are no metrics."""
    columns = [column for metric in metrics for column in metric]
    stacked = np.empty((*parts.shape[:-1], len(columns)), dtype=np.int64)
    _write(stacked, columns)
    return stacked


def _write(where: NDArray[np.int64], columns: Any) -> None:
    for number, column in enumerate(columns):
        where[..., number] = column
