"""The papers' tables and scale figures, reproduced, as files: README.md, entries.csv, curves.csv and two SVG charts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from pvtsearch.analysis.reproduction import CostedRow, Entry, costed_rows, reproduction
from pvtsearch.analysis.scaling import SIDES
from pvtsearch.files import write_whole
from pvtsearch.report.chart import svg
from pvtsearch.report.paper_page import note_of, page
from pvtsearch.report.scale_figures import ScaleFigure, scale_figures


def write_paper(folder: Path) -> tuple[Entry, ...]:
    """Write the files, each whole or not at all; the entries they show."""
    rows = costed_rows()
    entries = reproduction(rows)
    for name, text in files(rows, entries).items():
        write_whole(folder / name, text)
    return entries


def files(rows: Sequence[CostedRow], entries: Sequence[Entry]) -> dict[str, str]:
    """Every file by name."""
    figures = scale_figures()
    charts = {f"{figure.name}.svg": svg(figure.chart()) for figure in figures}
    return {
        **charts,
        "entries.csv": _csv(entry_records(entries)),
        "curves.csv": _csv(curve_records(figures)),
        "README.md": page(rows, entries, figures),
    }


def entry_records(entries: Sequence[Entry]) -> Iterator[dict[str, object]]:
    """One record per entry; an entry whose network is not built has no exact number."""
    for entry in entries:
        yield {
            "table": entry.table,
            "row": entry.label,
            "quantity": entry.quantity,
            "printed": str(entry.printed),
            "exact": entry.exact,
            "state": entry.state,
            "counted": entry.rule,
            "note": note_of(entry),
        }


def curve_records(figures: Sequence[ScaleFigure]) -> Iterator[dict[str, object]]:
    """One record per network and side, with the exact value of every figure."""
    for drawn in zip(*(figure.drawn for figure in figures), strict=True):
        for place, side in enumerate(SIDES):
            values = {figure.column: curve.values[place] for figure, curve in zip(figures, drawn, strict=True)}
            yield {"network": drawn[0].network, "side": side, **values}


def _csv(records: Iterator[dict[str, object]]) -> str:
    written = list(records)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(written[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(written)
    return text.getvalue()
