"""Networks as drawn pyramids, all of a page on one scale.

Length is depth, height is resolution, and width, to the back, channels. Stages stand in columns, so that each is seen
beside its like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from pvtsearch.report.drawing import Drawing, drawing, shortened
from pvtsearch.report.shapes import DrawnStage, largest
from pvtsearch.report.templates import environment

WIDTH, FLOOR, LABELS = 340, 118, 38
TALLEST, FARTHEST = 84.0, 52.0  # pixels of the largest map's side, and of the most channels
ACROSS, UP = 0.8, 0.6  # a step to the back, to the right and upwards
GAP, LEAST_COLUMN = 10.0, 55.0  # a column holds its labels
LONGEST_BLOCK = 9.0
COLUMNS, MARGIN, HEADING = 3, 24, 22


class Box(NamedTuple):
    """A stage in pixels of its column; the template draws its three faces, and cuts between blocks."""

    part: int
    x: float
    length: float
    height: float
    across: float
    up: float
    floor: int
    roof: float
    cuts: str
    size: str
    side: str
    words: str


@dataclass(frozen=True)
class Scale:
    """What all pyramids of a page share: where columns begin, and pixels for a block, a token and a channel."""

    columns: tuple[float, ...]
    block: float
    token: float
    channel: float


def scale_of(pyramids: Sequence[Sequence[DrawnStage]]) -> Scale:
    """The scale that fits every pyramid into `WIDTH`."""
    depths, channels = largest(pyramids)
    channel = FARTHEST / max(channels, default=1)
    token = TALLEST / max((stage.grid.height for each in pyramids for stage in each), default=1)
    backs = [ACROSS * channel * each + GAP for each in channels]
    block = LONGEST_BLOCK
    while sum(_widths(depths, backs, block)) > WIDTH and block > 0.5:
        block *= 0.95
    return Scale(tuple(accumulate(_widths(depths, backs, block), initial=0.0)), block, token, channel)


def _widths(depths: Sequence[int], backs: Sequence[float], block: float) -> list[float]:
    return [max(LEAST_COLUMN, depth * block + back) for depth, back in zip(depths, backs, strict=True)]


def boxes(stages: Sequence[DrawnStage], scale: Scale) -> list[Box]:
    """The stages of a network on a scale."""
    return [_box(place, stage, scale) for place, stage in enumerate(stages)]


def _box(place: int, stage: DrawnStage, scale: Scale) -> Box:
    length, height = max(1.5, stage.depth * scale.block), max(1.5, stage.grid.height * scale.token)
    back = max(1.5, stage.channels * scale.channel)
    cuts = "".join(f"M{round(n * scale.block, 1)} {FLOOR}v-{round(height, 1)}" for n in range(1, stage.depth))
    return Box(
        part=place + 1,
        x=round(scale.columns[place], 1),
        length=round(length, 1),
        height=round(height, 1),
        across=round(ACROSS * back, 1),
        up=round(UP * back, 1),
        floor=FLOOR,
        roof=round(FLOOR - height, 1),
        cuts=cuts if scale.block >= 3 else "",
        size=f"{stage.channels} × {stage.depth}",
        side=f"{stage.grid.height} × {stage.grid.width}",
        words=stage.in_words,
    )


def pyramid(name: str, stages: Sequence[DrawnStage], scale: Scale) -> Drawing:
    """One network, for a page that says what it is."""
    placed = [{"title": "", "boxes": boxes(stages, scale)}]
    return drawing(
        f"pyramid-{name}",
        f"Pyramid of {name}",
        in_words(stages),
        WIDTH,
        FLOOR + LABELS,
        "pyramid.svg.j2",
        pyramids=placed,
    )


def pyramids(named: Mapping[str, Sequence[DrawnStage]]) -> Drawing:
    """All networks in rows, each under its name, as one drawing."""
    scale, tall = scale_of(list(named.values())), HEADING + FLOOR + LABELS + MARGIN
    across = min(COLUMNS, max(1, len(named)))
    placed = [
        {
            "title": shortened(name, 44),
            "boxes": boxes(stages, scale),
            "x": MARGIN + (WIDTH + MARGIN) * (place % across),
            "y": MARGIN + tall * (place // across),
        }
        for place, (name, stages) in enumerate(named.items())
    ]
    height = MARGIN + tall * -(-len(named) // across)
    said = "; ".join(f"{name}: {in_words(stages)}" for name, stages in named.items())
    title = "Pyramids on one scale: length is depth, height resolution, width channels"
    return drawing(
        "pyramids", title, said, MARGIN + across * (WIDTH + MARGIN), height, "pyramid.svg.j2",
        pyramids=placed, heading=HEADING,
    )  # fmt: skip


def in_words(stages: Sequence[DrawnStage]) -> str:
    """Stage by stage."""
    return "; ".join(f"stage {number}: {stage.in_words}" for number, stage in enumerate(stages, start=1))


def fragment(box: Box) -> str:
    """One stage as SVG, for a page whose script puts networks together."""
    made: str = environment().get_template("pyramid.svg.j2").make_module({"pyramids": ()}).box(box)  # type: ignore[attr-defined]
    return str(made).strip()
