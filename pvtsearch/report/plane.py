"""Points and lines over two quantities: rooflines, predicted beside measured, fronts for paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pvtsearch.report.drawing import Drawing, drawing
from pvtsearch.report.ticks import Axis, short

LEFT, RIGHT, TOP, BOTTOM = 64, 18, 76, 50
KEY_LINE = 18
CHARACTER = 6.4  # pixels of a letter of a label

Shape = Literal["circle", "diamond"]


class Spot(NamedTuple):
    """A point with what is said of it, and a label where there is room."""

    x: float
    y: float
    words: str
    label: str = ""


@dataclass(frozen=True)
class Dots:
    """Points that belong together; style is their colour (0: grey), faint ones stand back."""

    name: str
    style: int
    spots: Sequence[Spot]
    shape: Shape = "circle"
    faint: bool = False


@dataclass(frozen=True)
class Path:
    """A line through points, in the key where it has a name."""

    name: str
    style: int
    points: Sequence[tuple[float, float]]
    dashed: bool = False


@dataclass(frozen=True)
class Plane:
    """A figure over two axes; what lies beyond `x_limit` or `y_limit` is shaded."""

    name: str
    title: str
    subtitle: str
    description: str
    x: Axis
    y: Axis
    paths: Sequence[Path] = ()
    dots: Sequence[Dots] = ()
    x_limit: float | None = None
    y_limit: float | None = None
    width: int = 540
    height: int = 380


class Pixels(NamedTuple):
    """A frame in pixels, and what stands where in it."""

    plane: Plane

    def x(self, value: float) -> float:
        """Pixels from the left."""
        return round(LEFT + (self.plane.width - LEFT - RIGHT) * self.plane.x.share(value), 1)

    def y(self, value: float) -> float:
        """Pixels from the top."""
        return round(self.plane.height - BOTTOM - (self.plane.height - BOTTOM - TOP) * self.plane.y.share(value), 1)


def drawn(plane: Plane) -> Drawing:
    """The figure as SVG."""
    to = Pixels(plane)
    return drawing(
        plane.name, plane.title, plane.description, plane.width, plane.height, "plane.svg.j2",
        plane=plane,
        x_ticks=[(to.x(tick), short(tick)) for tick in plane.x.ticks],
        y_ticks=[(to.y(tick), short(tick)) for tick in plane.y.ticks],
        paths=[(path, "M" + "L".join(f"{to.x(x)} {to.y(y)}" for x, y in path.points)) for path in plane.paths],
        groups=[(dots, [(spot, to.x(spot.x), to.y(spot.y)) for spot in dots.spots]) for dots in plane.dots],
        labels=labels(to),
        beyond=_beyond(to),
        key=_key(plane),
        left=LEFT, right=plane.width - RIGHT, top=TOP, bottom=plane.height - BOTTOM,
        frame=f"frame-{plane.name}",
    )  # fmt: skip


def _key(plane: Plane) -> list[tuple[Dots | Path, str, float]]:
    """What has a name, with its kind and its place in a row."""
    named: list[tuple[Dots | Path, str]] = [(each, "dots") for each in plane.dots if each.name and each.spots]
    named += [(each, "path") for each in plane.paths if each.name]
    placed, x = [], float(LEFT)
    for each, kind in named:
        placed.append((each, kind, x))
        x += 34 + CHARACTER * len(each.name)
    return placed


def _beyond(to: Pixels) -> list[tuple[float, float, float, float]]:
    """Rectangles beyond the limits: x, y, width, height."""
    plane, right, bottom = to.plane, to.plane.width - RIGHT, to.plane.height - BOTTOM
    found = []
    if plane.x_limit is not None and plane.x_limit < plane.x.high:
        found.append((to.x(plane.x_limit), float(TOP), right - to.x(plane.x_limit), float(bottom - TOP)))
    if plane.y_limit is not None and plane.y_limit < plane.y.high:
        found.append((float(LEFT), float(TOP), float(right - LEFT), to.y(plane.y_limit) - TOP))
    return found


def labels(to: Pixels) -> list[tuple[str, float, float, str]]:
    """Labels of spots, each at the first side where it meets nothing, and left out where there is none."""
    taken = [
        (to.x(s.x) - 4, to.y(s.y) - 4, to.x(s.x) + 4, to.y(s.y) + 4)
        for d in to.plane.dots
        if not d.faint
        for s in d.spots
    ]
    found = []
    for spot in (spot for dots in to.plane.dots for spot in dots.spots if spot.label):
        x, y, length = to.x(spot.x), to.y(spot.y), CHARACTER * len(spot.label)
        sides = ((x + 8, y + 4, "start"), (x - 8, y + 4, "end"), (x, y - 9, "middle"), (x, y + 17, "middle"))
        for left, base, anchor in sides:
            start = left - {"start": 0.0, "end": length, "middle": length / 2}[anchor]
            box = (start, base - 10, start + length, base + 3)
            inside = box[0] >= LEFT and box[2] <= to.plane.width and box[1] >= TOP - 12
            if inside and not any(_meet(box, other) for other in taken):
                taken.append(box)
                found.append((spot.label, round(left, 1), round(base, 1), anchor))
                break
    return found


def _meet(a: tuple[float, ...], b: tuple[float, ...]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
