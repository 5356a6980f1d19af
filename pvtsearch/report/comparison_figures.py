"""The figures of a comparison, as SVG: each of the networks' costs, and of what is known of devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pvtsearch.analysis.scaling import Crossing, crossings
from pvtsearch.report.bars import Part, Row, Rows, dotted, stacked
from pvtsearch.report.chart import Chart, Line, Mark, Point
from pvtsearch.report.chart import drawn as charted
from pvtsearch.report.comparison import Comparison, DeviceView
from pvtsearch.report.drawing import Drawing, style_of
from pvtsearch.report.networks import ComparedNetwork
from pvtsearch.report.plane import Dots, Path, Plane, Spot
from pvtsearch.report.plane import drawn as placed
from pvtsearch.report.pyramid import pyramids
from pvtsearch.report.quantities import readable
from pvtsearch.report.ticks import from_zero, logarithmic

MIB, NS_PER_MS = 2**20, 1e6
UNITS = {"macs": ("GMACs", 10**9), "inference_peak_bytes": ("MiB", MIB)}
CURVE_TITLES = {"macs": "MACs by side of the input", "inference_peak_bytes": "Peak memory by side of the input"}
MOST_MARKS = 9  # crossings that a chart explains; all of them are in the table below it


def figures(comparison: Comparison) -> dict[str, Drawing]:
    """Every figure that these networks have, by name."""
    if not comparison.networks:
        return {}
    return {drawn.name: drawn for kind in FIGURES.values() for drawn in kind(comparison)}


def shapes(comparison: Comparison) -> Iterator[Drawing]:
    """The pyramids side by side."""
    yield pyramids({each.name: each.shape for each in comparison.networks})


def costs_by_stage(comparison: Comparison) -> Iterator[Drawing]:
    """Parameters and MACs as bars of stages."""
    for metric, title in (("params", "Parameters"), ("macs", "MACs")):
        rows = [_bar(network, metric) for network in comparison.networks]
        yield stacked(Rows(f"{metric}-by-stage", title, "Stages and head end to end.", title, rows, _parts(comparison)))


def _bar(network: ComparedNetwork, metric: str) -> Row:
    whole = network.values[metric]
    parts = []
    for part in network.parts:
        value = getattr(part, metric)
        words = f"{network.name}, {part.name}: {value:,} {metric}, {value / whole:.1%}"
        parts.append(Part(part.number, value, words))
    return Row(network.name, tuple(parts), readable(metric, whole))


def _parts(comparison: Comparison) -> dict[int, str]:
    return {**{number: f"stage {number}" for number in range(1, comparison.stage_count + 1)}, 0: "head"}


def peaks_by_stage(comparison: Comparison) -> Iterator[Drawing]:
    """The highest point of every stage as dots: the farthest is the network's peak."""
    titles = {"inference_peak_bytes": "Peak memory, inference", "training_peak_bytes": "Peak memory, training"}
    for metric in (metric for metric in titles if metric in comparison.metrics):
        rows = [_dots(network, metric) for network in comparison.networks]
        name, said = (
            metric.removesuffix("_bytes").replace("_", "-"),
            "The highest point of every part; the farthest is the peak.",
        )
        yield dotted(Rows(f"{name}-by-stage", titles[metric], said, "MiB", rows, _parts(comparison)))


def _dots(network: ComparedNetwork, metric: str) -> Row:
    parts = tuple(
        Part(part.number, part.peaks[metric] / MIB, f"{network.name}, {part.name}: {part.peaks[metric]:,} bytes")
        for part in network.parts
    )
    return Row(network.name, parts, readable(metric, network.values[metric]))


def costs_by_side(comparison: Comparison) -> Iterator[Drawing]:
    """Curves over the side of a square input, with the sides where they cross."""
    for metric, curves in comparison.curves.items():
        unit, ones = UNITS[metric]
        found = side_crossings(comparison, metric)
        lines = [
            Line(curve.label, place, tuple(map(Point, curve.sides, (value / ones for value in curve.values))))
            for place, curve in enumerate(curves, start=1)
        ]
        marks = [Mark(Point(each.side, each.value / ones), _crossing(each)) for each in found[:MOST_MARKS]]
        yield charted(
            Chart(
                title=CURVE_TITLES[metric],
                subtitle="Closed form, exact at every multiple of 32 pixels.",
                x_title="side of the square input, pixels",
                y_title=unit,
                x_ticks=range(0, 1281, 160),
                y_ticks=from_zero(unit, [value / ones for curve in curves for value in curve.values]).ticks,
                lines=lines,
                marks=marks,
                name=f"{metric.removesuffix('_bytes').replace('_', '-')}-by-side",
            )
        )


def side_crossings(comparison: Comparison, metric: str) -> tuple[Crossing, ...]:
    """Where any two curves of a metric change places, by side."""
    return crossings(comparison.curves.get(metric, ()))


