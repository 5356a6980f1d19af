"""A chart of lines as SVG: labels at the curves, crossings marked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from pvtsearch.report.drawing import Drawing, document, drawing, is_dashed, shortened, style_of
from pvtsearch.report.ticks import short

WIDTH, PLOT_HEIGHT = 960, 420
LEFT, RIGHT, TOP, BOTTOM = 76, 148, 96, 66
MARGIN = 24
LABEL_GAP = 20  # between the labels of two curves
KEY_COLUMNS, KEY_LINE = 3, 22
LABEL_LENGTH = 16


class Point(NamedTuple):
    """A place, in the chart's quantities or in pixels."""

    x: float
    y: float


@dataclass(frozen=True)
class Line:
    """A labelled curve; style is its place among colours and dashes, from 1."""

    label: str
    style: int
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Mark:
    """A crossing, numbered in the picture and explained below it."""

    place: Point
    caption: str


@dataclass(frozen=True)
class Chart:
    """What is drawn. Axes begin at 0 and end at their last tick; a curve that leaves the frame is labelled there."""

    title: str
    subtitle: str
    x_title: str
    y_title: str
    x_ticks: Sequence[int]
    y_ticks: Sequence[float]
    lines: Sequence[Line]
    marks: Sequence[Mark]
    name: str = "chart"


class Label(NamedTuple):
    """Text beside a curve's end, and where the line that leads to it begins."""

    text: str
    style: int
    end: Point
    y: float
    leaves: bool


def svg(chart: Chart) -> str:
    """The chart as an SVG document; the same text for the same chart."""
    return document(drawn(chart))


def drawn(chart: Chart) -> Drawing:
    """The chart as a drawing."""
    frame = Frame(chart.x_ticks[-1], chart.y_ticks[-1])
    key_rows = -(-len(chart.marks) // KEY_COLUMNS)
    crossings = [(number, frame.pixels(mark.place), mark.caption) for number, mark in enumerate(chart.marks, start=1)]
    return drawing(
        chart.name,
        chart.title,
        " ".join((chart.subtitle, *(f"{caption}." for _number, _place, caption in crossings))),
        WIDTH,
        TOP + PLOT_HEIGHT + BOTTOM + KEY_LINE * key_rows + 16,
        "chart.svg.j2",
        chart=chart,
        frame=frame,
        right=WIDTH - RIGHT,
        left=LEFT,
        top=TOP,
        bottom=TOP + PLOT_HEIGHT,
        paths=[(line.style, path(frame, line.points)) for line in chart.lines],
        labels=list(labels(frame, chart.lines)),
        marks=crossings,
        margin=MARGIN,
        key_column=(WIDTH - 2 * MARGIN) // KEY_COLUMNS,
        key_columns=KEY_COLUMNS,
        key_line=KEY_LINE,
        clip=f"frame-{chart.name}",
        colour=style_of,
        dashed=is_dashed,
        short=short,
    )


@dataclass(frozen=True)
class Frame:
    """The scales: from 0 to the largest x and y, to pixels."""

    x_end: float
    y_end: float

    def x(self, value: float) -> float:
        """Pixels from the left."""
        return round(LEFT + (WIDTH - LEFT - RIGHT) * value / self.x_end, 1)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        return round(TOP + PLOT_HEIGHT * (1 - value / self.y_end), 1)

    def pixels(self, point: Point) -> Point:
        """A place in pixels."""
        return Point(self.x(point.x), self.y(point.y))


def path(frame: Frame, points: Sequence[Point]) -> str:
    """The `d` of a path through points; what is outside the frame is clipped when drawn."""
    return "M" + " L".join(f"{x} {y}" for x, y in map(frame.pixels, points))


def last_inside(frame: Frame, points: Sequence[Point]) -> Point:
    """Where a curve ends, or leaves the frame through its top."""
    for before, after in pairwise(points):
        if before.y <= frame.y_end < after.y:
            share = (frame.y_end - before.y) / (after.y - before.y)
            return Point(before.x + share * (after.x - before.x), frame.y_end)
    return points[-1]


def labels(frame: Frame, lines: Sequence[Line]) -> Iterator[Label]:
    """A label per line, those at the right edge moved apart so that none covers another."""
    ends = [(line, last_inside(frame, line.points)) for line in lines]
    at_edge = [(line, frame.pixels(end)) for line, end in ends if end == line.points[-1]]
    for line, end in ends:
        if end != line.points[-1]:
            place = frame.pixels(end)
            yield Label(shortened(line.label, LABEL_LENGTH), line.style, place, place.y, leaves=True)
    at_edge.sort(key=lambda each: each[1].y)
    for (line, end), y in zip(at_edge, spread([end.y for _line, end in at_edge]), strict=True):
        yield Label(shortened(line.label, LABEL_LENGTH), line.style, end, y, leaves=False)


def spread(heights: Sequence[float]) -> list[float]:
    """Sorted heights, moved as little as keeps neighbours `LABEL_GAP` apart: groups that touch share their shift."""
    groups: list[list[float]] = []
    for height in heights:
        groups.append([height])
        while len(groups) > 1 and _top(groups[-1]) - _top(groups[-2]) < LABEL_GAP * len(groups[-2]):
            last = groups.pop()
            groups[-1] += last
    return [round(_top(group) + LABEL_GAP * place, 1) for group in groups for place in range(len(group))]


def _top(group: Sequence[float]) -> float:
    """The first height of a group that is evenly spaced around its mean."""
    return sum(group) / len(group) - LABEL_GAP * (len(group) - 1) / 2
