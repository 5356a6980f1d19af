"""What networks have in common and where they differ: parallel lines over the knobs of their stages.

The networks of a front are lines. All others, of which there may be thousands, are counted between neighbouring axes:
the more of them go from a value to another, the stronger the line between the two.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from pvtsearch.report.drawing import Drawing, drawing
from pvtsearch.report.quantities import Quantity, readable
from pvtsearch.report.rows import NetworkRow, ReportRows, StageRow

LEFT, TOP, BOTTOM, AXIS_HEIGHT, STEP, LEAST_WIDTH = 30, 80, 20, 300, 70, 660
BINS = 24  # of a quantity, where lines are counted
MAX_LINES = 200
MAX_TICKS = 9
WORDS = {"embed_dim": "width", "depth": "depth", "num_heads": "heads", "mlp_ratio": "MLP", "reduction": "reduction",
         "patch_size": "patch"}  # fmt: skip


@dataclass(frozen=True)
class Axis:
    """A knob of a stage, or a quantity: what values it takes, in order, and the words for each."""

    stage: int  # 0: a quantity
    title: str
    values: tuple[float | str, ...]
    ticks: tuple[tuple[float, str], ...]  # share of the height from the bottom, words

    def share(self, value: float | str) -> float:
        """Where a value stands, from 0 at the bottom to 1: by rank among a knob's values, by size of a quantity."""
        if self.stage:
            return (self.values.index(value) + 0.5) / len(self.values)
        low, high = float(self.values[0]), float(self.values[-1])
        return 0.5 if high == low else 0.04 + 0.92 * (float(value) - low) / (high - low)


@dataclass(frozen=True)
class Line:
    """A network of the front by its place in it, with its values on the axes."""

    place: int
    name: str
    values: tuple[float | str, ...]


def knobs_figure(rows: ReportRows) -> Drawing | None:
    """The figure, or None where no knob takes two values."""
    networks = (*rows.front, *rows.trials)
    knobs = knob_axes(networks)
    shown = [quantity for quantity in rows.quantities if quantity.name in rows.objectives]
    if not knobs:
        return None
    axes = [*knobs, *(_quantity_axis(quantity, networks) for quantity in shown)]
    names = [quantity.name for quantity in shown]
    lines = [Line(place, rows.front[place].name, values_of(rows.front[place], knobs, names)) for place in _some(rows)]
    others = [values_of(network, knobs, names) for network in rows.trials]
    return replace(_drawn(axes, lines, others), role="group")