def _crossing(crossing: Crossing) -> str:
    return f"{crossing.side:.0f} px: {crossing.above} overtakes {crossing.below}"


def measured_latency(comparison: Comparison) -> Iterator[Drawing]:
    """Medians with their intervals of what was measured in inference, a figure per device and way of running."""
    groups: dict[tuple[str, str, str, str], list[Row]] = {}
    for network in comparison.networks:
        for one in network.measured:
            row = one.row
            if row["mode"] == "inference" and row["median_ms"] is not None:
                how = (str(one.circumstances["device"]), row["dtype"], f"batch {row['batch_size']}", row["execution"])
                words = f"{network.name}: {row['median_ms']:.4g} ms, {row['low_ms']:.4g} to {row['high_ms']:.4g}"
                dot = Part(1, row["median_ms"], words)
                line = Row(network.name, (dot,), f"{row['median_ms']:.4g}", (row["low_ms"], row["high_ms"]))
                groups.setdefault(how, []).append(line)
    for number, (how, rows) in enumerate(groups.items(), start=1):
        title, said = f"Measured latency, {how[0]}", f"Median of a batch with its 95 % interval; {', '.join(how[1:])}."
        yield dotted(Rows(f"latency-{number}", title, said, "ms", rows))


def predicted_latency(comparison: Comparison) -> Iterator[Drawing]:
    """Predicted latency as bars of stages, a figure per calibration that knows any of the networks."""
    for number, view in enumerate(comparison.devices, start=1):
        rows = [_predicted(name, view) for name in view.predicted_ns]
        if rows and any(view.stages.values()):
            said = f"By a calibration; {view.setting}. Black: what was measured."
            yield stacked(
                Rows(
                    f"predicted-latency-{number}",
                    f"Predicted latency, {view.device}",
                    said,
                    "ms",
                    rows,
                    _parts(comparison),
                )
            )


def _predicted(name: str, view: DeviceView) -> Row:
    whole = view.predicted_ns[name] / NS_PER_MS
    parts = [
        Part(row.stage, row.predicted_seconds * 1e3, f"{name}, stage {row.stage}: {row.predicted_seconds * 1e3:.2f} ms")
        for row in view.stages[name]
    ]
    rest = max(0.0, whole - sum(part.value for part in parts))
    taken = view.measured_ns.get(name)
    measured = None if taken is None else (taken / NS_PER_MS, taken / NS_PER_MS)
    return Row(name, (*parts, Part(0, rest, f"{name}, all else: {rest:.2f} ms")), f"{whole:.1f} ms", measured)


def rooflines(comparison: Comparison) -> Iterator[Drawing]:
    """What the peaks of a device allow at each intensity, and where the stages of the networks come to stand."""
    for number, view in enumerate(comparison.devices, start=1):
        if view.peaks is not None and any(view.stages.values()):
            yield placed(roofline_plane(f"roofline-{number}", view))


def roofline_plane(name: str, view: DeviceView) -> Plane:
    """Rates over intensity, both logarithmic; the roof bends where memory stops being what is short."""
    assert view.peaks is not None  # noqa: S101  asked before
    peak, bandwidth = view.peaks.macs_per_second, view.peaks.bytes_per_second
    bend = peak / bandwidth
    points = [(row.intensity, row.macs / row.predicted_seconds) for rows in view.stages.values() for row in rows]
    x = logarithmic("MACs for each byte moved", [*(intensity for intensity, _rate in points), bend])
    y = logarithmic("MACs per second", [*(rate for _intensity, rate in points), peak])
    groups = [
        Dots(
            network,
            style_of(place),
            [
                Spot(
                    row.intensity,
                    row.macs / row.predicted_seconds,
                    f"{network}, stage {row.stage}: {row.achieved:.0%} of what the device allows, short of {row.bound}",
                    f"{row.stage}",
                )
                for row in rows
            ],
            shape="circle" if place % 2 == 0 else "diamond",
        )
        for place, (network, rows) in enumerate(view.stages.items())
    ]
    roof = [(x.low, min(peak, x.low * bandwidth)), (bend, peak), (x.high, peak)]
    said = "; ".join(f"{g.name} {', '.join(spot.words.split(': ')[1] for spot in g.spots)}" for g in groups)
    return Plane(
        name, f"Roofline, {view.device}", f"Stages by number, at predicted latency; {view.setting}.", said, x, y,
        paths=[Path("what the device allows", 0, roof)], dots=groups, width=960, height=460,
    )  # fmt: skip


FIGURES: dict[str, Callable[[Comparison], Iterator[Drawing]]] = {
    "pyramids": shapes,
    "by stage": costs_by_stage,
    "peaks": peaks_by_stage,
    "by side": costs_by_side,
    "latency": measured_latency,
    "predicted": predicted_latency,
    "rooflines": rooflines,
}
