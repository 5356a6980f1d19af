"""The figures of a report, drawn from its rows.

The front's figure carries every pair of axes as a view in `layout.meta`: the page applies a view, and computes nothing
but which column of `customdata` goes where. Colours: Okabe and Ito (2008), told apart by colour-blind readers too.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import plotly.graph_objects as go

from pvtsearch.report.axes import axis_layout, axis_range, axis_title, limit_shapes
from pvtsearch.report.quantities import Quantity, exact, label
from pvtsearch.report.rows import LandmarkRow, NetworkRow, PartRow, ReportRows, StageRow

BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#8a929c"
STAGE_COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7")
MONOSPACE = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
TRIALS, FRONT, LANDMARKS, BOTTOM_TICKS, SIDE_TICKS, EXACT = range(6)
TICK_LEVELS = 3
MAX_SVG_POINTS = 2000
_AT_ONE = {"x0": 0, "x1": 1, "xref": "paper", "y0": 1, "y1": 1}


def front_figure(rows: ReportRows) -> go.Figure:
    """All evaluated networks, the front, the budget and the landmarks, over the two foremost quantities."""
    pairs = list(itertools.permutations(rows.quantities, 2))
    views = {f"{x.name}|{y.name}": front_view(rows, x, y) for x, y in pairs}
    first = foremost_pair(rows)
    figure = go.Figure([_trials(rows), _front(rows), *_landmark_traces(), _exact(rows)], layout=_layout())
    figure.update_layout(
        height=540,
        meta={"views": views, "first": first, "quantities": [[q.name, q.title] for q in rows.quantities]},
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis2={"overlaying": "x", "range": [0, 1], "visible": False, "fixedrange": True},
        yaxis2={"overlaying": "y", "range": [0, 1], "visible": False, "fixedrange": True},
        margin={"l": 70, "r": 24, "t": 34, "b": 52},
    )
    apply_view(figure, views[first])
    return figure


def foremost_pair(rows: ReportRows) -> str:
    """The view shown at first: a score over a cost where there is one, else the two foremost quantities."""
    scores = [q.name for q in rows.quantities if q.is_score]
    y = scores[0] if scores else rows.quantities[0].name
    x = next(q.name for q in rows.quantities if q.name != y)
    return f"{x}|{y}"


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
    networks = (*rows.front, *rows.trials)
    across, up = (
        axis_range(
            [v[q.name] for v in (*(n.values for n in networks), *rows.exact) if q.name in v],
            _known(rows.landmarks, q.name),
            q.limit,
        )
        for q in (x, y)
    )
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


def front_line(rows: ReportRows, x: str, y: str) -> dict[str, Any]:
    """A staircase where the axes are the two objectives; elsewhere, and with more objectives, a front is no line."""
    if {x, y} != rows.objectives.keys():
        return {"mode": "markers"}
    shape = staircase(rows, x, [network.values[x] for network in _in_order(rows)])
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


def _in_order(rows: ReportRows) -> list[NetworkRow]:
    first = next(iter(rows.objectives))
    return sorted(rows.front, key=lambda network: network.values[first])


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
        customdata=[_columns(rows, network) for network in rows.trials],
        text=[stage_table(network.stages) for network in rows.trials],
        hovertemplate=_hover(rows, f"<b>trial %{{customdata[{len(rows.quantities)}]}}</b>"),
        showlegend=bool(rows.trials),
    )


def _front(rows: ReportRows) -> go.Scatter | go.Scattergl:
    networks = _in_order(rows)
    kind = go.Scatter if len(networks) <= MAX_SVG_POINTS else go.Scattergl
    return kind(
        name="front",
        marker={"size": 8, "color": BLUE, "line": {"width": 1, "color": "#ffffff"}},
        customdata=[[*_columns(rows, network), network.name] for network in networks],
        text=[stage_table(network.stages) for network in networks],
        hovertemplate=_hover(rows, f"<b>%{{customdata[{len(rows.quantities) + 1}]}}</b>"),
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


def _columns(rows: ReportRows, network: NetworkRow) -> list[float | str]:
    return [*(network.values[quantity.name] for quantity in rows.quantities), network.trial]


def _hover(rows: ReportRows, title: str) -> str:
    lines = [f"{q.title} %{{customdata[{index}]:,}}" for index, q in enumerate(rows.quantities)]
    return "<br>".join((title, *lines, "", "%{text}")) + "<extra></extra>"


def stage_table(stages: Sequence[StageRow]) -> str:
    """The settings of a network as a table in monospaced text, one line per stage."""
    lines = ["patch width depth heads  mlp  reduction"]
    lines += [
        f"{s.patch_size:>5} {s.embed_dim:>5} {s.depth:>5} {s.num_heads:>5} {s.mlp_ratio:>4g}  {s.reduction}"
        for s in stages
    ]
    return "<br>".join(lines)


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


def params_figure(rows: ReportRows) -> go.Figure:
    """Parameters by stage, of a few networks of the front beside the references."""
    return _stacked(rows.breakdown, [row.params for row in rows.breakdown], "Parameters")


def macs_figure(rows: ReportRows) -> go.Figure:
    """MACs by stage, of a few networks of the front beside the references."""
    return _stacked(rows.breakdown, [row.macs for row in rows.breakdown], "MACs")


def _stacked(rows: Sequence[PartRow], values: Sequence[int], title: str) -> go.Figure:
    networks = list(dict.fromkeys(row.network for row in rows))
    parts = [*sorted({row.part for row in rows} - {"head"}), "head"]
    colours = dict(zip(parts, STAGE_COLOURS, strict=False)) | {"head": GREY}
    table = {(row.network, row.part): value for row, value in zip(rows, values, strict=True)}
    figure = go.Figure(
        [
            go.Bar(
                name=part,
                orientation="h",
                x=[table.get((network, part), 0) for network in networks],
                y=networks,
                marker={"color": colours[part]},
                hovertemplate=f"%{{y}}<br>{part}: %{{x:,}} {title}<extra></extra>",
            )
            for part in parts
        ],
        layout=_layout(),
    )
    return figure.update_layout(
        barmode="stack",
        bargap=0.35,
        height=130 + 40 * len(networks),
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        xaxis={**axis_title(title), "tickformat": "~s", "nticks": 7},
        yaxis={"autorange": "reversed", "automargin": True, "showgrid": False, "ticks": "", "ticklabelstandoff": 6},
        margin={"l": 20, "r": 24, "t": 28, "b": 48},
    )


def progress_figure(rows: ReportRows) -> go.Figure:
    """The share of the exact front's hypervolume over the networks evaluated; nothing where it is not known."""
    reached = go.Scatter(
        x=[row.evaluated for row in rows.progress],
        y=[row.share for row in rows.progress],
        mode="lines",
        line={"shape": "hv", "width": 2, "color": BLUE},
        hovertemplate="%{x:,} evaluated<br>%{y:.2%} of the exact front<extra></extra>",
        showlegend=False,
    )
    return go.Figure([reached], layout=_layout()).update_layout(
        height=280,
        xaxis={**axis_title("Networks evaluated"), "rangemode": "tozero", "tickformat": ","},
        yaxis={
            **axis_title("Share of the exact front"),
            "range": [0, 1.04],
            "tickformat": ".0%",
            "nticks": 6,
            "ticklabelstandoff": 6,
        },
        shapes=[{"type": "line", **_AT_ONE, "line": {"dash": "dash", "width": 1.5, "color": PURPLE}, "layer": "below"}],
        margin={"l": 70, "r": 24, "t": 16, "b": 52},
    )


def _layout() -> go.Layout:
    """What figures share: no background, so that the page's light or dark one is theirs."""
    axis = {"gridcolor": "rgba(128,128,128,0.2)", "zeroline": False, "linecolor": "rgba(128,128,128,0.6)"}
    return go.Layout(
        template={"layout": {"xaxis": axis, "yaxis": axis}},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": SANS, "size": 13, "color": "#747c86"},
        hoverlabel={"align": "left", "font": {"family": MONOSPACE, "size": 12}},
        hovermode="closest",
        dragmode="zoom",
    )


FIGURES: dict[str, Callable[[ReportRows], go.Figure]] = {
    "front": front_figure,
    "progress": progress_figure,
    "params_by_stage": params_figure,
    "macs_by_stage": macs_figure,
}
