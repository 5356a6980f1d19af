"""What trainings of a few networks say of all others: a model that adds up over stages, and how far it can be trusted.

Of accuracies the model sees the log odds, made as normal as a power can make them (Yeo and Johnson 2000): accuracies
saturate, a few poor networks would outweigh all others, and nothing that is predicted should pass 100 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.regression import Posterior, fit
from pvtsearch.errors import InputError
from pvtsearch.search.features import Features
from pvtsearch.search.lattice import Edges

Floats = NDArray[np.float64]

CLOSEST = 0.0005  # to 0 and to 1, of a share whose odds are taken
FEWEST = 4  # trained networks that a model is made from

# Of each group of features the share of the accuracies' variance that it is expected to explain, before anything is
# seen. Trainings are few and noisy: single values and products are expected to explain little.
EXPECTED = {
    "widths": 0.5,
    "parts": 0.1,
    "knobs": 0.5,
    "values": 0.002,
    "pairs": 0.02,
    "entering": 0.01,
    "across": 0.01,
    "noise": 0.2,
}


@dataclass(frozen=True)
class PowerTransform:
    """An increasing function that makes values as normal as it can, of values less their mean by their deviation."""

    power: float
    mean: float
    deviation: float

    @classmethod
    def of(cls, values: Floats) -> PowerTransform:
        """The transform that is likeliest for these values; the identity, but for its scale, where they are all one."""
        from scipy.stats import yeojohnson_normmax

        mean, deviation = float(np.mean(values)), float(np.std(values))
        if deviation == 0:
            return cls(1.0, mean, 1.0)
        return cls(float(yeojohnson_normmax((values - mean) / deviation)), mean, deviation)

    def forward(self, values: Floats) -> Floats:
        """Transformed values."""
        from scipy.stats import yeojohnson

        transformed: Floats = yeojohnson((values - self.mean) / self.deviation, self.power)
        return transformed

    def backward(self, transformed: Floats) -> Floats:
        """Values as they were before `forward`; its ends beyond them (Yeo and Johnson 2000, equation 2.1)."""
        up, down = np.maximum(transformed, 0.0), np.maximum(-transformed, 0.0)
        values = np.where(transformed >= 0, _unpowered(up, self.power), -_unpowered(down, 2 - self.power))
        back: Floats = self.mean + self.deviation * values
        return back


def _unpowered(values: Floats, power: float) -> Floats:
    """x of ((1 + x)^power - 1) / power = value, for values from 0."""
    if abs(power) < 1e-9:
        return np.asarray(np.expm1(values))
    inside = np.maximum(1 + power * values, np.finfo(float).tiny)
    return np.asarray(inside ** (1 / power) - 1)


def log_odds(percents: Floats) -> Floats:
    """Log odds of accuracies in percent; those next to 0 and 100 as if half of one in a thousand were otherwise."""
    shares = np.clip(percents / 100, CLOSEST, 1 - CLOSEST)
    odds: Floats = np.log(shares / (1 - shares))
    return odds


def percent(odds: Floats) -> Floats:
    """Accuracies in percent of log odds: between 0 and 100, whatever they are."""
    shares: Floats = 100 / (1 + np.exp(-np.clip(odds, -50, 50)))
    return shares


class Predictor:
    """Predicts accuracies, in their own units, of the networks of a lattice.

    networks: at least `FEWEST`, one of them again where it was trained again. accuracies: (N,), in percent.
    """

    def __init__(self, features: Features, networks: Sequence[Edges], accuracies: Sequence[float]) -> None:
        if len(networks) < FEWEST:
            raise InputError(f"a predictor needs at least {FEWEST} trained networks, got {len(networks)}")
        self.features, self.networks = features, tuple(networks)
        self.accuracies = np.array(accuracies, dtype=np.float64)
        self._rows = features.of(self.networks)
        self.transform = PowerTransform.of(log_odds(self.accuracies))

    @cached_property
    def posterior(self) -> Posterior:
        """The model of transformed accuracies."""
        values = self.transform.forward(log_odds(self.accuracies))
        return fit(self._rows, values, self.features.groups, EXPECTED)

    def mean(self, networks: Sequence[Edges]) -> Floats:
        """Expected accuracies (the median of what is believed), shape (M,)."""
        return self._percent(self.posterior.mean(self.features.of(networks)))

    def deviation(self, networks: Sequence[Edges]) -> Floats:
        """Half the width of what is believed of accuracies without noise with 68 %, shape (M,)."""
        rows = self.features.of(networks)
        mean, deviation = self.posterior.mean(rows), self.posterior.deviation(rows)
        upper, lower = (self._percent(mean + sign * deviation) for sign in (1, -1))
        half: Floats = (upper - lower) / 2
        return half

    def _percent(self, modelled: Floats) -> Floats:
        return percent(self.transform.backward(modelled))

    def left_out(self) -> Floats:
        """Of each network what all others say, (N,): those that are the same network are left out with it."""
        predicted = np.empty(len(self.networks))
        for network in dict.fromkeys(self.networks):
            here = np.array([other == network for other in self.networks])
            others = [other for other in self.networks if other != network]
            predicted[here] = Predictor(self.features, others, self.accuracies[~here].tolist()).mean([network])
        return predicted
