"""The samplers that a study can run with."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler, RandomSampler, TPESampler


def _tpe(seed: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # `multivariate` has been experimental since Optuna 2.2
        # A killed run leaves trials in state RUNNING; without the constant liar they have no influence on what follows.
        return TPESampler(seed=seed, multivariate=True, constant_liar=False)


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "nsga2": lambda seed: NSGAIISampler(seed=seed),
    "nsga3": lambda seed: NSGAIIISampler(seed=seed),
    "tpe": _tpe,
    "random": lambda seed: RandomSampler(seed=seed),
}
DEFAULT_SAMPLER = "nsga2"
