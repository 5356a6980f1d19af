"""What a study evaluates, how, and how long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner

from pvtsearch.search.decode import Decoded, Decoder
from pvtsearch.search.pulse import Liveness
from pvtsearch.search.question import Question
from pvtsearch.search.structured import Structure
from pvtsearch.trainings import OnEpoch

Evaluate = Callable[[Decoded, OnEpoch], dict[str, float]]

PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "median": lambda: MedianPruner(n_startup_trials=5, n_warmup_steps=1),
    "hyperband": HyperbandPruner,
    "none": NopPruner,
}


@dataclass(frozen=True)
class StudyPlan:
    """What a study evaluates and how long. `definition` is stored with it: another one may not join."""

    structure: Structure
    question: Question
    evaluate: Evaluate  # scores of a decoded configuration, by signal; told of its epochs
    trials: int
    sampler: str
    seed: int
    definition: dict[str, Any]
    pruner: str = "none"
    liveness: Liveness = field(default_factory=Liveness)

    @property
    def decoder(self) -> Decoder:
        """What turns points into configurations."""
        return self.structure.decoder
