"""What was trained, and how it came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pvtsearch.config import PVTConfig

Role = Literal["start", "reference", "random", "chosen", "again"]


@dataclass(frozen=True)
class Result:
    """One training: top-1 in percent on images that it has not seen, its standard error by their number, its curve.

    curve: (epoch, top-1 in percent), rising epochs.
    """

    accuracy_percent: float
    error_percent: float
    curve: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class Labelled:
    """A training of a network: why it was trained, from which seed, and what had been predicted of it before.

    start: spread over the budget. reference: a known shape at the budget. random: a uniform feasible draw.
    chosen: among the best predicted. again: the network that is recommended, from a fresh seed.
    """

    role: Role
    config: PVTConfig
    seed: int
    result: Result
    predicted: tuple[float, float] | None = None  # accuracy and deviation, in percent

    @property
    def accuracy_percent(self) -> float:
        """Top-1 of the training."""
        return self.result.accuracy_percent


Trainer = Callable[[PVTConfig, int], Result]
"""Trains a network from a seed. The same network and seed come out the same: a campaign is killed and goes on."""
