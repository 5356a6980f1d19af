"""The samplers that a study can run with."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from operator import attrgetter

import optuna
from optuna import samplers
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseGASampler, BaseSampler, RandomSampler
from optuna.trial import FrozenTrial

from pvtsearch.search.structured import Structure, StructuredSampler

DEFAULT_SAMPLER = "nsga2"


class _OfStructure(BaseSampler):
    """A sampler of parameters that are known beforehand: Optuna's own would gather them from all trials at each draw.

    The subclasses are called as Optuna's are: genetic ones write their names into the trials of a generation.
    """

    ranges: dict[str, BaseDistribution]

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The knobs."""
        return self.ranges

    def over(self, structure: Structure) -> BaseSampler:
        """The sampler of a structure's knobs, in the order in which Optuna's own would find them."""
        self.ranges = dict(sorted(knobs_of(structure).items()))
        return self


class _Genetic(_OfStructure, BaseGASampler):
    """One whose parents come in one order: Optuna's own is another one for the first who asks for a generation's.

    A killed run asks anew, and is to draw what it would have drawn.
    """

    def get_parent_population(self, study: optuna.Study, generation: int) -> list[FrozenTrial]:
        """The parents of a generation, by number."""
        return sorted(super().get_parent_population(study, generation), key=attrgetter("number"))


class NSGAIISampler(_Genetic, samplers.NSGAIISampler):
    """Of known parameters."""


class NSGAIIISampler(_Genetic, samplers.NSGAIIISampler):
    """Of known parameters."""


class TPESampler(_OfStructure, samplers.TPESampler):
    """Of known parameters."""


def knobs_of(structure: Structure) -> dict[str, BaseDistribution]:
    """The parameters of a structure's trials."""
    return {name: IntDistribution(0, size - 1) for name, size in structure.decoder.sizes.items()}


def _tpe(structure: Structure, seed: int) -> BaseSampler:
    # Trials of others that run are no bad ones; and a killed run could not go on as it would have.
    return TPESampler(seed=seed, multivariate=True, constant_liar=False).over(structure)


SAMPLERS: dict[str, Callable[[Structure, int], BaseSampler]] = {
    "structured": StructuredSampler,
    "nsga2": lambda structure, seed: NSGAIISampler(seed=seed).over(structure),
    "nsga3": lambda structure, seed: NSGAIIISampler(seed=seed).over(structure),
    "tpe": _tpe,
    "random": lambda _, seed: RandomSampler(seed=seed),
}


def make_sampler(name: str, structure: Structure, seed: int) -> BaseSampler:
    """The sampler called name; that Optuna still calls some of them experimental is no news to a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return SAMPLERS[name](structure, seed)
