"""What a search found, as values: the contract between the search, the files it writes and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pvtsearch.config import PVTConfig, Task
from pvtsearch.cost import Budget, Cost
from pvtsearch.trainings import Campaign

Direction: TypeAlias = Literal["minimize", "maximize"]


@dataclass(frozen=True)
class Objective:
    """What a search makes small or large: an analytic metric or the score of an accuracy signal."""

    name: str
    direction: Direction


@dataclass(frozen=True)
class TrialRecord:
    """One evaluated configuration. `cost` and `scores` hold metrics and signals by name; scores are better higher."""

    trial: int
    config: PVTConfig
    cost: Cost
    scores: Mapping[str, float]

    def value(self, name: str) -> float:
        """The metric or score called name."""
        return self.scores[name] if name in self.scores else self.cost[name]


@dataclass(frozen=True)
class Certificate:
    """What an exact search proved: within the limits no configuration of the space beats any of its front.

    With `epsilon` it proved less: every configuration within the limits is at most that share better than one of the
    front in any objective. Then nothing is said of ties.
    """

    feasible: int | None  # configurations within the limits; None where nobody counted (`counted` of search.exact does)
    ties: tuple[int, ...]  # how many of them each record of the front stands for
    epsilon: str | None


@dataclass(frozen=True)
class Quality:
    """How near a search by trials came to the exact front of the same question.

    `share` is of hypervolume, measured from `reference`. `factor` 1.03: every configuration within the limits is at
    most 1.03 times better than some evaluated one, in every objective at once.
    """

    reference: Mapping[str, float]  # by objective
    exact: tuple[TrialRecord, ...]  # the exact front, one record per point
    found: int  # of its points, how many were evaluated
    factor: float
    history: tuple[tuple[int, float], ...]  # after how many trials the share rose, and to what

    @property
    def share(self) -> float:
        """The hypervolume of the front of all trials over that of the exact front."""
        return self.history[-1][1] if self.history else 0.0


@dataclass(frozen=True)
class Finalist:
    """A network of the front (by position, from 0) whose latency was measured, beside what was predicted."""

    position: int
    predicted_ns: int
    measured_ns: int


@dataclass(frozen=True)
class Prediction:
    """What predicted latencies are worth: where they come from and how far they were off where that was measured.

    circumstances: device, dtype, batch size and how networks are run. errors: on networks held out, by name.
    measured_ns: of published networks. range_ns: the least and largest that whole networks of the space took.
    """

    calibration: str
    digest: str
    circumstances: Mapping[str, Any]
    errors: Mapping[str, float]
    measured_ns: Mapping[str, int]
    range_ns: tuple[int, int] | None = None


@dataclass(frozen=True)
class SearchResult:
    """A finished search: everything its files and its report are made of.

    `front` is the non-dominated part of `records`. `space_size` counts legal, distinct configurations. `memory` is what
    peak memory was computed for (batch size, dtype, attention), where it was.
    `sampler`, `seed` and, where the exact front is known, `quality` are of a search by trials, `certificate` of an
    exact one.
    `prediction` is there where latency is limited or an objective, `finalists` where some were measured.
    `campaign` is there where networks were trained and all others predicted.
    `circumstances` holds what describes the run and enters no computation (command, versions, dropped points …).
    """

    space: str
    space_size: int
    image_size: tuple[int, int]
    task: Task
    budget: Budget
    objectives: tuple[Objective, ...]
    method: str
    sampler: str | None
    seed: int | None
    records: tuple[TrialRecord, ...]
    front: tuple[TrialRecord, ...]
    extrapolated: bool
    circumstances: Mapping[str, Any]
    memory: Mapping[str, Any] | None = None
    certificate: Certificate | None = None
    quality: Quality | None = None
    prediction: Prediction | None = None
    finalists: tuple[Finalist, ...] = ()
    campaign: Campaign | None = None
