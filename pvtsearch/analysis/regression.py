"""Bayesian linear regression on groups of features whose importance is learned: a mean, an uncertainty, and draws.

Weights of a group are normal around 0 with one variance; noise is normal. These variances maximise the evidence
(MacKay 1992, Bayesian Interpolation) times a broad prior of their own, so that few values are not over-read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

NOISE = "noise"
CONSTANT = 10.0  # variance of the constant, which values are centred and scaled for
LEARN_FROM = 200  # values that variances are learned from, the latest; all are learned from otherwise
_BROAD = 1.0  # standard deviation of the logarithm of a variance, before data
_LOWEST, _HIGHEST = 1e-6, 1e3
_STEPS = (4.0, 2.0, 1.4)


@dataclass(frozen=True)
class Posterior:
    """What N values say of the weights of D features, and of a constant beside them.

    variances: of weights by group and of the noise, in units of the values' own variance. Values are what was observed;
    means, deviations and draws are in their units.
    """

    features: Floats  # (N, D)
    groups: Sequence[str]  # (D,)
    variances: Mapping[str, float]
    offset: float
    scale: float
    residual: Floats  # (N,): values, less offset and divided by scale

    @cached_property
    def _widths(self) -> Floats:
        """The variance of each weight and of the constant, (D + 1,)."""
        return np.array([*(self.variances[group] for group in self.groups), CONSTANT])

    @cached_property
    def _design(self) -> Floats:
        return _with_constant(self.features)

    @cached_property
    def _factor(self) -> Floats:
        """Cholesky factor of the values' covariance, (N, N)."""
        covariance = (self._design * self._widths) @ self._design.T
        noise = self.variances[NOISE] * np.eye(len(self.features))
        return np.asarray(np.linalg.cholesky(covariance + noise), dtype=np.float64)

    def _explained(self, values: Floats) -> Floats:
        """The expected weights and constant, (D + 1,), where these values were seen."""
        solved = np.linalg.solve(self._factor.T, np.linalg.solve(self._factor, values))
        explained: Floats = self._widths * (self._design.T @ solved)
        return explained

    @cached_property
    def _mean(self) -> Floats:
        return self.scale * self._explained(self.residual)

    @property
    def weights(self) -> Floats:
        """The mean of the weights, (D,)."""
        return self._mean[:-1]

    def draw(self, rng: np.random.Generator) -> Floats:
        """Weights (D,) from the posterior, exactly: a draw from the prior, corrected by what it gets wrong."""
        prior = rng.normal(size=len(self._widths)) * np.sqrt(self._widths)
        noise = rng.normal(size=len(self.residual)) * np.sqrt(self.variances[NOISE])
        drawn = prior + self._explained(self.residual - self._design @ prior - noise)
        return self.scale * drawn[:-1]

    def mean(self, features: Floats) -> Floats:
        """Expected values without noise, (M,), of features (M, D)."""
        means: Floats = self.offset + _with_constant(features) @ self._mean
        return means

    def deviation(self, features: Floats) -> Floats:
        """Standard deviations of values without noise, (M,), of features (M, D)."""
        asked = _with_constant(features)
        across = np.linalg.solve(self._factor, (self._design * self._widths) @ asked.T)
        variance: Floats = (asked**2 * self._widths).sum(axis=1) - (across**2).sum(axis=0)
        deviations: Floats = self.scale * np.sqrt(np.maximum(variance, 0.0))
        return deviations


def _with_constant(features: Floats) -> Floats:
    return np.concatenate([features, np.ones((len(features), 1))], axis=1)


def fit(features: Floats, values: Floats, groups: Sequence[str], expected: Mapping[str, float]) -> Posterior:
    """The posterior of weights given values (N,) at features (N, D), groups (D,) naming the group of each feature.

    expected: of each group and of the noise the variance that is likely before data, as a share of that of values.
    Features of a group should be scaled so that their squares sum to about 1 in a typical row.
    """
    offset, scale = float(np.mean(values)), float(np.std(values))
    scale = scale if scale > 0 else 1.0
    residual = (values - offset) / scale
    latest = slice(max(0, len(values) - LEARN_FROM), None)
    variances = _learned(features[latest], residual[latest], np.array(groups), expected)
    return Posterior(features, tuple(groups), variances, offset, scale, residual)


def _learned(
    features: Floats, residual: Floats, groups: NDArray[np.str_], expected: Mapping[str, float]
) -> dict[str, float]:
    """Variances by group that maximise evidence times prior: one after the other, in steps that become small."""
    names = [name for name in expected if name != NOISE]
    shares = np.stack([features[:, groups == name] @ features[:, groups == name].T for name in names])
    logs = np.log([expected[name] for name in (*names, NOISE)])
    start = logs.copy()

    def loss(candidate: Floats) -> float:
        variances = np.exp(candidate)
        covariance = np.tensordot(variances[:-1], shares, axes=1) + variances[-1] * np.eye(len(residual)) + CONSTANT
        factor = np.linalg.cholesky(covariance)
        scaled = np.linalg.solve(factor, residual)
        evidence = 0.5 * float(scaled @ scaled) + float(np.log(np.diag(factor)).sum())
        return evidence + 0.5 * float((((candidate - start) / _BROAD) ** 2).sum())

    lowest = loss(logs)
    for step in np.log(_STEPS):
        improved = True
        while improved:
            improved = False
            for place in range(len(logs)):
                for change in (step, -step):
                    candidate = logs.copy()
                    candidate[place] = np.clip(candidate[place] + change, np.log(_LOWEST), np.log(_HIGHEST))
                    if (found := loss(candidate)) < lowest - 1e-9:
                        logs, lowest, improved = candidate, found, True
                        break
    return dict(zip((*names, NOISE), np.exp(logs).tolist(), strict=True))
