"""The loop that measures: warm up until stable, then rounds of all networks in turn, until their medians are known.

Timer, clock and the reader of the device's state are arguments, so that the loop is tested without a clock.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import NamedTuple, TypeAlias

from pvtsearch.analysis.timing import NOTABLE, Latency, Plan, Sample
from pvtsearch.errors import Unsteady

Run: TypeAlias = Callable[[], object]
Timer: TypeAlias = Callable[[Run], Sample]
Clock: TypeAlias = Callable[[], float]

WINDOW = 3  # rounds; stable: the medians of the last two windows differ by at most STABLE
STABLE = 0.03
BLOCK_SECONDS = 0.25  # between two looks at the device, which take time too


class DeviceState(NamedTuple):
    """What a device says of itself, as far as it does. throttle: why it is slowed down, in its words; empty: not."""

    throttle: tuple[str, ...] = ()
    clock_mhz: float | None = None
    temperature_c: float | None = None


StateReader: TypeAlias = Callable[[], DeviceState]


@dataclass(frozen=True)
class Interleaved:
    """What measuring together gave: latencies by name, in as many rounds; the device's states between blocks."""

    latencies: Mapping[str, Latency]
    states: tuple[DeviceState, ...]
    warm_up_rounds: int
    seconds: float


@dataclass
class _Series:
    """Samples of one network so far."""

    kept: list[Sample] = field(default_factory=list)
    throttled: list[Sample] = field(default_factory=list)

    @property
    def latency(self) -> Latency:
        host = tuple(sample.host_ms for sample in self.kept if sample.host_ms is not None)
        return Latency(tuple(sample.ms for sample in self.kept), host, tuple(sample.ms for sample in self.throttled))


def measure_interleaved(
    runs: Mapping[str, Run],
    *,
    plan: Plan,
    timer: Timer,
    state: StateReader = DeviceState,
    clock: Clock = time.perf_counter,
) -> Interleaved:
    """Latencies of runs that take turns: A B C, C B A, A B C, so that a drift of the machine meets all alike.

    Rounds end when every median's interval is as narrow as the plan wants and none drifts, or at the plan's most.
    Rounds in which the device was throttled are repeated. Raises `Unsteady` where too few others were left.
    """
    with _no_collection():
        warm_up_rounds = warm_up(runs, plan=plan, timer=timer, clock=clock)
        began = clock()
        series = {name: _Series() for name in runs}
        states = [state()]
        while not _enough(series, plan, clock() - began):
            block = _block(runs, timer, clock, _rounds(series))
            states.append(state())
            slowed = states[-2].throttle or states[-1].throttle
            for name, samples in block.items():
                (series[name].throttled if slowed else series[name].kept).extend(samples)
        latencies = {name: each.latency for name, each in series.items()}
        return Interleaved(latencies, tuple(states), warm_up_rounds, clock() - began)


def warm_up(runs: Mapping[str, Run], *, plan: Plan, timer: Timer, clock: Clock) -> int:
    """Rounds until every run is stable: its last `WINDOW` durations and those before have nearly the same median.

    Ends after the plan's seconds too, and then with two rounds at least.
    """
    end = clock() + plan.warm_up_seconds * len(runs)
    durations: dict[str, list[float]] = {name: [] for name in runs}
    rounds = 0
    while rounds < 2 or (clock() < end and not all(_stable(each) for each in durations.values())):
        for name in _turn(runs, rounds):
            durations[name].append(timer(runs[name]).ms)
        rounds += 1
    return rounds


def _stable(durations: list[float]) -> bool:
    if len(durations) < 2 * WINDOW:
        return False
    before, last = median(durations[-2 * WINDOW : -WINDOW]), median(durations[-WINDOW:])
    return abs(last - before) <= STABLE * before


def _turn(runs: Mapping[str, Run], number: int) -> Iterator[str]:
    """The names in the order of a round: there, then back."""
    return reversed(list(runs)) if number % 2 else iter(runs)


def _block(runs: Mapping[str, Run], timer: Timer, clock: Clock, number: int) -> dict[str, list[Sample]]:
    """Samples of the rounds from number on, for as long as a block lasts."""
    samples: dict[str, list[Sample]] = {name: [] for name in runs}
    end = clock() + BLOCK_SECONDS
    while True:
        for name in _turn(runs, number):
            samples[name].append(timer(runs[name]))
        number += 1
        if clock() >= end:
            return samples


def _rounds(series: Mapping[str, _Series]) -> int:
    return max(len(each.kept) + len(each.throttled) for each in series.values())


def _enough(series: Mapping[str, _Series], plan: Plan, seconds: float) -> bool:
    """Whether the plan is met, or at its most. Raises `Unsteady` at its most with less than its least."""
    kept = min(len(each.kept) for each in series.values())
    seconds /= len(series)
    spent = _rounds(series) >= plan.max_rounds or seconds >= plan.max_seconds
    if kept < plan.min_rounds:
        if spent and _rounds(series) > kept and _rounds(series) >= plan.min_rounds:
            raise Unsteady(
                f"the device was throttled in {_rounds(series) - kept} of {_rounds(series)} rounds: let it cool down, "
                "or measure for longer"
            )
        return False
    if spent:
        return True
    return seconds >= plan.min_seconds and all(_known(each.latency, plan) for each in series.values())


def _known(latency: Latency, plan: Plan) -> bool:
    return latency.half_width <= plan.half_width and abs(latency.drift) <= NOTABLE


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without Python's garbage collector, which would stop some runs and not others; afterwards as found."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