def _some(rows: ReportRows) -> list[int]:
    """Places of the front, or of as many as are drawn, evenly."""
    count = len(rows.front)
    return list(range(count)) if count <= MAX_LINES else [i * (count - 1) // (MAX_LINES - 1) for i in range(MAX_LINES)]


def knob_axes(networks: Sequence[NetworkRow]) -> list[Axis]:
    """An axis for every knob that takes more than one value, stage by stage; those of fewer stages are left out."""
    count = min((len(network.stages) for network in networks), default=0)
    axes = []
    for place in range(count):
        stages = {network.stages[place] for network in networks}
        for knob, word in WORDS.items():
            values = sorted({getattr(stage, knob) for stage in stages}, key=_order)
            if len(values) > 1:
                axes.append(Axis(place + 1, word, tuple(values), _ticks(values)))
    return axes


def _order(value: float | str) -> tuple[str, float]:
    """Numbers by size; reductions by kind, then by size."""
    if isinstance(value, str):
        kind, _, number = value.partition(" ")
        return kind, float(number)
    return "", value


def _ticks(values: Sequence[float | str]) -> tuple[tuple[float, str], ...]:
    every = -(-len(values) // MAX_TICKS)
    named = [(place, f"{value:g}" if isinstance(value, int | float) else value) for place, value in enumerate(values)]
    return tuple(((place + 0.5) / len(values), words) for place, words in named if place % every == 0)


def _quantity_axis(quantity: Quantity, networks: Sequence[NetworkRow]) -> Axis:
    found = [network.values[quantity.name] for network in networks]
    low, high = min(found), max(found)
    ends = ((0.04, readable(quantity.name, low)), (0.96, readable(quantity.name, high)))
    return Axis(0, quantity.label, (low, high), ends if high > low else ((0.5, readable(quantity.name, low)),))


def values_of(network: NetworkRow, knobs: Sequence[Axis], quantities: Sequence[str]) -> tuple[float | str, ...]:
    """A network's values on the axes."""
    attributes = {word: knob for knob, word in WORDS.items()}
    own = [_value(network.stages[axis.stage - 1], attributes[axis.title]) for axis in knobs]
    return (*own, *(network.values[name] for name in quantities))


def _value(stage: StageRow, knob: str) -> float | str:
    value: float | str = getattr(stage, knob)
    return value


def flows(axes: Sequence[Axis], others: Sequence[tuple[float | str, ...]]) -> list[tuple[int, float, float, float]]:
    """How many go from where to where: left axis, shares of height on both, and share of the most that do."""
    heights = [[_binned(axis, value) for axis, value in zip(axes, values, strict=True)] for values in others]
    found = []
    for left in range(len(axes) - 1):
        counted = Counter((each[left], each[left + 1]) for each in heights)
        most = max(counted.values(), default=1)
        found += [(left, begin, end, count / most) for (begin, end), count in sorted(counted.items())]
    return found


def _binned(axis: Axis, value: float | str) -> float:
    share = axis.share(value)
    return share if axis.stage else (int(share * BINS) + 0.5) / BINS


def _drawn(axes: Sequence[Axis], lines: Sequence[Line], others: Sequence[tuple[float | str, ...]]) -> Drawing:
    width = max(LEAST_WIDTH, 2 * LEFT + STEP * (len(axes) - 1) + 20)
    step = (width - 2 * LEFT - 20) / max(1, len(axes) - 1)
    x = [round(LEFT + step * place, 1) for place in range(len(axes))]
    said = [f"{a.title} of stage {a.stage}: {len(a.values)} values" if a.stage else a.title for a in axes]
    return drawing(
        "knobs",
        "Knobs of the networks found",
        f"A line for each of {len(lines)} networks of the front, over {'; '.join(said)}.",
        width,
        TOP + AXIS_HEIGHT + BOTTOM,
        "knobs.svg.j2",
        axes=list(zip(x, axes, strict=True)),
        stages=[(number, x[at[0]], x[at[-1]]) for number, at in _stages(axes).items()],
        lines=[(line, _path(x, axes, line.values), _ranks(axes, line.values)) for line in lines],
        flows=[
            (x[left], _y(begin), x[left + 1], _y(end), round(0.06 + 0.5 * share, 2))
            for left, begin, end, share in flows(axes, others)
        ],
        y=_y,
        top=TOP,
        bottom=TOP + AXIS_HEIGHT,
    )


def _stages(axes: Sequence[Axis]) -> dict[int, list[int]]:
    """The places of the axes of every stage."""
    found: dict[int, list[int]] = {}
    for place, axis in enumerate(axes):
        if axis.stage:
            found.setdefault(axis.stage, []).append(place)
    return found


def _y(share: float) -> float:
    return round(TOP + AXIS_HEIGHT * (1 - share), 1)


def _path(x: Sequence[float], axes: Sequence[Axis], values: Sequence[float | str]) -> str:
    """A line that leaves and reaches its axes level."""
    places = [(left, _y(axis.share(value))) for left, axis, value in zip(x, axes, values, strict=True)]
    curves = [
        f"C{round((a + c) / 2, 1)} {b} {round((a + c) / 2, 1)} {d} {c} {d}" for (a, b), (c, d) in pairwise(places)
    ]
    return f"M{places[0][0]} {places[0][1]}{''.join(curves)}"


def _ranks(axes: Sequence[Axis], values: Sequence[float | str]) -> str:
    """The number of the value on each axis of a knob."""
    return ",".join(str(a.values.index(value)) for a, value in zip(axes, values, strict=True) if a.stage)
