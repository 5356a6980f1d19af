"""How far predictions were from measurements, in size and in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PredictionErrors:
    """Errors of predictions relative to what was measured; shares and correlations as numbers from -1 to 1.

    bias: the mean of signed errors, above 0 where predictions are too high. kendall: tau-b, pairs in order less pairs
    out of order, of those not tied. spearman: correlation of ranks.
    """

    count: int
    mape: float
    bias: float
    within_5_percent: float
    within_10_percent: float
    worst: float
    kendall: float
    spearman: float


def prediction_errors(predicted: Sequence[float], measured: Sequence[float]) -> PredictionErrors:
    """The errors of at least two predictions of positive numbers."""
    ours, truth = np.array(predicted, dtype=np.float64), np.array(measured, dtype=np.float64)
    errors = ours / truth - 1
    sizes = np.abs(errors)
    return PredictionErrors(
        count=len(truth),
        mape=float(sizes.mean()),
        bias=float(errors.mean()),
        within_5_percent=float((sizes <= 0.05).mean()),
        within_10_percent=float((sizes <= 0.10).mean()),
        worst=float(sizes.max()),
        kendall=kendall_tau(ours, truth),
        spearman=_correlation(_ranks(ours), _ranks(truth)),
    )


def kendall_tau(one: Floats, other: Floats) -> float:
    """Kendall's tau-b of two series (N,), by all pairs; 0 where a series is constant."""
    upper = np.triu_indices(len(one), 1)
    signs = [np.sign(np.subtract.outer(series, series))[upper] for series in (one, other)]
    untied = [float(np.abs(sign).sum()) for sign in signs]
    return float((signs[0] * signs[1]).sum() / (untied[0] * untied[1]) ** 0.5) if min(untied) > 0 else 0.0


def _ranks(series: Floats) -> Floats:
    """Ranks from 0, those of equal values averaged."""
    _, which, counts = np.unique(series, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    ranks: Floats = (ends - (counts + 1) / 2)[which]
    return ranks


def _correlation(one: Floats, other: Floats) -> float:
    one, other = one - one.mean(), other - other.mean()
    spread = float((one @ one) * (other @ other)) ** 0.5
    return float(one @ other) / spread if spread > 0 else 0.0
