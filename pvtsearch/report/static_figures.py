"""The figures of a search as SVG, without a browser: for papers, and for the parts of the page that nobody turns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from pvtsearch.report.drawing import Drawing
from pvtsearch.report.front_lines import exact_line, foremost_pair, front_line, nearby, staircase
from pvtsearch.report.knobs import knobs_figure
from pvtsearch.report.landmarks import LandmarkRow
from pvtsearch.report.page import evenly
from pvtsearch.report.plane import Dots, Path, Plane, Spot, drawn
from pvtsearch.report.quantities import Quantity, readable
from pvtsearch.report.rows import NetworkRow, ReportRows
from pvtsearch.report.ticks import Axis, around, from_zero, logarithmic

MAX_TRIALS = 2000
LOG_FROM_RATIO = 30
NS_PER_MS = 1e6


def front_drawing(rows: ReportRows) -> Drawing | None:
    """The front on its foremost axes, with some of the trials, the budget and published networks near it."""
    x, y = (_quantity(rows, name) for name in foremost_pair(rows).split("|"))
    shown = [network.values for network in (*rows.front, *rows.trials)]
    if not shown:
        return None
    shown += nearby(rows, shown, x, y)
    across, up = (_axis(q, [values[q.name] for values in shown]) for q in (x, y))
    landmarks = [row for row in rows.landmarks if _within(row.values, x, across) and _within(row.values, y, up)]
    front = sorted(rows.front, key=lambda network: network.values[x.name])
    trials = [rows.trials[place] for place in evenly(len(rows.trials), MAX_TRIALS)]
    groups = [
        Dots("evaluated", 0, [_place(t, x, y, "")._replace(words="") for t in trials], faint=True),
        Dots("published", 2, [_place(n, x, y, n.name) for n in landmarks], shape="diamond"),
        Dots("front", 1, [_place(n, x, y, "") for n in front]),
    ]
    steps = _steps([(n.values[x.name], n.values[y.name]) for n in front], rows, x, y)
    best = exact_line(rows, x.name, y.name)
    proven = _steps(sorted(zip(best["x"], best["y"], strict=True)), rows, x, y)
    paths = [*([Path("exact front", 4, proven)] if proven else []), *([Path("", 1, steps)] if steps else [])]
    return drawn(
        Plane(
            "front", f"{y.label} over {x.label}", "Shaded: beyond the budget." if x.limit or y.limit else "",
            rows.headline, across, up, paths=paths, dots=groups,
            x_limit=x.limit, y_limit=y.limit, width=960, height=540,
        )
    )  # fmt: skip


def _place(network: NetworkRow | LandmarkRow, x: Quantity, y: Quantity, label: str) -> Spot:
    return Spot(network.values[x.name], network.values[y.name], network.name, label)


def _quantity(rows: ReportRows, name: str) -> Quantity:
    return next(quantity for quantity in rows.quantities if quantity.name == name)


def _axis(quantity: Quantity, values: Sequence[float]) -> Axis:
    bounds = [*values, *([quantity.limit] if quantity.limit is not None else [])]
    if min(bounds) > 0 and max(bounds) / min(bounds) >= LOG_FROM_RATIO:
        return logarithmic(quantity.title, bounds)
    return around(quantity.title, bounds, count=6)


def _within(values: Mapping[str, float], quantity: Quantity, axis: Axis) -> bool:
    return quantity.name in values and axis.low <= values[quantity.name] <= axis.high


def _steps(
    points: Sequence[tuple[float, float]], rows: ReportRows, x: Quantity, y: Quantity
) -> list[tuple[float, float]]:
    """The staircase through a front where its axes are the two objectives."""
    if front_line(rows, x.name, y.name)["mode"] == "markers" or len(points) < 2:
        return []
    flat_first = staircase(rows, x.name, [across for across, _up in points]) == "hv"
    corners = [(c, b) if flat_first else (a, d) for (a, b), (c, d) in pairwise(points)]
    return [point for pair in zip(points, [*corners, points[-1]], strict=True) for point in pair]


def progress_drawing(rows: ReportRows) -> Drawing | None:
    """The share of the exact front over the networks evaluated."""
    if not rows.progress:
        return None
    steps = [(row.evaluated, row.share) for row in rows.progress]
    corners = [point for (a, b), (c, d) in pairwise(steps) for point in ((a, b), (c, b))] + [steps[-1]]
    x = from_zero("networks evaluated", [row.evaluated for row in rows.progress])
    return drawn(
        Plane(
            "progress", "Share of the exact front", f"From {rows.reference} on.",
            f"After {steps[-1][0]:,} networks {steps[-1][1]:.1%} of the exact front.", x,
            Axis("share of the exact front", 0, 1, (0, 0.25, 0.5, 0.75, 1)),
            paths=[Path("", 1, corners)], width=960, height=340,
        )
    )  # fmt: skip


def latency_drawing(rows: ReportRows) -> Drawing | None:
    """Predicted latency beside measured, of the networks that were measured; on the line a prediction was right."""
    found = [(network, network.measured_ns) for network in rows.front if network.measured_ns is not None]
    if not found:
        return None
    spots = [_spot(network.name, network.values["latency_ms"], taken / NS_PER_MS) for network, taken in found]
    title, said = "Predicted beside measured latency", "Networks of the front that were measured."
    return drawn(predicted_plane("predicted-measured", title, said, [Dots("", 1, spots)]))


def _spot(name: str, predicted_ms: float, measured_ms: float) -> Spot:
    said = f"{name}: predicted {readable('latency_ms', predicted_ms)}, measured {readable('latency_ms', measured_ms)}"
    return Spot(predicted_ms, measured_ms, said)


def predicted_plane(name: str, title: str, subtitle: str, groups: Sequence[Dots]) -> Plane:
    """A square of predicted over measured milliseconds, with the line where the two are equal."""
    spots = [spot for dots in groups for spot in dots.spots]
    values = [value for spot in spots for value in (spot.x, spot.y)]
    axis = around("predicted, ms", values)
    up = Axis("measured, ms", axis.low, axis.high, axis.ticks)
    off = sum(abs(spot.x / spot.y - 1) for spot in spots) / len(spots)
    said = f"{len(spots):,} networks, predictions {off:.1%} off on average."
    equal = Path("predicted = measured", 0, [(axis.low, axis.low), (axis.high, axis.high)], dashed=True)
    return Plane(name, title, subtitle, said, axis, up, paths=[equal], dots=groups, height=460)


STATIC_FIGURES: dict[str, Callable[[ReportRows], Drawing | None]] = {
    "front": front_drawing,
    "progress": progress_drawing,
    "knobs": knobs_figure,
    "predicted-measured": latency_drawing,
}


def static_figures(rows: ReportRows) -> dict[str, Drawing]:
    """Every figure that these rows have, by name."""
    found = {name: figure(rows) for name, figure in STATIC_FIGURES.items()}
    return {name: each for name, each in found.items() if each is not None}
