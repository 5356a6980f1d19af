"""Least squares with weights that are not negative: the active-set method of Lawson and Hanson (1974), chapter 23."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_TOLERANCE = 1e-10  # relative to the largest gradient at zero


def nonnegative_weights(features: Floats, values: Floats) -> Floats:
    """The weights w >= 0 (D,) that make |features @ w - values| least; features (N, D), values (N,).

    Columns are scaled to length 1 inside, so their units do not matter; a column of zeros gets the weight 0.
    """
    lengths = np.linalg.norm(features, axis=0)
    scales = np.where(lengths > 0, lengths, 1.0)
    weights: Floats = _solve(features / scales, values) / scales
    return weights


def _solve(features: Floats, values: Floats) -> Floats:
    weights = np.zeros(features.shape[1])
    active = np.zeros(features.shape[1], dtype=bool)
    gradient = features.T @ values
    enough = _TOLERANCE * max(1.0, float(np.abs(gradient).max(initial=0.0)))
    for _ in range(10 * features.shape[1]):
        hopeful = np.where(active, -np.inf, gradient)
        if hopeful.max(initial=-np.inf) <= enough:
            break
        active[int(np.argmax(hopeful))] = True
        weights = _descended(features, values, weights, active)
        active = weights > 0
        gradient = features.T @ (values - features @ weights)
    return weights


def _descended(features: Floats, values: Floats, weights: Floats, active: NDArray[np.bool_]) -> Floats:
    """The best weights on the active columns; those that would pass below 0 on the way are stopped there."""
    active = active.copy()
    while active.any():
        best = np.zeros_like(weights)
        best[active] = np.linalg.lstsq(features[:, active], values, rcond=None)[0]
        wrong = active & (best <= 0)
        if not wrong.any():
            return best
        step = float((weights[wrong] / (weights[wrong] - best[wrong] + np.finfo(float).tiny)).min())
        weights = np.maximum(weights + step * (best - weights), 0.0)
        stopped = wrong & (weights <= _TOLERANCE)
        active &= ~(stopped if stopped.any() else wrong)
        weights = np.where(active, weights, 0.0)
    return np.zeros_like(weights)
