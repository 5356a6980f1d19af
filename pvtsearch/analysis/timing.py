"""Latency as a value: what was timed and how long for, the durations with their median and interval, and ratios."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np

from pvtsearch.analysis.order_statistics import LEAST_COUNT, Interval, Modes, drift, median_interval, modes
from pvtsearch.analysis.setting import Dtype, Execution, MemoryFormat, Mode, Optimizer
from pvtsearch.config import AttentionKernel, check_choice, check_int
from pvtsearch.errors import ConfigError, Unsteady
from pvtsearch.shown import short

Verdict: TypeAlias = Literal["faster", "slower", "not distinguishable"]

LAUNCH_BOUND = 0.9  # of the device's time spent by the host to launch: the device waits for it
NOTABLE = 0.02  # a smaller drift, or modes nearer to each other, is not worth a word
TOLERATED_DRIFT = 0.2
TOLERATED_WIDTH = 0.25  # of the interval, on one side
TOLERATED_SHARE = 0.35  # of a second mode: with more the median may lie in either
_DEVICE = re.compile(r"cpu|cuda(:\d{1,4})?", re.ASCII)


def check_device(name: str) -> None:
    """Raise `ConfigError` unless name is cpu, cuda or cuda:N."""
    if not _DEVICE.fullmatch(name):
        raise ConfigError(f"device must be cpu, cuda or cuda:N, got {short(name)}")


@dataclass(frozen=True, kw_only=True)
class TimingSetting:
    """The circumstances of a pass or step that can be chosen.

    device: `cpu`, `cuda` or `cuda:N`. execution: `graph` replays a CUDA graph, so that the host launches once.
    memory_format: of weights and images. optimizer: what trains; nothing to an inference.
    """

    device: str = "cpu"
    batch_size: int = 1
    dtype: Dtype = "float32"
    mode: Mode = "inference"
    execution: Execution = "eager"
    attention: AttentionKernel = "fused"
    memory_format: MemoryFormat = "contiguous"
    optimizer: Optimizer = "adamw"

    def __post_init__(self) -> None:
        check_device(self.device)
        check_int("batch_size", self.batch_size, minimum=1)
        check_choice("dtype", self.dtype, get_args(Dtype))
        check_choice("mode", self.mode, get_args(Mode))
        check_choice("execution", self.execution, get_args(Execution))
        check_choice("attention", self.attention, get_args(AttentionKernel))
        check_choice("memory_format", self.memory_format, get_args(MemoryFormat))
        check_choice("optimizer", self.optimizer, get_args(Optimizer))
        if self.execution == "graph" and self.device == "cpu":
            raise ConfigError("execution=graph replays a CUDA graph, which device=cpu has not: eager or compiled")
        if self.execution == "graph" and self.mode == "training":
            raise ConfigError("execution=graph is for mode=inference: a training step is timed eager or compiled")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """When enough is measured: the interval of every median is within half_width of it; least and most of both kinds.

    half_width: relative, 0.01 for one percent. Seconds are for each of the networks that are measured together;
    min_rounds wins against max_seconds. warm_up_seconds: the most before the first sample.
    """

    min_rounds: int = 12
    max_rounds: int = 2000
    min_seconds: float = 0.5
    max_seconds: float = 10.0
    half_width: float = 0.01
    warm_up_seconds: float = 5.0

    def __post_init__(self) -> None:
        check_int("min_rounds", self.min_rounds, minimum=LEAST_COUNT)
        check_int("max_rounds", self.max_rounds, minimum=self.min_rounds)
        for name in ("min_seconds", "max_seconds", "half_width", "warm_up_seconds"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ConfigError(f"{name} must be a number of at least 0, got {getattr(self, name)!r}")

    @classmethod
    def within(cls, seconds: float) -> Plan:
        """At most so many for each network, and half as many to warm up."""
        return cls(
            max_seconds=seconds,
            min_seconds=min(cls.min_seconds, seconds),
            warm_up_seconds=min(cls.warm_up_seconds, seconds / 2),
        )


class Sample(NamedTuple):
    """One duration; on a device that computes while the host goes on, the host's beside it."""

    ms: float
    host_ms: float | None = None


