"""MACs and peak memory over the side of the input, as charts with their crossings."""

from __future__ import annotations

from dataclasses import dataclass

from pvtsearch.analysis.scaling import SIDES, Crossing, Curve, crossings, curves, macs_at, memory_at
from pvtsearch.report.chart import Chart, Line, Mark, Point

X_TICKS = tuple(range(0, 1281, 160))


@dataclass(frozen=True)
class ScaleFigure:
    """A quantity over the side of the input; values are divided by `unit` where they are shown."""

    name: str
    column: str
    title: str
    subtitle: str
    y_title: str
    unit: int
    y_ticks: tuple[int, ...]
    drawn: tuple[Curve, ...]

    @property
    def crossings(self) -> tuple[Crossing, ...]:
        """Where its curves cross, by side."""
        return crossings(self.drawn)

    def chart(self) -> Chart:
        """The figure as lines and marks."""
        labels = {curve.network: curve.label for curve in self.drawn}
        return Chart(
            name=self.name,
            title=self.title,
            subtitle=self.subtitle,
            x_title="side of the square input, pixels",
            y_title=self.y_title,
            x_ticks=X_TICKS,
            y_ticks=self.y_ticks,
            lines=[
                Line(curve.label, style, tuple(map(Point, SIDES, (value / self.unit for value in curve.values))))
                for style, curve in enumerate(self.drawn, start=1)
            ],
            marks=[
                Mark(
                    Point(c.side, c.value / self.unit),
                    f"{c.side:.0f} px: {labels[c.above]} overtakes {labels[c.below]}",
                )
                for c in self.crossings
                if c.value / self.unit <= self.y_ticks[-1]
            ],
        )


def scale_figures() -> tuple[ScaleFigure, ...]:
    """MACs and peak memory, MACs on the axes of PVT v1's Figure 6."""
    return (
        ScaleFigure(
            "macs-by-scale",
            "macs",
            "MACs by input scale",
            "PVT v1's Figure 6 and PVT v2's Figure 4, recomputed: classification networks, one image, closed form.",
            "GMACs",
            10**9,
            tuple(range(0, 301, 50)),
            curves(macs_at),
        ),
        ScaleFigure(
            "memory-by-scale",
            "inference_peak_bytes",
            "Peak memory by input scale",
            "One forward pass: parameters and all live tensors; batch 1, float32, fused attention, closed form.",
            "MiB",
            2**20,
            tuple(range(0, 601, 100)),
            curves(memory_at),
        ),
    )
