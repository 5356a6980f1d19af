"""The page about a search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from pvtsearch.files import write_whole
from pvtsearch.records import SearchResult
from pvtsearch.report.building import python_of
from pvtsearch.report.campaign_rows import campaign_rows
from pvtsearch.report.drawn import drawn
from pvtsearch.report.figures import FIGURES
from pvtsearch.report.page import evenly, packed, rendered
from pvtsearch.report.rows import ReportRows, report_rows
from pvtsearch.serialize import dump_config

MAX_TABLE_ROWS = 500
PLOTLY_CONFIG = {
    "showSendToCloud": False,
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}
FIGURE_TITLES = {
    "front": "Evaluated networks, the front, the budget and published networks",
    "progress": "Share of the exact front's hypervolume over the networks evaluated",
    "params_by_stage": "Parameters by stage",
    "macs_by_stage": "MACs by stage",
}


def write_report(result: SearchResult, path: Path) -> None:
    """Write the report on result to path: whole or not at all, and the same bytes for the same result."""
    write_whole(path, report_html(result))


def report_html(result: SearchResult) -> str:
    """The report on result as one HTML document."""
    rows = report_rows(result)
    figured = drawn(rows)
    shown = evenly(len(rows.front), MAX_TABLE_ROWS)
    data = {
        "figures": {name: figure_json(figure(figured)) for name, figure in FIGURES.items() if _has_place(name, rows)},
        "config": PLOTLY_CONFIG,
        "names": [rows.front[position].name for position in shown],
        "yaml": packed([dump_config(result.front[position].config) for position in shown], "\n"),
        "python": packed([python_of(result.front[position].config) for position in shown], "\n"),
    }
    return rendered(
        "search.html.j2",
        scripts=["search.js"],
        data=data,
        headline=rows.headline,
        claims=rows.claims,
        facts=rows.facts,
        rows=rows,
        result=result,
        table=[rows.front[position] for position in shown],
        figures=FIGURE_TITLES,
        axes=figured.quantities,
        scores=[quantity for quantity in rows.quantities if quantity.is_score],
        references=sorted({part.network for part in rows.breakdown} - {network.name for network in rows.front}),
        stage_count=stage_count(rows),
        campaign=None if result.campaign is None else campaign_rows(result.campaign),
        plotly=Markup(get_plotlyjs()),  # noqa: S704  (the library's own text)
    )


def _has_place(name: str, rows: ReportRows) -> bool:
    """Whether the page of these rows has the figure called name."""
    return name != "progress" or bool(rows.progress)


def stage_count(rows: ReportRows) -> int:
    """The most stages a network of the front has."""
    return max((len(network.stages) for network in rows.front), default=0)


def figure_json(figure: go.Figure) -> dict[str, Any]:
    """A figure for Plotly's script, the texts of large traces packed."""
    made: dict[str, Any] = json.loads(figure.to_json(engine="json"))
    for trace in made["data"]:
        if "customdata" in trace:
            trace["text"] = packed(trace["text"], "<br>")
    return made
