"""The figure of the front: evaluated networks, front, budget and published networks, over any two quantities.

It carries every pair of axes as a view in `layout.meta`: the page applies a view, and computes nothing but which column
of `customdata` goes where.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from pvtsearch.report.axes import (
    BLUE,
    GREY,
    PURPLE,
    VERMILLION,
    axis_layout,
    axis_range,
    limit_shapes,
    plain_layout,
)
from pvtsearch.report.front_lines import exact_line, foremost_pair, front_line, in_order, nearby
from pvtsearch.report.landmarks import LandmarkRow
from pvtsearch.report.quantities import Quantity, exact, label
from pvtsearch.report.rows import NetworkRow, ReportRows

TRIALS, FRONT, LANDMARKS, BOTTOM_TICKS, SIDE_TICKS, EXACT, PINNED = range(7)
TICK_LEVELS = 3
MAX_SVG_POINTS = 2000


def front_figure(rows: ReportRows) -> go.Figure:
    """All evaluated networks, the front, the budget and the landmarks, over the two foremost quantities."""
    pairs = list(itertools.permutations(rows.quantities, 2))
    views = {f"{x.name}|{y.name}": front_view(rows, x, y) for x, y in pairs}
    first = foremost_pair(rows)
    figure = go.Figure(
        [_trials(rows), _front(rows), *_landmark_traces(), _exact(rows), _pinned()], layout=plain_layout()
    )
    figure.update_layout(
        height=564,
        meta={"views": views, "first": first, "quantities": [[q.name, q.title] for q in rows.quantities]},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis2={"overlaying": "x", "range": [0, 1], "visible": False, "fixedrange": True},
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        margin={"l": 70, "r": 24, "t": 58, "b": 52},  # above: Plotly's buttons, then the budget's label
    )
    apply_view(figure, views[first])
    return figure


def apply_view(figure: go.Figure, view: dict[str, Any]) -> None:
    """Put figure on the axes of view, as the page's script does."""
    for index in (TRIALS, FRONT):
        trace = figure.data[index]
        trace.x = [values[view["x"]] for values in trace.customdata]
        trace.y = [values[view["y"]] for values in trace.customdata]
    for index, patch in view["traces"].items():
        figure.data[int(index)].update(patch)
    figure.update_layout(view["layout"])


def front_view(rows: ReportRows, x: Quantity, y: Quantity) -> dict[str, Any]:
    """What changes with the axes: which columns are drawn, the line of the front, landmarks, budget and ranges."""
    shown = [n.values for n in (*rows.front, *rows.trials)] + [p for p in rows.exact if {x.name, y.name} <= p.keys()]
    shown += nearby(rows, shown, x, y)
    across, up = (axis_range([v[q.name] for v in shown], _known(rows.landmarks, q.name), q.limit) for q in (x, y))
    shapes, annotations = limit_shapes(x, y, across, up)
    names = [q.name for q in rows.quantities]
    return {
        "x": names.index(x.name),
        "y": names.index(y.name),
        "traces": {
            str(FRONT): front_line(rows, x.name, y.name),
            str(EXACT): exact_line(rows, x.name, y.name),
            **landmark_places(rows.landmarks, x.name, y.name),
        },
        "layout": {
            "xaxis": axis_layout(x, across),
            "yaxis": axis_layout(y, up),
            "shapes": shapes,
            "annotations": annotations,
        },
    }


def _known(landmarks: Sequence[LandmarkRow], name: str) -> list[float]:
    return [row.values[name] for row in landmarks if name in row.values]


def landmark_places(landmarks: Sequence[LandmarkRow], x: str, y: str) -> dict[str, dict[str, Any]]:
    """Where landmarks stand: those that lack one of the two values are ticks on the axis of the other."""
    whole = [row for row in landmarks if x in row.values and y in row.values]
    below = sorted((row for row in landmarks if x in row.values and y not in row.values), key=lambda r: r.values[x])
    beside = sorted((row for row in landmarks if y in row.values and x not in row.values), key=lambda r: r.values[y])
    bottom, side = _levels(len(below), 0.055), _levels(len(beside), 0.03)
    return {
        str(LANDMARKS): _places(whole, [r.values[x] for r in whole], [r.values[y] for r in whole]),
        str(BOTTOM_TICKS): {
            **_places(below, [r.values[x] for r in below], bottom),
            "error_y": _stem(bottom),
        },
        str(SIDE_TICKS): {
            **_places(beside, side, [r.values[y] for r in beside]),
            "error_x": _stem(side),
        },
    }


