"""The numbers a report shows: what they are called, how they are limited, and how they are written for people."""

from __future__ import annotations

import math
from dataclasses import dataclass

LABELS = {
    "accuracy": "Top-1",
    "params": "Parameters",
    "macs": "MACs",
    "prior": "Prior",
    "inference_peak_bytes": "Peak memory, inference",
    "training_peak_bytes": "Peak memory, training",
    "latency_ms": "Predicted latency (ms)",
    "latency_ns": "Predicted latency",
}
UNITS = {
    "params": "parameters",
    "macs": "MACs",
    "inference_peak_bytes": "peak memory in inference",
    "training_peak_bytes": "peak memory in training",
}
PREFIXES = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"))
SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
BINARY_PREFIXES = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"))


@dataclass(frozen=True)
class Quantity:
    """A metric or a signal's score that all networks of the report have; `limit` is the budget's, where it has one."""

    name: str
    is_score: bool = False
    extrapolated: bool = False
    limit: float | None = None

    @property
    def label(self) -> str:
        """Its name for people."""
        return label(self.name)

    @property
    def title(self) -> str:
        """Its name on an axis: a score outside the region of its validation says so."""
        return f"{self.label} (extrapolated)" if self.extrapolated else self.label


def label(name: str) -> str:
    """The name for people of the metric or signal called name."""
    return LABELS.get(name, name.replace("_", " ").capitalize())


def readable(name: str, value: float) -> str:
    """A value in three or four figures: 24.49 M, 3.82 G, 97.2 MiB, 4.71 ms; whole numbers below 100,000 as they are."""
    if name.endswith("_bytes"):
        return _scaled(value, BINARY_PREFIXES, decimals=1)
    if name.endswith("_ms"):
        return f"{value:,.2f} ms"
    if name.endswith("_ns"):
        return f"{value / 1e6:,.2f} ms"
    if name == "accuracy":
        return f"{value:.1f} %"
    if value >= 100_000:
        return _scaled(value, PREFIXES, decimals=2)
    return exact(value)


def _scaled(value: float, prefixes: tuple[tuple[int, str], ...], *, decimals: int) -> str:
    for factor, prefix in prefixes:
        if value >= factor:
            return f"{value / factor:,.{decimals}f} {prefix}"
    return exact(value)


def exact(value: float) -> str:
    """Every digit of a whole number, six of any other."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.6g}"


def exact_with_unit(name: str, value: float) -> str:
    """The exact value in words, for a tooltip."""
    return f"{exact(value)} {unit(name)}".rstrip()


def unit(name: str) -> str:
    """The unit in words of the metric or signal called name; nothing for a score."""
    for suffix, word in (("_bytes", "bytes"), ("_ms", "ms"), ("_ns", "ns")):
        if name.endswith(suffix):
            return word
    return UNITS.get(name, "")


def magnitude(count: int) -> str:
    """A large count as a power of ten: 1.2 × 10¹⁴; below a million as it is."""
    if count < 10**6:
        return f"{count:,}"
    digits, exponent = f"{float(count):.1e}".split("e")
    return f"{digits} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def percent(share: float) -> str:
    """A share of a limit in per cent, rounded away from 100: it reads 100.0 % only where the limit is met exactly."""
    tenths = round(share * 1000, 6)
    return f"{(math.ceil(tenths) if share > 1 else math.floor(tenths)) / 10:.1f} %"


def plural(count: int, noun: str) -> str:
    """A count and its noun: 1 network, 2 networks."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
