"""Pages and tables in Markdown, and which columns of tables are numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from pvtsearch.report.drawing import Drawing

_SPECIAL = re.compile(r"([\\`*{}\[\]<>#|])")
_BAR = re.compile(r"(?<!\\)\|")


class Fact(Protocol):
    """What a page says of how it was made."""

    @property
    def label(self) -> str:
        """What is said."""

    @property
    def value(self) -> str:
        """Its value."""


def document(
    title: str,
    headline: str,
    claims: Iterable[str],
    tables: Iterable[str],
    figures: Mapping[str, Drawing],
    facts: Iterable[Fact],
) -> str:
    """A page in Markdown: in words first, then tables, figures as links to files beside it, and how it was made."""
    parts = [f"# {escaped(title)}", f"**{escaped(headline)}**", *map(escaped, claims), *tables]
    parts += [f"![{escaped(drawn.title)}]({name}.svg)" for name, drawn in figures.items()]
    parts.append("\n".join(f"- {escaped(fact.label)}: {escaped(fact.value)}" for fact in facts))
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    rule = ["---:" if holds_numbers(rows, position) else "---" for position in range(len(header))]
    cells = [[_BAR.sub(r"\\|", cell) for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in (header, rule, *cells)]


def holds_numbers(rows: Sequence[Sequence[str]], position: int) -> bool:
    """Whether a column is to be set right: no cell of it begins with anything but a digit, and it is not the first."""
    return position > 0 and all(not row[position] or row[position][0].isdigit() for row in rows)
