"""One line per network: bars of what its parts cost, or dots where parts do not add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pvtsearch.report.drawing import Drawing, drawing, shortened
from pvtsearch.report.ticks import Axis, around, from_zero, short

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 540, 132, 74, 70, 46
ROW, THICK = 30, 15
NAME_LENGTH = 17


class Part(NamedTuple):
    """A stage by its number, or 0 for all else; words say what of what."""

    number: int
    value: float
    words: str


@dataclass(frozen=True)
class Row:
    """A network with its parts and, at the end of the line, what they come to; an interval is drawn over them."""

    name: str
    parts: tuple[Part, ...]
    total: str
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Rows:
    """A figure of one quantity over networks; `names` of parts, by number, make its key."""

    name: str
    title: str
    subtitle: str
    unit: str
    rows: Sequence[Row]
    names: dict[int, str] = field(default_factory=dict)


def stacked(figure: Rows) -> Drawing:
    """Bars of parts end to end."""
    totals = [sum(part.value for part in row.parts) for row in figure.rows]
    return _drawn(figure, from_zero(figure.unit, totals, count=4), "bars")


def dotted(figure: Rows) -> Drawing:
    """A dot for every part: of peaks, which do not add up, and of medians with their intervals."""
    values = [part.value for row in figure.rows for part in row.parts]
    values += [end for row in figure.rows for end in row.interval or ()]
    return _drawn(figure, around(figure.unit, values, count=4), "dots")


def _drawn(figure: Rows, axis: Axis, kind: str) -> Drawing:
    bottom = TOP + ROW * len(figure.rows)
    return drawing(
        figure.name,
        figure.title,
        f"{figure.subtitle} {in_words(figure)}".strip(),
        WIDTH,
        bottom + BOTTOM,
        "bars.svg.j2",
        figure=figure,
        kind=kind,
        rows=[_placed(row, number, axis, kind) for number, row in enumerate(figure.rows)],
        ticks=[(_x(axis, tick), short(tick)) for tick in axis.ticks],
        key=[(LEFT + 72 * place, number, name) for place, (number, name) in enumerate(figure.names.items())],
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=bottom,
        thick=THICK,
        shortened=shortened,
    )


def _placed(row: Row, number: int, axis: Axis, kind: str) -> dict[str, object]:
    """A line in pixels: where each part begins and how long it is, or where its dot stands."""
    y, start, parts = TOP + ROW * number + ROW / 2, 0.0, []
    for part in row.parts:
        begin = start if kind == "bars" else part.value
        end = start + part.value if kind == "bars" else part.value
        parts.append((part, _x(axis, begin), round(_x(axis, end) - _x(axis, begin), 1)))
        start += part.value
    interval = None if row.interval is None else tuple(_x(axis, end) for end in row.interval)
    return {"name": row.name, "shown": shortened(row.name, NAME_LENGTH), "y": y, "parts": parts, "total": row.total,
            "end": max((x + length for _part, x, length in parts), default=LEFT), "interval": interval}  # fmt: skip


def _x(axis: Axis, value: float) -> float:
    return round(LEFT + (WIDTH - LEFT - RIGHT) * axis.share(value), 1)


def in_words(figure: Rows) -> str:
    """Every line's total."""
    return "; ".join(f"{row.name}: {row.total}" for row in figure.rows)
