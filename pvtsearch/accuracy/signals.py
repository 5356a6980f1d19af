"""Every accuracy signal: its score of a configuration, higher is better, and its card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pvtsearch.accuracy import prior
from pvtsearch.accuracy.cards import Card
from pvtsearch.config import PVTConfig


@dataclass(frozen=True)
class Signal:
    """A score and what is known of it."""

    score: Callable[[PVTConfig], float]
    card: Card


SIGNALS: dict[str, Signal] = {
    "prior": Signal(prior.prior_score, prior.CARD),
}
