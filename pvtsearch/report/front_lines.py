"""What is drawn of a front, whatever draws it: its foremost axes, its order, and the staircase through it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pvtsearch.report.axes import BLUE
from pvtsearch.report.quantities import Quantity
from pvtsearch.report.rows import NetworkRow, ReportRows


def foremost_pair(rows: ReportRows) -> str:
    """The view shown at first: a score over a cost where there is one, else the two foremost quantities."""
    scores = [q.name for q in rows.quantities if q.is_score]
    y = scores[0] if scores else rows.quantities[0].name
    x = next(q.name for q in rows.quantities if q.name != y)
    return f"{x}|{y}"


def front_line(rows: ReportRows, x: str, y: str) -> dict[str, Any]:
    """A staircase where the axes are the two objectives; elsewhere, and with more objectives, a front is no line."""
    if {x, y} != rows.objectives.keys():
        return {"mode": "markers"}
    shape = staircase(rows, x, [network.values[x] for network in in_order(rows)])
    return {"mode": "lines+markers", "line": {"shape": shape, "width": 1.5, "color": BLUE}}


def exact_line(rows: ReportRows, x: str, y: str) -> dict[str, Any]:
    """The exact front beside the trials: a staircase where the axes are the two objectives, nothing elsewhere."""
    points = rows.exact if {x, y} == rows.objectives.keys() else ()
    across = [point[x] for point in points]
    return {"x": across, "y": [point[y] for point in points], "line": {"shape": staircase(rows, x, across)}}


def staircase(rows: ReportRows, x: str, columns: Sequence[float]) -> str:
    """The shape of a front's line: what is reached at a cost stays reached until the next step."""
    ascending = list(columns) == sorted(columns)
    flat_first = ascending == (rows.objectives.get(x) == "minimize")
    return "hv" if flat_first else "vh"


def in_order(rows: ReportRows) -> list[NetworkRow]:
    """The front by rising first objective."""
    first = next(iter(rows.objectives))
    return sorted(rows.front, key=lambda network: network.values[first])


def nearby(
    rows: ReportRows, shown: Sequence[Mapping[str, float]], x: Quantity, y: Quantity
) -> list[Mapping[str, float]]:
    """Published networks that widen neither axis by more than half at an end: a front is seen beside its peers."""
    near = [row.values for row in rows.landmarks if x.name in row.values and y.name in row.values]
    for quantity in (x, y):
        values = [value[quantity.name] for value in shown] or [0]
        room = (max(values) - min(values)) / 2
        near = [v for v in near if min(values) - room <= v[quantity.name] <= max(values) + room]
    return near
