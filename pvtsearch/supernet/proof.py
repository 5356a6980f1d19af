"""A supernet held against networks that are trained on their own, and what may be said of all others after that."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pvtsearch.config import PVTConfig
from pvtsearch.supernet.ranking import Compared
from pvtsearch.supernet.training import SupernetTraining, inherited_percent
from pvtsearch.trainings import Trainer

Done = Callable[[int], None]


def compared(trained: SupernetTraining, configs: Sequence[PVTConfig], trainer: Trainer, done: Done) -> list[Compared]:
    """Each network with inherited weights, and trained on its own from the supernet's seed; done: told how many are."""
    found = list[Compared]()
    for config in configs:
        inherited = inherited_percent(trained.supernet, config, trained.job.data)
        found.append(Compared(config, inherited, trainer(config, trained.job.seed).accuracy_percent))
        done(len(found))
    return found


def inherited(trained: SupernetTraining, configs: Sequence[PVTConfig], done: Done) -> list[tuple[PVTConfig, float]]:
    """Each network with its accuracy by inherited weights, in percent."""
    found = list[tuple[PVTConfig, float]]()
    for config in configs:
        found.append((config, inherited_percent(trained.supernet, config, trained.job.data)))
        done(len(found))
    return found
