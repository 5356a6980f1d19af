"""Tables in Markdown, and which of their columns are numbers."""

from __future__ import annotations

from collections.abc import Sequence


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    rule = ["---:" if holds_numbers(rows, position) else "---" for position in range(len(header))]
    escaped = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (header, rule, *escaped)]


def holds_numbers(rows: Sequence[Sequence[str]], position: int) -> bool:
    """Whether a column is to be set right: no cell of it begins with anything but a digit, and it is not the first."""
    return position > 0 and all(not row[position] or row[position][0].isdigit() for row in rows)
