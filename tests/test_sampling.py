"""The measuring loop on a scripted clock: what it finds is known beforehand."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest

from pvtsearch.analysis.sampling import DeviceState, Interleaved, StateReader, measure_interleaved, warm_up
from pvtsearch.analysis.timing import Plan, Sample, compare
from pvtsearch.errors import Unsteady

PLAN = Plan(min_rounds=20, max_rounds=400, min_seconds=0.1, max_seconds=20, warm_up_seconds=1)
Law = Callable[[str, float], float]  # milliseconds of a run by its name and the time in seconds


class Machine:
    """A clock that only its runs move: each takes as long as the law says at that time."""

    def __init__(self, law: Law) -> None:
        self.law, self.now, self.order = law, 0.0, ""

    def run(self, name: str) -> Callable[[], object]:
        def take() -> None:
            self.order += name
            self.now += self.law(name, self.now) / 1000

        return take

    def timer(self, run: Callable[[], object]) -> Sample:
        began = self.now
        run()
        return Sample((self.now - began) * 1000)

    def measure(self, names: Sequence[str], *, plan: Plan = PLAN, state: StateReader = DeviceState) -> Interleaved:
        runs = {name: self.run(name) for name in names}
        return measure_interleaved(runs, plan=plan, timer=self.timer, state=state, clock=lambda: self.now)


def noisy(base: dict[str, float], deviation: float, seed: int = 0) -> Law:
    rng = np.random.default_rng(seed)
    return lambda name, _now: base[name] * (1 + deviation * rng.normal())


def test_rounds_alternate() -> None:
    """There and back, warm-up and samples alike, and as many samples of each."""
    machine = Machine(lambda name, now: 10.0)
    found = machine.measure("ABC")
    rounds = [machine.order[start : start + 3] for start in range(0, len(machine.order), 3)]
    assert {tuple(sorted(pair)) for pair in pairwise(rounds[found.warm_up_rounds :])} == {("ABC", "CBA")}
    assert len({len(latency.samples_ms) for latency in found.latencies.values()}) == 1
    assert found.warm_up_rounds == 6


def test_a_quiet_clock_is_read_off() -> None:
    """Least seconds, exact medians, no warning."""
    found = Machine(lambda name, now: {"A": 10.0, "B": 20.0}[name]).measure("AB")
    assert found.latencies["A"].median_ms == pytest.approx(10)
    assert compare(found.latencies["B"], found.latencies["A"]).verdict == "slower"
    assert all(not latency.warnings for latency in found.latencies.values())
    assert found.seconds < 1.5


def test_it_stops_when_the_interval_is_narrow_enough() -> None:
    """Ten times the noise takes far more samples for the same interval; the plan's most ends what never gets there."""
    counts = {}
    for deviation in (0.005, 0.03):
        latency = Machine(noisy({"A": 10.0}, deviation)).measure("A").latencies["A"]
        assert latency.half_width <= PLAN.half_width
        counts[deviation] = len(latency.samples_ms)
    assert counts[0.03] > 1.5 * counts[0.005]
    hopeless = Plan(min_rounds=20, max_rounds=60, half_width=0.0, min_seconds=0.1, max_seconds=20)
    latency = Machine(noisy({"A": 10.0}, 0.1)).measure("A", plan=hopeless).latencies["A"]
    assert 60 <= len(latency.samples_ms) <= 60 + 25 + 5
    short = Plan(min_rounds=20, max_rounds=10_000, half_width=0.0, max_seconds=2)
    found = Machine(noisy({"A": 10.0}, 0.1)).measure("A", plan=short)
    assert 2 <= found.seconds < 2.5


def test_the_least_wins_against_the_most_seconds() -> None:
    """A slow network gets its samples."""
    plan = Plan(min_rounds=6, max_rounds=10, max_seconds=1, half_width=0.0)
    assert len(Machine(lambda name, now: 3_000.0).measure("A", plan=plan).latencies["A"].samples_ms) == 6


