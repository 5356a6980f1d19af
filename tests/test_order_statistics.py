"""Laws of the statistics of durations, by simulation with fixed seeds and by hand."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pvtsearch.analysis.order_statistics import (
    LEAST_COUNT,
    Interval,
    dependence,
    drift,
    lowest_rank,
    median_interval,
    modes,
)


def coverage(draws: list[NDArray[np.float64]], median: float) -> float:
    """The share of intervals that hold the true median."""
    found = [median_interval(list(values)) for values in draws]
    return sum(low <= median <= high for low, high in found) / len(found)


@pytest.mark.parametrize("count", [6, 7, 12, 25, 100, 500])
def test_ranks_are_the_binomial_law(count: int) -> None:
    """The tail below the rank is at most 2.5 %, and the next rank's is more."""
    rank = lowest_rank(count)
    tails = [sum(comb(count, below) for below in range(k)) / 2**count for k in (rank, rank + 1)]
    assert tails[0] <= 0.025 < tails[1]
    assert rank >= 1


def test_fewer_than_six_have_no_interval() -> None:
    """The smallest and largest of five enclose the median in 94 % of cases only."""
    assert [lowest_rank(count) for count in range(LEAST_COUNT)] == [0] * LEAST_COUNT
    with pytest.raises(ValueError, match="at least 6 values, got 5"):
        median_interval([1.0] * 5)


@pytest.mark.parametrize("count", [8, 30, 200])
def test_intervals_cover_the_median(count: int) -> None:
    """In 95 % of cases, for skewed noise with outliers as durations have it; and are not needlessly wide."""
    rng = np.random.default_rng(count)
    draws = [10 + rng.lognormal(0, 1.5, count) for _ in range(800)]
    assert 0.935 <= coverage(draws, 11.0) <= 0.995


def test_intervals_cover_where_neighbours_are_alike() -> None:
    """Noise that decays over several samples: nine in ten at least; as independent values it would be six."""
    rng = np.random.default_rng(0)

    def series() -> NDArray[np.float64]:
        values = np.zeros(300)
        for index, step in enumerate(rng.normal(size=299), start=1):
            values[index] = 0.8 * values[index - 1] + step
        return values[100:]

    draws = [series() for _ in range(300)]
    assert coverage(draws, 0.0) >= 0.9
    assert dependence(list(draws[0])) > 3


@given(st.lists(st.floats(0.1, 1e6), min_size=LEAST_COUNT, max_size=60))
def test_an_interval_holds_the_samples_median(values: list[float]) -> None:
    """Within the series; whatever the order, the unit scales it."""
    low, high = median_interval(values)
    assert min(values) <= low <= float(np.median(values)) <= high <= max(values)
    scaled = median_interval([4 * value for value in values])
    assert scaled == (4 * low, 4 * high)


def test_drift_is_what_the_second_half_is_slower() -> None:
    """Exactly, if it is more than chance; nothing for noise."""
    assert drift([10.0] * 20 + [11.0] * 20) == pytest.approx(0.1)
    rng = np.random.default_rng(1)
    assert np.mean([drift(list(rng.normal(10, 1, 60))) != 0 for _ in range(200)]) < 0.03
    assert drift(list(np.linspace(10, 20, 60))) == pytest.approx(17.5 / 12.5 - 1, rel=0.05)
    assert drift([1.0, 9.0]) == 0


def test_modes_are_found_where_there_are_two() -> None:
    """Not in a single group, however skewed; not in fewer samples than tell."""
    rng = np.random.default_rng(2)
    mixed = np.where(rng.uniform(size=100) < 0.3, 15.0, 10.0) + 0.2 * rng.normal(size=100)
    found = modes(list(mixed))
    assert found is not None
    assert (round(found.lower), round(found.upper)) == (10, 15)
    assert found.smaller_share == pytest.approx(0.3, abs=0.1)
    for draw in (rng.normal, rng.uniform, rng.exponential):
        assert np.mean([modes(list(10 + draw(size=100))) is not None for _ in range(100)]) < 0.05
    assert modes([1.0, 1.0, 9.0, 9.0]) is None


def test_intervals_meet_at_their_ends() -> None:
    """Both ends are inside."""
    assert Interval(1, 2).meets(Interval(2, 3))
    assert not Interval(1, 2).meets(Interval(2.1, 3))
