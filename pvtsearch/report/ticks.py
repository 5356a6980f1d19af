"""Round numbers along an axis, and where values stand on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

STEPS = (1, 2, 2.5, 5, 10)
LOG_DIGITS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8))  # coarse to fine
LEAST_LOG_TICKS = 3


@dataclass(frozen=True)
class Axis:
    """From low to high, linear or logarithmic, with its ticks; `title` says what of."""

    title: str
    low: float
    high: float
    ticks: tuple[float, ...]
    log: bool = False

    def share(self, value: float) -> float:
        """Where a value stands: 0 at low, 1 at high."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


def from_zero(title: str, values: Sequence[float], *, count: int = 5) -> Axis:
    """A linear axis from 0 to the round number that is above all values."""
    step = round_step(max(values, default=0) or 1, count)
    last = math.ceil((max(values, default=0) or step) / step - 1e-9)
    return Axis(title, 0, last * step, tuple(round(step * number, 10) for number in range(last + 1)))


def around(title: str, values: Sequence[float], *, count: int = 5) -> Axis:
    """A linear axis over the values, from a round number to a round number."""
    low, high = min(values, default=0), max(values, default=1)
    step = round_step((high - low) or abs(high) or 1, count)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last += first == last
    return Axis(title, first * step, last * step, tuple(round(step * n, 10) for n in range(first, last + 1)))


def logarithmic(title: str, values: Sequence[float]) -> Axis:
    """A logarithmic axis with a little room on both sides of the values, which are above 0."""
    low, high = min(values, default=1), max(values, default=10)
    air = max((high / low) ** 0.06, 1.15)
    low, high = low / air, high * air
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in LOG_DIGITS:
        ticks = tuple(d * 10.0**power for power in powers for d in digits if low <= d * 10.0**power <= high)
        if len(ticks) >= LEAST_LOG_TICKS:
            break
    return Axis(title, low, high, ticks, log=True)


def round_step(length: float, count: int) -> float:
    """The least round step that takes at most so many to go a length."""
    power = 10.0 ** math.floor(math.log10(length / count))
    return next(digit * power for digit in STEPS if digit * power * count >= length * (1 - 1e-9))


def short(value: float) -> str:
    """A tick as text: 0, 0.5, 20, 1.5k, 20M, 4G."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.4g}{prefix}"
    return f"{value:.4g}"
