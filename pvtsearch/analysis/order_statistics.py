"""What a series of durations says without a law of its noise: an interval of its median, its drift, its modes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import floor, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

ONE_IN = 40  # the part of each tail outside an interval of 95 %
LEAST_COUNT = 6  # of five independent values, all are on one side of the median in more than 5 % of cases
LEAST_FOR_MODES = 20  # fewer fall into groups by chance
MODE_SHARE = 0.15  # fewer are outliers
MODE_DISTANCE = 5.0  # in deviations within the modes: halves of a uniform series are 3.5 apart, of a normal one 2.7


class Interval(NamedTuple):
    """A lower and an upper bound, both inside."""

    low: float
    high: float

    def meets(self, other: Interval) -> bool:
        """Whether the two have a value in common."""
        return self.low <= other.high and other.low <= self.high


class Modes(NamedTuple):
    """Two groups that a series falls into: their medians, and the share of the smaller group."""

    lower: float
    upper: float
    smaller_share: float


@cache
def lowest_rank(count: int) -> int:
    """The largest k for which the k-th smallest and k-th largest of count values enclose the median at 95 %; or 0.

    The number of values below the median is binomial, whatever their law: H. A. David, H. N. Nagaraja, Order
    Statistics, section 7.1.
    """
    allowed, below, term = 2**count // ONE_IN, 0, 1
    for rank in range(count):
        below += term
        if below > allowed:
            return rank
        term = term * (count - rank) // (rank + 1)
    return 0


def dependence(values: Sequence[float]) -> float:
    """How many values of this series are worth one independent value, for its median: 1 and more.

    1 + 2 * the sum of autocorrelations of "above the median", up to the first that is not positive.
    """
    series = np.asarray(values, dtype=np.float64)
    above = (series > np.median(series)).astype(np.float64)
    above -= above.mean()
    power = float(above @ above)
    worth = 1.0
    if power == 0:
        return worth
    for lag in range(1, max(2, len(series) // 4)):
        correlation = float(above[lag:] @ above[:-lag]) / power
        if correlation <= 0:
            break
        worth += 2 * correlation
    return worth


def median_interval(values: Sequence[float]) -> Interval:
    """The interval of a series' median at 95 %: two of its values; further apart where neighbours are alike.

    Never wider than the series. Raises `ValueError` for fewer than `LEAST_COUNT` values.
    """
    return _interval(values, dependence(values))


def _interval(values: Sequence[float], worth: float) -> Interval:
    """The interval where so many values are worth one independent value."""
    count = len(values)
    if count < LEAST_COUNT:
        raise ValueError(f"the interval of a median needs at least {LEAST_COUNT} values, got {count}")
    middle = (count + 1) / 2
    rank = max(1, floor(middle - (middle - lowest_rank(count)) * sqrt(worth)))
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    return Interval(float(ordered[rank - 1]), float(ordered[count - rank]))


def drift(values: Sequence[float]) -> float:
    """How much higher the median of the second half is than that of the first, 0.01 for one percent; 0 if by chance.

    By chance: the intervals of the two medians meet, as they are for independent values. A trend makes neighbours
    alike, and would hide behind intervals that are wider for it.
    """
    half = len(values) // 2
    if half < LEAST_COUNT:
        return 0.0
    first, second = values[:half], values[-half:]
    if _interval(first, 1.0).meets(_interval(second, 1.0)):
        return 0.0
    return float(np.median(second) / np.median(first) - 1)


def modes(values: Sequence[float]) -> Modes | None:
    """The two groups of a series, where they are `MODE_DISTANCE` deviations apart; none of a single group.

    The split that leaves the least squared deviation within groups, each of at least `MODE_SHARE` of the values.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    least = round(MODE_SHARE * len(ordered))
    if len(ordered) < LEAST_FOR_MODES:
        return None
    split = _best_split(ordered, least)
    lower, upper = ordered[:split], ordered[split:]
    within = sqrt((_spread(lower) ** 2 + _spread(upper) ** 2) / 2)
    between = float(np.median(upper) - np.median(lower))
    if between <= MODE_DISTANCE * within:
        return None
    return Modes(float(np.median(lower)), float(np.median(upper)), min(split, len(ordered) - split) / len(ordered))


def _best_split(ordered: NDArray[np.float64], least: int) -> int:
    """How many of the sorted values make the lower group."""
    count, sizes = len(ordered), np.arange(least, len(ordered) - least + 1)
    sums = np.cumsum(ordered - ordered.mean())
    between = sums[sizes - 1] ** 2 * (1 / sizes + 1 / (count - sizes))  # the values sum to 0
    return int(sizes[np.argmax(between)])


def _spread(group: NDArray[np.float64]) -> float:
    """The deviation of a normal group with these quartiles, which outliers do not move."""
    low, high = np.percentile(group, [25, 75])
    return float(high - low) / 1.349
