"""The figures of a report that a reader turns and zooms, drawn from its rows.

Colours: Okabe and Ito (2008), told apart by colour-blind readers too.
"""

from __future__ import annotations

from collections.abc import Callable

import plotly.graph_objects as go

from pvtsearch.report.axes import BLUE, PURPLE, axis_title, plain_layout
from pvtsearch.report.front_figure import front_figure
from pvtsearch.report.rows import ReportRows

_AT_ONE = {"x0": 0, "x1": 1, "xref": "paper", "y0": 1, "y1": 1}


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
}
