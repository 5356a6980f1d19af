"""What a search found, as values: the contract between the search, the files it writes and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pvtsearch.config import PVTConfig, Task
from pvtsearch.cost import Budget, Cost

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
class SearchResult:
    """A finished search: everything its files and its report are made of.

    `front` is the non-dominated part of `records`. `space_size` counts legal, distinct configurations. `memory` is what
    peak memory was computed for (batch size, dtype, attention), where it was.
    `circumstances` holds what describes the run and enters no computation (command, versions, dropped points …).
    """

    space: str
    space_size: int
    image_size: tuple[int, int]
    task: Task
    budget: Budget
    objectives: tuple[Objective, ...]
    method: str
    sampler: str
    seed: int
    records: tuple[TrialRecord, ...]
    front: tuple[TrialRecord, ...]
    extrapolated: bool
    circumstances: Mapping[str, Any]
    memory: Mapping[str, Any] | None = None
