"""Tables for people and for programs."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from typing import Literal, assert_never

from pvtsearch.report.markdown import holds_numbers, markdown
from pvtsearch.shown import printable

WIDEST = 1000  # columns: a terminal may break a line, a table never cuts a number


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]], format: Literal["table", "markdown"]) -> None:
    """Print rows of text on standard output for people: text left, numbers right."""
    shown = [[printable(cell) for cell in row] for row in rows]
    match format:
        case "markdown":
            print("\n".join(markdown(header, shown)))
        case "table":
            _print_rich(header, shown)
        case _:
            assert_never(format)


def print_csv(rows: Sequence[dict[str, object]]) -> None:
    """Print rows as CSV; a column that a row lacks stays empty."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(sys.stdout, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def _print_rich(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, name in enumerate(header):
        table.add_column(Text(name), justify="right" if holds_numbers(rows, position) else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console(width=WIDEST, file=io.StringIO())
    console.print(table)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]  # the StringIO of the line above
    print("\n".join(line.rstrip() for line in lines).strip("\n"))
