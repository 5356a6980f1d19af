"""What trainings leave: their curves and accuracies. No torch here: searches and reports read these."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pvtsearch.config import PVTConfig

ACCURACY = "accuracy"  # the objective: measured top-1, in percent


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


def epochs_from(rows: Iterable[Mapping[str, float]]) -> tuple[Epoch, ...]:
    """A curve from plain values; raises `KeyError`, `TypeError` or `ValueError` where they are no such thing."""
    return tuple(Epoch(int(row["number"]), float(row["loss"]), float(row["accuracy_percent"])) for row in rows)


def best_epoch(curve: Sequence[Epoch]) -> Epoch:
    """The epoch of highest accuracy, the first of equals."""
    return max(curve, key=lambda epoch: epoch.accuracy_percent)


Role = Literal["start", "reference", "random", "chosen", "again"]
ROLES: dict[Role, str] = {
    "start": "spread over the budget, to learn from",
    "reference": "the known shape at the budget",
    "random": "a uniform draw within the limits",
    "chosen": "among the best predicted",
    "again": "the recommended network from a fresh seed, which had no part in choosing it",
}


@dataclass(frozen=True)
class Training:
    """A training of a network in a search: why it was trained, from which seed, and what had been predicted of it.

    predicted: accuracy and its deviation, in percent, before it was trained.
    """

    role: Role
    config: PVTConfig
    seed: int
    outcome: Outcome
    predicted: tuple[float, float] | None = None

    @property
    def accuracy_percent(self) -> float:
        """Top-1 of the training."""
        return self.outcome.accuracy_percent


OnEpoch = Callable[[Epoch], None]
"""Told of every epoch of a training; what it raises ends the training."""


def unheard(_epoch: Epoch) -> None:
    """Nobody listens."""


class Trainer(Protocol):
    """Trains a network from a seed. The same network and seed come out the same: a search is killed and goes on."""

    def __call__(self, config: PVTConfig, seed: int, on_epoch: OnEpoch = unheard, /) -> Outcome:
        """The outcome."""


@dataclass(frozen=True)
class Gain:
    """Accuracy of the recommended network less another's, in points, with a 95 % interval by the noise of trainings."""

    over: Role
    points: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Verdict:
    """What trainings say in the end. All in percent of top-1, but tau.

    noise: of one training, by seeds. spread: standard deviation of predictions over uniform feasible draws.
    left_out: Kendall's tau, with its 95 % interval, of each network's accuracy with what all others predict of it;
    None where there is no order. random_best: by number of trained networks, the best that so many of the spread ones
    hold in the mean.
    """

    noise: float
    spread: float
    left_out: tuple[float, float, float] | None
    gains: tuple[Gain, ...]
    random_best: tuple[float, ...]

    @property
    def resolvable(self) -> bool:
        """Whether networks within the budget differ by more than trainings of one of them do."""
        return self.spread > self.noise


@dataclass(frozen=True)
class Campaign:
    """Trainings in their order, the network that they recommend, and what that is worth.

    stopped: why there are no more. expected: accuracy that is predicted of the recommended network, and its deviation.
    """

    trainings: tuple[Training, ...]
    recommended: PVTConfig
    expected: tuple[float, float]
    stopped: str
    verdict: Verdict

    def of(self, *roles: Role) -> tuple[Training, ...]:
        """The trainings of these roles."""
        return tuple(each for each in self.trainings if each.role in roles)
