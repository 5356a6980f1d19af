"""A figure as SVG, without a browser or a plotting library: a document of its own, or a part of a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from pvtsearch.report.templates import asset, environment

STYLES = 6  # colours of curves and dots; from the seventh on they come again, dashed


@dataclass(frozen=True)
class Drawing:
    """What is drawn, in pixels of its own; `description` says in words what is to be seen, `name` is its file's."""

    name: str
    title: str
    description: str
    width: float
    height: float
    body: Markup
    role: str = "img"  # `group` where parts of it can be selected

    @property
    def inline(self) -> Markup:
        """The drawing as a part of a page, which has the style."""
        return Markup(_svg(self, Markup("")))  # noqa: S704  (the template escapes)


def drawing(name: str, title: str, description: str, width: float, height: float, template: str, **of: Any) -> Drawing:
    """A drawing whose body is a filled template; texts are escaped."""
    body = environment().get_template(template).render(width=width, height=height, **of)
    return Drawing(name, title, description, width, round(height, 1), Markup(body))  # noqa: S704  (the template escapes)


def document(drawn: Drawing) -> str:
    """A drawing as an SVG document that carries its style, light and dark by the reader's setting."""
    return _svg(drawn, asset("palette.css") + asset("drawing.css"))


def _svg(drawn: Drawing, style: Markup) -> str:
    return environment().get_template("drawing.svg.j2").render(drawing=drawn, style=style).strip() + "\n"


def style_of(place: int) -> int:
    """The colour of the curve or dots at a place, from 0: the grey one is left for what stands back."""
    return place % STYLES + 1


def is_dashed(place: int) -> bool:
    """Whether the curve at a place shares its colour with an earlier one and is told apart by dashes."""
    return place // STYLES % 2 == 1


def shortened(text: str, length: int) -> str:
    """A text of at most so many characters, its middle left out."""
    if len(text) <= length:
        return text
    head = (length - 1) * 2 // 3
    return f"{text[:head]}…{text[head - length + 1 :]}"
