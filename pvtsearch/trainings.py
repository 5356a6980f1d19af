"""What trainings leave: their curves and accuracies. No torch here: searches and reports read these."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """After `number` epochs (from 1): mean loss of the epoch's steps, top-1 in percent on the held-out images."""

    number: int
    loss: float
    accuracy_percent: float


@dataclass(frozen=True)
class Outcome:
    """A finished training.

    accuracy_percent: top-1 after the last epoch, on `held_out` images that were not trained on. seconds: of computing,
    over all runs where it was interrupted.
    """

    accuracy_percent: float
    held_out: int
    curve: tuple[Epoch, ...]
    seconds: float

    @property
    def error_percent(self) -> float:
        """Standard error of the accuracy that the number of held-out images alone brings, in points."""
        share = min(max(self.accuracy_percent / 100, 1 / self.held_out), 1 - 1 / self.held_out)
        return 100 * float((share * (1 - share) / self.held_out) ** 0.5)


def best_epoch(curve: Sequence[Epoch]) -> Epoch:
    """The epoch of highest accuracy, the first of equals."""
    return max(curve, key=lambda epoch: epoch.accuracy_percent)
