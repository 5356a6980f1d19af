"""The templates of this room, and the files beside them that become part of what they make."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pvtsearch.accuracy.cards import verdict
from pvtsearch.report import quantities

FILTERS = ("readable", "exact", "exact_with_unit", "label", "magnitude", "percent", "plural")


@cache
def environment() -> Environment:
    """Where templates are found and how they are filled: text is escaped, an unknown name is an error."""
    made = Environment(
        loader=PackageLoader("pvtsearch", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {name: getattr(quantities, name) for name in FILTERS} | {"verdict": verdict}
    return made


@cache
def asset(name: str) -> Markup:
    """A file beside the templates that becomes part of a page as it is."""
    return Markup((Path(__file__).parent / name).read_text(encoding="utf-8"))  # noqa: S704  (a file of this package)
