"""The figures of a report, drawn from its rows.

Colours: Okabe and Ito (2008), told apart by colour-blind readers too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import plotly.graph_objects as go

from pvtsearch.report.axes import BLUE, GREY, PURPLE, axis_title, plain_layout
from pvtsearch.report.front_figure import front_figure
from pvtsearch.report.rows import PartRow, ReportRows

STAGE_COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7")
_AT_ONE = {"x0": 0, "x1": 1, "xref": "paper", "y0": 1, "y1": 1}


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
        layout=plain_layout(),
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
    return go.Figure([reached], layout=plain_layout()).update_layout(
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


FIGURES: dict[str, Callable[[ReportRows], go.Figure]] = {
    "front": front_figure,
    "progress": progress_figure,
    "params_by_stage": params_figure,
    "macs_by_stage": macs_figure,
}
