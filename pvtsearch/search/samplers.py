"""The samplers that a study can run with."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, NSGAIIISampler, NSGAIISampler, RandomSampler, TPESampler

from pvtsearch.search.structured import Structure, StructuredSampler

DEFAULT_SAMPLER = "nsga2"


def _tpe(seed: int) -> BaseSampler:
    # A killed run leaves trials in state RUNNING; without the constant liar they have no influence on what follows.
    return TPESampler(seed=seed, multivariate=True, constant_liar=False)


SAMPLERS: dict[str, Callable[[Structure, int], BaseSampler]] = {
    "structured": StructuredSampler,
    "nsga2": lambda _, seed: NSGAIISampler(seed=seed),
    "nsga3": lambda _, seed: NSGAIIISampler(seed=seed),
    "tpe": lambda _, seed: _tpe(seed),
    "random": lambda _, seed: RandomSampler(seed=seed),
}


def make_sampler(name: str, structure: Structure, seed: int) -> BaseSampler:
    """The sampler called name; that Optuna still calls some of them experimental is no news to a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return SAMPLERS[name](structure, seed)