def test_a_drift_of_the_machine_leaves_ratios_right() -> None:
    """The machine slows down by a quarter per second: medians are refused or warned of, the ratio is exact."""
    rng = np.random.default_rng(1)

    def law(name: str, now: float) -> float:
        return {"A": 10.0, "B": 11.0}[name] * (1 + now / 4) * (1 + 0.003 * rng.normal())

    found = Machine(law).measure("AB")
    for latency in found.latencies.values():
        assert latency.refusal or latency.warnings
    ratio = compare(found.latencies["B"], found.latencies["A"])
    assert ratio.interval.low <= 1.1 <= ratio.interval.high
    assert ratio.interval.high - ratio.interval.low < 0.01


def test_a_great_drift_is_refused() -> None:
    """Many times as slow at the end: no number."""
    latency = Machine(lambda name, now: 10 * (1 + now)).measure("A").latencies["A"]
    with pytest.raises(Unsteady, match="it drifted: the second half"):
        latency.steady()


@pytest.mark.parametrize(("share", "refused"), [(0.5, True), (0.2, False)])
def test_two_modes_are_told_of_or_refused(share: float, refused: bool) -> None:
    """A clock that is at times half as fast again: a median within the greater mode stands, with a warning."""
    rng = np.random.default_rng(3)

    def law(name: str, now: float) -> float:
        return (15.0 if rng.uniform() < share else 10.0) * (1 + 0.005 * rng.normal())

    latency = Machine(law).measure("A").latencies["A"]
    if refused:
        with pytest.raises(Unsteady, match=r"two durations, .* the median may be either"):
            latency.steady()
    else:
        assert latency.steady().median_ms == pytest.approx(10, rel=0.01)
        assert any("two durations" in warning for warning in latency.warnings)


def test_outliers_move_nothing() -> None:
    """One run in twelve takes tenfold."""
    rng = np.random.default_rng(4)
    law = noisy({"A": 10.0}, 0.005)
    latency = Machine(lambda name, now: law(name, now) * (10 if rng.uniform() < 1 / 12 else 1)).measure("A")
    assert latency.latencies["A"].median_ms == pytest.approx(10, rel=0.01)
    assert latency.latencies["A"].refusal is None


def test_throttled_rounds_are_repeated() -> None:
    """Half as fast for a second in the middle, and the device says so: the median is that of the other rounds."""
    machine = Machine(lambda name, now: 20.0 if 0.3 < now < 1.3 else 10.0)

    def state() -> DeviceState:
        return DeviceState(("hw_thermal_slowdown",) if 0.3 < machine.now < 1.3 else ())

    plan = Plan(min_rounds=150, max_rounds=1000, warm_up_seconds=1)
    found = machine.measure("A", plan=plan, state=state)
    latency = found.latencies["A"]
    assert set(np.round(latency.samples_ms, 6)) == {10.0}
    assert len(latency.samples_ms) >= 150
    assert 20.0 in np.round(latency.throttled_ms, 6)
    assert latency.warnings == (f"{len(latency.throttled_ms)} samples of a throttled device were taken again",)
    assert any(each.throttle for each in found.states)


def test_a_device_that_stays_throttled_is_refused() -> None:
    """After the plan's most seconds."""
    with pytest.raises(Unsteady, match=r"the device was throttled in (\d+) of \1 rounds"):
        Machine(lambda name, now: 10.0).measure("A", state=lambda: DeviceState(("hw_slowdown",)))


def test_warm_up_waits_until_stable_or_its_end() -> None:
    """Durations that fall for 20 rounds take more than 20; those that never settle take the plan's seconds."""
    runs = 0

    def law(name: str, now: float) -> float:
        nonlocal runs
        runs += 1
        return 10.0 + 10 * max(0, 20 - runs)

    machine = Machine(law)
    plan = Plan(warm_up_seconds=100)
    assert 20 < warm_up({"A": machine.run("A")}, plan=plan, timer=machine.timer, clock=lambda: machine.now) < 30
    machine = Machine(lambda name, now: 10.0 * 2**now)
    plan = Plan(warm_up_seconds=0)
    assert warm_up({"A": machine.run("A")}, plan=plan, timer=machine.timer, clock=lambda: machine.now) == 2


def test_the_collector_is_left_as_found() -> None:
    """Off while it runs, on again after an error."""
    seen = []

    def law(name: str, now: float) -> float:
        seen.append(gc.isenabled())
        raise KeyError(name)

    with pytest.raises(KeyError):
        Machine(law).measure("A")
    assert seen == [False]
    assert gc.isenabled()
