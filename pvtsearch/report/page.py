"""What every page is: one file that can be mailed alone, and asks nothing of any network."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from pvtsearch.files import write_all, write_whole
from pvtsearch.report.drawing import Drawing, document
from pvtsearch.report.templates import asset, environment

STYLES = ("palette.css", "page.css", "drawing.css")


@dataclass(frozen=True)
class Page:
    """A page, and what is small enough to be kept beside code: the same in Markdown, and its figures as SVG."""

    html: str
    markdown: str
    figures: Mapping[str, Drawing] = field(default_factory=dict)


def write_page(page: Page, path: Path) -> None:
    """Write a page to path and its parts into the folder of that name without ending.

    Each is written whole or not at all; SVG files there that are no part of it are removed.
    """
    folder = path.with_suffix("")
    drawn = {folder / f"{name}.svg": document(each) for name, each in page.figures.items()}
    write_all(drawn | {folder / "README.md": page.markdown})
    for stale in set(folder.glob("*.svg")) - drawn.keys():
        stale.unlink()
    write_whole(path, page.html)


def rendered(template: str, *, scripts: Sequence[str], data: Mapping[str, Any], **of: Any) -> str:
    """A page as one HTML document; `data` is what its scripts read."""
    return (
        environment()
        .get_template(template)
        .render(
            style=Markup("").join(map(asset, STYLES)),
            scripts=[asset(name) for name in ("page.js", *scripts)],
            data=script_json(data),
            **of,
        )
    )


@cache
def compressed(script: str) -> str:
    """A script as base64 of gzip, the same for the same text: a library is some three times smaller so."""
    return base64.b64encode(gzip.compress(script.encode(), mtime=0)).decode()


def script_json(value: Mapping[str, Any]) -> Markup:
    """Value as JSON that no text in it can end: inside a script element `<`, `>` and `&` are escaped."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    escaped = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return Markup(escaped)  # noqa: S704  (nothing left that HTML reads)


def evenly(count: int, limit: int) -> list[int]:
    """Positions of all of count things, or of limit of them, evenly spaced with both ends."""
    if count <= limit:
        return list(range(count))
    return [index * (count - 1) // (limit - 1) for index in range(limit)]