def _levels(count: int, step: float) -> list[float]:
    return [round(0.03 + step * (index % TICK_LEVELS), 3) for index in range(count)]


def _stem(heights: list[float]) -> dict[str, Any]:
    """A line from the axis to each tick's head."""
    zeros = [0] * len(heights)
    return {"type": "data", "symmetric": False, "array": zeros, "arrayminus": heights, "width": 0, "thickness": 1}


def _places(rows: Sequence[LandmarkRow], x: list[float], y: list[float]) -> dict[str, Any]:
    return {"x": x, "y": y, "text": [row.name for row in rows], "hovertext": [landmark_hover(row) for row in rows]}


def landmark_hover(row: LandmarkRow) -> str:
    """What is shown over a landmark: its costs, and the accuracy that was published for it."""
    values = [f"{label(name)} {exact(value)}" for name, value in row.values.items()]
    top1 = [f"published top-1 {p.top1_percent} %{f' ({p.note})' if p.note else ''}" for p in row.published]
    return "<br>".join((f"<b>{row.name}</b>", *values, *top1))


def _trials(rows: ReportRows) -> go.Scattergl:
    return go.Scattergl(
        name="evaluated",
        mode="markers",
        marker={"size": 5, "color": GREY, "opacity": 0.4},
        customdata=[_columns(rows, network, len(rows.front) + place) for place, network in enumerate(rows.trials)],
        hovertemplate=_hover(rows, f"<b>trial %{{customdata[{len(rows.quantities)}]}}</b>"),
        showlegend=bool(rows.trials),
    )


def _front(rows: ReportRows) -> go.Scatter | go.Scattergl:
    networks = in_order(rows)
    places = {network.name: place for place, network in enumerate(rows.front)}
    kind = go.Scatter if len(networks) <= MAX_SVG_POINTS else go.Scattergl
    return kind(
        name="front",
        marker={"size": 8, "color": BLUE, "line": {"width": 1, "color": "#ffffff"}},
        customdata=[[*_columns(rows, network, places[network.name]), network.name] for network in networks],
        hovertemplate=_hover(rows, f"<b>%{{customdata[{len(rows.quantities) + 2}]}}</b>"),
        showlegend=bool(networks),
    )


def _exact(rows: ReportRows) -> go.Scatter:
    """A thin line; its places and shape are of a view. The marker is the legend's."""
    return go.Scatter(
        name="exact front",
        mode="lines",
        line={"width": 1, "color": PURPLE},
        marker={"symbol": "line-ew", "color": PURPLE},
        hovertemplate="exact front<br>%{x:,}<br>%{y:,}<extra></extra>",
        showlegend=bool(rows.exact) and len(rows.objectives) == 2,
    )


def _pinned() -> go.Scatter:
    """Rings around what a reader pins."""
    marker = {"size": 15, "symbol": "circle-open", "color": VERMILLION, "line": {"width": 2.5}}
    return go.Scatter(name="pinned", mode="markers", marker=marker, hoverinfo="skip", showlegend=False)


def _columns(rows: ReportRows, network: NetworkRow, number: int) -> list[float | str]:
    """Its values, its trial, and its number on the page, by which the script finds its stages."""
    return [*(network.values[quantity.name] for quantity in rows.quantities), network.trial, number]


def _hover(rows: ReportRows, title: str) -> str:
    lines = [f"{q.title} %{{customdata[{index}]:,}}" for index, q in enumerate(rows.quantities)]
    return "<br>".join((title, *lines, "", "%{text}")) + "<extra></extra>"


def _landmark_traces() -> list[go.Scatter]:
    marker = {"size": 8, "symbol": "diamond", "color": VERMILLION}
    common: dict[str, Any] = {
        "legendgroup": "landmarks",
        "mode": "markers+text",
        "textposition": "middle right",
        "hovertemplate": "%{hovertext}<extra></extra>",
    }
    return [
        go.Scatter(name="published networks", marker=marker, **common),
        go.Scatter(marker={**marker, "size": 5}, yaxis="y2", showlegend=False, **common),
        go.Scatter(marker={**marker, "size": 5}, xaxis="x2", showlegend=False, **common),
    ]
