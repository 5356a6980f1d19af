"""What figures share, as plain data: colours, fonts, axes and their range, and the budget drawn on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pvtsearch.report.quantities import Quantity, readable

BLUE, VERMILLION, PURPLE, GREY = "#0072B2", "#D55E00", "#CC79A7", "#8a929c"  # Okabe and Ito (2008), and a grey
MONOSPACE = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"
SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
LOG_FROM_RATIO = 30
PADDING = 0.07
LIMIT_COLOUR = "#009E73"
BEYOND = "rgba(128,128,128,0.13)"


class Span(NamedTuple):
    """From and to in data units; `farthest` is the largest value drawn at all, seen after zooming out."""

    low: float
    high: float
    farthest: float
    log: bool


def plain_layout() -> dict[str, Any]:
    """What figures share: no background, so that the page's light or dark one is theirs."""
    axis = {"gridcolor": "rgba(128,128,128,0.2)", "zeroline": False, "linecolor": "rgba(128,128,128,0.6)"}
    return {
        "template": {"layout": {"xaxis": axis, "yaxis": axis}},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": SANS, "size": 13, "color": "#747c86"},
        "hoverlabel": {"align": "left", "font": {"family": MONOSPACE, "size": 12}},
        "hovermode": "closest",
        "dragmode": "zoom",
    }


def axis_range(values: Sequence[float], landmarks: Sequence[float], limit: float | None) -> Span:
    """The span that shows all values and the limit with some air; with fewer than two values, the landmarks too.

    Logarithmic where the values span a factor of 30 or more: there linear axes squeeze the small half into a corner.
    """
    limits = [limit] if limit is not None else []
    shown = [*values, *limits, *(landmarks if len(set(values)) < 2 else [])] or [0, 1]
    low, high = min(shown), max(shown)
    farthest = max([high, *landmarks])
    if low > 0 and high / low >= LOG_FROM_RATIO:
        air = (high / low) ** PADDING
        return Span(low / air, high * air, farthest * air, log=True)
    air = PADDING * (high - low) or 0.1 * abs(high) or 1.0
    return Span(low - air, high + air, max(farthest, high) + air, log=False)


def axis_layout(quantity: Quantity, span: Span) -> dict[str, Any]:
    """Title, scale and range of an axis."""
    bounds = [math.log10(span.low), math.log10(span.high)] if span.log else [span.low, span.high]
    return {
        **axis_title(quantity.title),
        "type": "log" if span.log else "linear",
        "range": bounds,
        "tickformat": "," if quantity.is_score else "~s",
        "nticks": 8,
        "dtick": "D2" if span.log else None,
    }


def axis_title(text: str) -> dict[str, Any]:
    """A title close to its axis."""
    return {"title": {"text": text, "font": {"size": 13}, "standoff": 10}}


def limit_shapes(x: Quantity, y: Quantity, across: Span, up: Span) -> tuple[list[Any], list[Any]]:
    """Shapes and annotations of the budget: a dashed line at each limit, shade beyond it, the limit in words."""
    shapes: list[Any] = []
    annotations: list[Any] = []
    # Networks without a score are ticks at the left of its axis: the label goes where they are not.
    side: Literal["left", "right"] = "right" if x.is_score else "left"
    axes: tuple[tuple[Literal["x", "y"], Quantity, Span], ...] = (("x", x, across), ("y", y, up))
    for axis, quantity, span in axes:
        if quantity.limit is not None:
            shapes += [_beyond(axis, quantity.limit, span), _line(axis, quantity.limit)]
            annotations.append(_limit_label(axis, quantity.name, quantity.limit, span, side))
    return shapes, annotations


def _box(axis: Literal["x", "y"], start: float, end: float) -> dict[str, Any]:
    other = "y" if axis == "x" else "x"
    return {f"{axis}0": start, f"{axis}1": end, f"{other}0": 0, f"{other}1": 1, f"{other}ref": "paper"}


def _beyond(axis: Literal["x", "y"], limit: float, span: Span) -> dict[str, Any]:
    box = _box(axis, limit, max(span.high, span.farthest))
    return {"type": "rect", **box, "fillcolor": BEYOND, "line": {"width": 0}, "layer": "below"}


def _line(axis: Literal["x", "y"], limit: float) -> dict[str, Any]:
    return {
        "type": "line",
        **_box(axis, limit, limit),
        "line": {"dash": "dash", "width": 1.5, "color": LIMIT_COLOUR},
        "layer": "below",
    }


def _limit_label(axis: Literal["x", "y"], name: str, limit: float, span: Span, side: Literal["left", "right"]) -> Any:
    """The limit in words: above the line of x; over the line of y, at a side."""
    place = math.log10(limit) if span.log else limit
    at_top = {"x": place, "y": 1, "yref": "paper", "xanchor": "right", "yanchor": "bottom"}
    at_side = {"x": 0.005 if side == "left" else 1, "xref": "paper", "y": place, "xanchor": side, "yanchor": "bottom"}
    return {"text": f"budget {readable(name, limit)}", "showarrow": False, **(at_top if axis == "x" else at_side)}
