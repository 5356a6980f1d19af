"""Latency as a value: what it says of given durations, and what may be compared."""

from __future__ import annotations

import numpy as np
import pytest

from pvtsearch.analysis.measured import Comparison, Measured, Measurements, Peaks
from pvtsearch.analysis.timing import Latency, Plan, TimingSetting, compare, noise_floor
from pvtsearch.errors import ConfigError, Unsteady


def around(base: float, *, count: int = 40, deviation: float = 0.005, seed: int = 0) -> Latency:
    values = base * (1 + deviation * np.random.default_rng(seed).normal(size=count))
    return Latency(tuple(float(value) for value in values))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"device": "gpu"}, "device must be cpu, cuda or cuda:N, got 'gpu'"),
        ({"batch_size": 0}, "batch_size"),
        ({"dtype": "int8"}, "dtype"),
        ({"execution": "graph"}, "which device=cpu has not"),
        ({"execution": "graph", "device": "cuda", "mode": "training"}, "is for mode=inference"),
    ],
)
def test_settings_that_cannot_be_are_refused(given: dict[str, object], problem: str) -> None:
    """Name, value, law."""
    with pytest.raises(ConfigError, match=problem):
        TimingSetting(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [{"min_rounds": 5}, {"max_rounds": 3}, {"max_seconds": float("nan")}])
def test_plans_that_cannot_be_are_refused(given: dict[str, float]) -> None:
    """Fewer samples than an interval needs, a most below the least, no number."""
    with pytest.raises(ConfigError):
        Plan(**given)  # type: ignore[arg-type]


def test_percentiles_are_numpys() -> None:
    """Of 1 to 101 they can be read off."""
    latency = Latency(tuple(float(value) for value in range(1, 102)))
    assert (latency.median_ms, *(latency.percentile_ms(p) for p in (10, 90, 99))) == (51, 11, 91, 100)
    low, high = latency.interval_ms
    assert low < 51 < high
    assert latency.half_width == pytest.approx(max(high / 51 - 1, 1 - low / 51))


def test_launch_bound_is_where_the_host_takes_as_long() -> None:
    """Unknown where there is no host beside the device."""
    assert Latency((1.0,) * 6).launch_bound is None
    assert Latency((1.0,) * 6, host_ms=(0.95,) * 6).launch_bound is True
    assert Latency((1.0,) * 6, host_ms=(0.3,) * 6).launch_bound is False


def test_a_median_that_is_not_known_is_refused() -> None:
    """An interval of half the median on either side is no number."""
    with pytest.raises(Unsteady, match="its median is somewhere from"):
        around(10, deviation=2.0, count=10).steady()
    assert around(10).steady() == around(10)


def test_ratios_are_of_the_same_rounds() -> None:
    """What slows both down in a round cancels; different rounds are refused."""
    common = np.random.default_rng(5).uniform(1, 1.04, 60)
    one, other = (Latency(tuple(map(float, base * common))) for base in (10.0, 20.0))
    ratio = compare(one, other)
    assert ratio.median == pytest.approx(0.5)
    assert ratio.interval == pytest.approx((0.5, 0.5))
    assert (ratio.verdict, compare(other, one).verdict) == ("faster", "slower")
    with pytest.raises(ValueError, match="zip"):
        compare(one, around(10, count=7))


def test_no_ranking_where_intervals_meet() -> None:
    """Even where the ratio is exact: the medians' intervals share a value."""
    common = np.random.default_rng(5).uniform(1, 2, 60)
    one, other = (Latency(tuple(map(float, base * common))) for base in (10.0, 10.1))
    assert compare(one, other).interval.high < 1
    assert compare(one, other).verdict == "not distinguishable"


def test_no_ranking_within_the_noise_floor() -> None:
    """What a network shows against itself is no difference; neither is what was refused."""
    one, again, other = around(10, seed=1), around(10, seed=2), around(10.3, seed=3)
    assert noise_floor(one, again) < 0.003
    assert compare(one, other, floor=noise_floor(one, again)).verdict == "faster"
    assert compare(one, other, floor=0.05).verdict == "not distinguishable"
    drifted = Latency((10.0,) * 20 + (15.0,) * 20)
    assert compare(drifted, around(100)).verdict == "not distinguishable"


def test_equal_networks_are_hardly_ever_ranked() -> None:
    """At most as often as the interval misses."""
    verdicts = [compare(around(10, seed=2 * i), around(10, seed=2 * i + 1)).verdict for i in range(200)]
    assert verdicts.count("not distinguishable") >= 190


def test_rows_have_numbers_where_they_were_measured() -> None:
    """Throughput is images of a batch over the median; nothing of what is refused or does not fit, but why."""
    given = {"name": "a", "config": None, "task": "classification", "image_size": (8, 9)}
    setting = TimingSetting(batch_size=4)
    row = Measured(**given, setting=setting, outcome="measured", latency=Latency((8.0,) * 6), peaks=Peaks(7))  # type: ignore[arg-type]
    assert row.images_per_second == 500
    flat = row.to_row()
    assert (flat["median_ms"], flat["samples"], flat["requested_bytes"], flat["allocated_bytes"]) == (8, 6, 7, None)
    assert (flat["optimizer"], flat["height"], flat["width"]) == ("none", 8, 9)
    missing = Measured(**given, setting=setting, outcome="does not fit", note="out of memory")  # type: ignore[arg-type]
    assert missing.to_row()["median_ms"] is None
    assert missing.to_row()["note"] == "out of memory"
    documented = Measurements((row, missing), (), (Comparison("a", "b", 4, compare(around(1), around(2))),)).to_dict()
    assert "median_ms" not in documented["measurements"][1]
    assert documented["repeats"][0]["verdict"] == "faster"
