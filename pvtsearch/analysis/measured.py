"""What measuring a network gave, as values: a row for every network and batch, and ratios."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NamedTuple, TypeAlias

from pvtsearch.analysis.timing import Latency, Ratio, TimingSetting
from pvtsearch.config import ImageSize, ModelConfig, Task

Outcome: TypeAlias = Literal["measured", "unsteady", "does not fit"]


class Peaks(NamedTuple):
    """Most bytes at once: as they were asked for, and where a caching allocator tells, as it rounds and holds them."""

    requested_bytes: int
    allocated_bytes: int | None = None
    reserved_bytes: int | None = None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One network in one setting. latency: none where it does not fit. note: why there is no number.

    config: none for a network that is not this project's. together: the number of the group that took turns.
    """

    name: str
    config: ModelConfig | None
    task: Task
    image_size: ImageSize
    setting: TimingSetting
    outcome: Outcome
    latency: Latency | None = None
    peaks: Peaks | None = None
    note: str = ""
    together: int = 0

    @property
    def images_per_second(self) -> float | None:
        """Throughput at this batch size: images of a batch over its median."""
        if self.latency is None or self.outcome != "measured":
            return None
        return self.setting.batch_size * 1000 / self.latency.median_ms

    def to_row(self) -> dict[str, Any]:
        """One flat row; None where there is no number."""
        height, width = self.image_size
        row: dict[str, Any] = {"name": self.name, "task": self.task, "height": height, "width": width}
        row |= asdict(self.setting)
        row |= {"optimizer": self.setting.optimizer if self.setting.mode == "training" else "none"}
        row |= {"outcome": self.outcome, "together": self.together}
        row |= _latency_columns(self.latency if self.outcome == "measured" else None)
        row |= {"samples": len(self.latency.samples_ms) if self.latency else 0}
        row |= {"images_per_second": _rounded(self.images_per_second)}
        row |= self.peaks._asdict() if self.peaks else dict.fromkeys(Peaks._fields)
        warnings = self.latency.warnings if self.latency else ()
        return row | {"note": "; ".join((*([self.note] if self.note else []), *warnings))}


def _latency_columns(latency: Latency | None) -> dict[str, Any]:
    names = ("median_ms", "low_ms", "high_ms", "p10_ms", "p90_ms", "p99_ms", "host_median_ms", "launch_bound")
    if latency is None:
        return dict.fromkeys(names)
    found = (latency.median_ms, *latency.interval_ms, *(latency.percentile_ms(percent) for percent in (10, 90, 99)))
    return dict(
        zip(names, (*map(_rounded, found), _rounded(latency.host_median_ms), latency.launch_bound), strict=True)
    )


def _rounded(value: float | None) -> float | None:
    """Six significant digits: a clock has no more."""
    return None if value is None else float(f"{value:.6g}")


@dataclass(frozen=True)
class Comparison:
    """How long `name` takes over `other` at a batch size, in the same rounds."""

    name: str
    other: str
    batch_size: int
    ratio: Ratio

    def to_row(self) -> dict[str, Any]:
        """For CSV and JSON."""
        ratio, (low, high) = self.ratio.median, self.ratio.interval
        numbers = {"ratio": _rounded(ratio), "low": _rounded(low), "high": _rounded(high)}
        names = {"name": self.name, "other": self.other, "batch_size": self.batch_size}
        return names | numbers | {"verdict": self.ratio.verdict}


@dataclass(frozen=True)
class Measurements:
    """All that one call of `measure` found.

    comparisons: of every network with every one it is held against. repeats: the first network of each group against
    itself, the noise floor of that group.
    """

    rows: tuple[Measured, ...]
    comparisons: tuple[Comparison, ...]
    repeats: tuple[Comparison, ...]
    circumstances: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The documented JSON form; numbers that were not measured are absent."""
        return {
            "circumstances": dict(self.circumstances),
            "measurements": [_present(row.to_row()) for row in self.rows],
            "comparisons": [each.to_row() for each in self.comparisons],
            "repeats": [each.to_row() for each in self.repeats],
        }


def _present(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}
