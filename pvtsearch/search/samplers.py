"""The samplers that a study can run with."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler, RandomSampler, TPESampler

DEFAULT_SAMPLER = "nsga2"


def _tpe(seed: int) -> BaseSampler:
    # A killed run leaves trials in state RUNNING; without the constant liar they have no influence on what follows.
    return TPESampler(seed=seed, multivariate=True, constant_liar=False)


SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    "nsga2": lambda seed: NSGAIISampler(seed=seed),
    "nsga3": lambda seed: NSGAIIISampler(seed=seed),
    "tpe": _tpe,
    "random": lambda seed: RandomSampler(seed=seed),
}


def make_sampler(name: str, seed: int) -> BaseSampler:
    """The sampler called name; that Optuna still calls some of them experimental is no news to a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return SAMPLERS[name](seed)
