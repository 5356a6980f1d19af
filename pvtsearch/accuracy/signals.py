"""Every accuracy signal: its score of a configuration, higher is better, and its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pvtsearch.accuracy import prior
from pvtsearch.accuracy.cards import Card
from pvtsearch.config import PVTConfig


@dataclass(frozen=True)
class StageScores:
    """A score that is a sum over stages, for the exact search: parts of stages from their numbers as arrays.

    A part times `scale` is rounded to an integer, once per stage; with a scale of 1 and whole parts nothing is lost.
    """

    of_columns: Callable[[Mapping[str, Any]], Any]
    scale: int


@dataclass(frozen=True)
class Signal:
    """A score and what is known of it; `by_stage` only where the score is a sum over stages."""

    score: Callable[[PVTConfig], float]
    card: Card
    by_stage: StageScores | None = None


def _prior_of_stages(columns: Mapping[str, Any]) -> Any:
    return prior.stage_score(columns["depth"], columns["embed_dim"])


SIGNALS: dict[str, Signal] = {
    "prior": Signal(prior.prior_score, prior.CARD, StageScores(_prior_of_stages, scale=1)),
}
