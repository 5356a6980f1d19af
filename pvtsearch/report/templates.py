"""The templates of this room."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined


def environment() -> Environment:
    """Where templates are found and how they are filled: text is escaped, an unknown name is an error."""
    return Environment(
        loader=PackageLoader("pvtsearch", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
