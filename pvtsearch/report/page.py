"""One self-contained HTML page about a search: it can be mailed alone, and asks nothing of any network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from pvtsearch.accuracy.cards import verdict
from pvtsearch.files import write_whole
from pvtsearch.records import SearchResult
from pvtsearch.report import quantities
from pvtsearch.report.campaign_rows import campaign_rows
from pvtsearch.report.drawn import drawn
from pvtsearch.report.figures import FIGURES
from pvtsearch.report.rows import ReportRows, report_rows
from pvtsearch.report.templates import environment
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
    }
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            rows=rows,
            result=result,
            table=[rows.front[position] for position in shown],
            figures=FIGURE_TITLES,
            axes=figured.quantities,
            scores=[quantity for quantity in rows.quantities if quantity.is_score],
            references=sorted({part.network for part in rows.breakdown} - {network.name for network in rows.front}),
            stage_count=stage_count(rows),
            style=asset("page.css"),
            script=asset("page.js"),
            campaign=None if result.campaign is None else campaign_rows(result.campaign),
            plotly=Markup(get_plotlyjs()),  # noqa: S704  (the library's own text)
            data=script_json(data),
        )
    )


def _has_place(name: str, rows: ReportRows) -> bool:
    """Whether the page of these rows has the figure called name."""
    return name != "progress" or bool(rows.progress)


def evenly(count: int, limit: int) -> list[int]:
    """Positions of all of count things, or of limit of them, evenly spaced with both ends."""
    if count <= limit:
        return list(range(count))
    return [index * (count - 1) // (limit - 1) for index in range(limit)]


def stage_count(rows: ReportRows) -> int:
    """The most stages a network of the front has."""
    return max((len(network.stages) for network in rows.front), default=0)


def figure_json(figure: go.Figure) -> dict[str, Any]:
    """A figure for Plotly's script, the texts of large traces packed."""
    drawn: dict[str, Any] = json.loads(figure.to_json(engine="json"))
    for trace in drawn["data"]:
        if "customdata" in trace:
            trace["text"] = packed(trace["text"], "<br>")
    return drawn


def packed(texts: Sequence[str], separator: str) -> dict[str, Any]:
    """Texts that share most of their lines, every distinct line once; `unpacked` of the page's script undoes it."""
    numbers: dict[str, int] = {}
    coded = [[numbers.setdefault(line, len(numbers)) for line in text.split(separator)] for text in texts]
    return {"separator": separator, "lines": list(numbers), "texts": coded}


def script_json(value: Mapping[str, Any]) -> Markup:
    """Value as JSON that no text in it can end: inside a script element `<`, `>` and `&` are escaped."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    escaped = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(escaped)  # noqa: S704  (nothing left that HTML reads)


def asset(name: str) -> Markup:
    """A file beside the template that becomes part of the page as it is."""
    return Markup((Path(__file__).parent / name).read_text(encoding="utf-8"))  # noqa: S704  (a file of this package)


def _environment() -> Environment:
    filled = environment()
    for name in ("readable", "exact", "exact_with_unit", "label", "magnitude", "percent", "plural"):
        filled.filters[name] = getattr(quantities, name)
    filled.filters["verdict"] = verdict
    return filled
