"""The page about a search."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from pvtsearch.records import SearchResult
from pvtsearch.report.campaign_rows import campaign_rows
from pvtsearch.report.comparison_figures import figures
from pvtsearch.report.composed import composed
from pvtsearch.report.drawing import Drawing
from pvtsearch.report.drawn import drawn
from pvtsearch.report.figures import FIGURES
from pvtsearch.report.markdown import document, markdown
from pvtsearch.report.page import Page, compressed, evenly, rendered, write_page
from pvtsearch.report.pyramid import pyramid, scale_of
from pvtsearch.report.quantities import exact
from pvtsearch.report.rows import ReportRows, report_rows
from pvtsearch.report.static_figures import static_figures

MAX_TABLE_ROWS, MARKDOWN_ROWS = 500, 20
PLOTLY_CONFIG = {
    "showSendToCloud": False,
    "displaylogo": False,
    "responsive": True,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
}
FIGURE_TITLES = {
    "front": "Evaluated networks, the front, the budget and published networks",
    "progress": "Share of the exact front's hypervolume over the networks evaluated",
}


def write_report(result: SearchResult, path: Path) -> None:
    """Write the report on result to path, and its parts into the folder of that name without ending.

    Whole or not at all, and the same bytes for the same result.
    """
    write_page(search_page(result), path)


def search_page(result: SearchResult) -> Page:
    """The report on result: one HTML document and its small parts."""
    rows = report_rows(result)
    trained = {} if result.campaign is None else campaign_rows(result.campaign).figures
    drawn_once = static_figures(drawn(rows)) | trained | figures(rows.chosen)
    return Page(search_html(result, rows, drawn_once), search_markdown(rows, drawn_once), drawn_once)


def search_html(result: SearchResult, rows: ReportRows, still: Mapping[str, Drawing]) -> str:
    """The report as one HTML document; `still` are its figures that nobody turns."""
    figured = drawn(rows)
    shown = evenly(len(rows.front), MAX_TABLE_ROWS)
    front = {record.trial for record in result.front}
    others = [record.config for record in result.records if record.trial not in front]
    scale = scale_of([each.shape for each in rows.chosen.networks])
    data = {
        "figures": {name: figure_json(figure(figured)) for name, figure in FIGURES.items() if _has_place(name, rows)},
        "config": PLOTLY_CONFIG,
        "names": [row.name for row in rows.front],
        **composed([*(record.config for record in result.front), *others], result.image_size),
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
        table=[(position, rows.front[position]) for position in shown],
        figures=FIGURE_TITLES,
        still=still,
        by_stage=[each for name, each in still.items() if name.endswith("-by-stage")],
        pyramids=[(each, pyramid(each.name, each.shape, scale)) for each in rows.chosen.networks],
        axes=figured.quantities,
        scores=[quantity for quantity in rows.quantities if quantity.is_score],
        references=[each.name for each in rows.chosen.references],
        stage_count=stage_count(rows),
        campaign=None if result.campaign is None else campaign_rows(result.campaign),
        library=compressed(get_plotlyjs()),
    )


def search_markdown(rows: ReportRows, still: Mapping[str, Drawing]) -> str:
    """The same in Markdown: a few networks of the front, figures as links to the SVG files beside it."""
    names = [quantity.name for quantity in rows.quantities]
    header = ["network", *(quantity.title for quantity in rows.quantities)]
    header += [f"stage {number}" for number in range(1, stage_count(rows) + 1)]
    body = [
        [
            network.name,
            *(exact(network.values[name]) for name in names),
            *(f"{stage.embed_dim} × {stage.depth}" for stage in network.stages),
            *[""] * (stage_count(rows) - len(network.stages)),
        ]
        for network in (rows.front[place] for place in evenly(len(rows.front), MARKDOWN_ROWS))
    ]
    tables = ["\n".join(markdown(header, body))] if body else []
    return document("Search", rows.headline, rows.claims, tables, still, rows.facts)


def report_html(result: SearchResult) -> str:
    """The report on result as one HTML document."""
    return search_page(result).html


def _has_place(name: str, rows: ReportRows) -> bool:
    """Whether the page of these rows has the figure called name."""
    return name != "progress" or bool(rows.progress)


def stage_count(rows: ReportRows) -> int:
    """The most stages a network of the front has."""
    return max((len(network.stages) for network in rows.front), default=0)


def figure_json(figure: go.Figure) -> dict[str, Any]:
    """A figure for Plotly's script; what is a column of `customdata` the script finds there."""
    made: dict[str, Any] = json.loads(figure.to_json(engine="json"))
    for trace in made["data"]:
        if "customdata" in trace:
            trace |= {"x": [], "y": []}
    return made