@dataclass(frozen=True)
class Latency:
    """Durations of one pass or step in the order they were measured, and what they say; all in milliseconds.

    host_ms: how long the host took to launch each, empty where host and device are one. throttled_ms: those of rounds
    in which the device was slowed down, which count for nothing else.
    """

    samples_ms: tuple[float, ...]
    host_ms: tuple[float, ...] = ()
    throttled_ms: tuple[float, ...] = ()

    def percentile_ms(self, percent: float) -> float:
        """By linear interpolation between samples."""
        return float(np.percentile(self.samples_ms, percent))

    @property
    def median_ms(self) -> float:
        """Half of the samples are shorter."""
        return self.percentile_ms(50)

    @cached_property
    def interval_ms(self) -> Interval:
        """Of the median, at 95 %, for any law of the noise."""
        return median_interval(self.samples_ms)

    @property
    def half_width(self) -> float:
        """How far the interval reaches from the median on its wider side, relative: 0.01 for one percent."""
        low, high = self.interval_ms
        return max(high / self.median_ms - 1, 1 - low / self.median_ms)

    @cached_property
    def drift(self) -> float:
        """How much slower the second half of the samples is: 0.01 for one percent; 0 where chance explains it."""
        return drift(self.samples_ms)

    @cached_property
    def modes(self) -> Modes | None:
        """The two durations between which the samples switch, if they do."""
        found = modes(self.samples_ms)
        return found if found and found.upper > (1 + NOTABLE) * found.lower else None

    @property
    def host_median_ms(self) -> float | None:
        """The median of what the host took to launch; None where host and device are one."""
        return float(np.median(self.host_ms)) if self.host_ms else None

    @property
    def launch_bound(self) -> bool | None:
        """Whether the device waits for the host; None where they are one."""
        return None if self.host_median_ms is None else self.host_median_ms >= LAUNCH_BOUND * self.median_ms

    @property
    def refusal(self) -> str | None:
        """Why the median stands for nothing, in one line; None where it stands."""
        if abs(self.drift) > TOLERATED_DRIFT:
            return f"it drifted: the second half of the samples took {self.drift:+.0%}"
        if self.modes and self.modes.smaller_share >= TOLERATED_SHARE:
            return f"{_in_words(self.modes)}; the median may be either"
        if self.half_width > TOLERATED_WIDTH:
            return "its median is somewhere from {:.4g} ms to {:.4g} ms".format(*self.interval_ms)
        return None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know of a median that stands, each in one line."""
        found = []
        if NOTABLE < abs(self.drift) <= TOLERATED_DRIFT:
            found.append(f"the second half of the samples took {self.drift:+.1%}")
        if self.modes and self.modes.smaller_share < TOLERATED_SHARE:
            found.append(_in_words(self.modes))
        if self.throttled_ms:
            found.append(f"{len(self.throttled_ms)} samples of a throttled device were taken again")
        return tuple(found)

    def steady(self) -> Latency:
        """Itself; raises `Unsteady` where there is a refusal."""
        if self.refusal:
            raise Unsteady(f"{self.refusal}: measure again on a quiet machine, or for longer")
        return self


def _in_words(found: Modes) -> str:
    return f"two durations, {found.lower:.4g} ms and {found.upper:.4g} ms, the rarer {found.smaller_share:.0%} of times"


class Ratio(NamedTuple):
    """The median of one network's durations over another's in the same rounds, its interval, and what follows."""

    median: float
    interval: Interval
    verdict: Verdict


def compare(one: Latency, other: Latency, *, floor: float = 0.0) -> Ratio:
    """How long one takes over other, both measured in the same rounds, so that what slows both down cancels.

    A verdict needs three things: the ratio's interval leaves 1 out by more than floor (what a network shows against
    itself, see `noise_floor`), the two medians' intervals do not meet, and neither is refused. Raises `ValueError`
    where the rounds are not the same.
    """
    ratios = paired(one.samples_ms, other.samples_ms)
    interval = median_interval(ratios)
    return Ratio(float(np.median(ratios)), interval, _verdict(one, other, interval, floor))


def paired(one: Sequence[float], other: Sequence[float]) -> list[float]:
    """The ratio of every round."""
    return [a / b for a, b in zip(one, other, strict=True)]


def _verdict(one: Latency, other: Latency, ratio: Interval, floor: float) -> Verdict:
    if one.refusal or other.refusal or one.interval_ms.meets(other.interval_ms):
        return "not distinguishable"
    if ratio.low > 1 + floor:
        return "slower"
    if ratio.high < 1 / (1 + floor):
        return "faster"
    return "not distinguishable"


def noise_floor(one: Latency, again: Latency) -> float:
    """How far a network is from itself when it is measured twice, relative: no smaller difference means anything."""
    ratio = compare(one, again).median
    return max(ratio, 1 / ratio) - 1
