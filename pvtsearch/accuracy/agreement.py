"""How well a score orders trained networks: over all pairs, and over pairs that cost the same, with intervals.

Networks are drawn anew for the intervals, not pairs: pairs that share a network are no independent evidence. Shapes:
N networks, R resamples; scores, accuracies and MACs are (N,).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pvtsearch.errors import InputError

Floats = NDArray[np.float64]

EQUAL_MACS = 0.1  # two networks cost the same where the larger has less than this share more MACs than the smaller
RESAMPLES = 2000
COVERAGE = 0.95


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval by bootstrap over networks."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Agreement:
    """How well two orders of the same networks agree; `pair_percent` is over `pairs` of equal MACs, 50 is a coin."""

    networks: int
    tau: Estimate
    pairs: int
    pair_percent: Estimate


def kendall_tau(one: ArrayLike, other: ArrayLike) -> float:
    """Kendall's tau-b, which allows for ties (Kendall 1945, Biometrika 33, 239).

    Raises `InputError` for values that are not finite, of another number, or all equal: then there is no order.
    """
    first = _values(one)
    second = _values(other, first.size)
    return _tau(_signs(first), _signs(second))


def agreement(
    scores: ArrayLike, accuracies: ArrayLike, macs: ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES
) -> Agreement:
    """Agreement of scores with accuracies over all pairs (tau-b) and over pairs of equal MACs (share in right order).

    Of two equal scores half counts as right; pairs of equal accuracy are left out. Raises `InputError` as
    `kendall_tau` does, and where no two networks of different accuracy have equal MACs.
    """
    second = _values(accuracies)
    first, costs = _values(scores, second.size), _values(macs, second.size)
    score_signs, signs = _signs(first), _signs(second)
    near = _equal_cost(costs) & (signs != 0)
    pairs = int(np.count_nonzero(near)) // 2
    if not pairs:
        raise InputError(
            f"no two of {first.size} networks have MACs that differ by less than {EQUAL_MACS:.0%} and another "
            "accuracy: pair accuracy needs some"
        )
    weights = _resampled(first.size, seed, resamples)
    everything = np.ones((1, first.size))
    taus, percents = _taus(score_signs, signs, weights), _percents(score_signs, signs, near, weights)
    return Agreement(
        first.size,
        _estimate(_tau(score_signs, signs), taus),
        pairs,
        _estimate(_percents(score_signs, signs, near, everything)[0], percents),
    )


def noise_ceiling(
    first: ArrayLike, second: ArrayLike, macs: ArrayLike, *, seed: int = 0, resamples: int = RESAMPLES
) -> Agreement:
    """Agreement of two trainings of the same networks: what no score can be expected to pass."""
    return agreement(first, second, macs, seed=seed, resamples=resamples)


def mean_ranks(columns: Sequence[ArrayLike]) -> Floats:
    """The mean over columns of each network's rank, 1 for the lowest; equal values share the mean of their ranks."""
    if not columns:
        raise InputError("a mean rank needs at least one column")
    ranks: list[Floats] = []
    for column in columns:
        signs = _signs(_values(column, np.size(columns[0])))
        ranks.append((1 + len(signs) + signs.sum(axis=1)) / 2)
    mean: Floats = np.mean(ranks, axis=0)
    return mean


def _values(values: ArrayLike, count: int | None = None) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size < 2 or count not in (None, array.size):
        raise InputError(f"values must be a row of {count or 'at least 2'} numbers, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise InputError(f"values must be finite, got {array[~np.isfinite(array)][0]}")
    return array


def _signs(values: Floats) -> Floats:
    """(N, N): 1 where the row's network is above the column's, -1 below, 0 equal."""
    return np.sign(values[:, None] - values[None, :])


def _equal_cost(macs: Floats) -> NDArray[np.bool_]:
    """(N, N): pairs of different networks whose MACs differ by less than `EQUAL_MACS` of the smaller."""
    near: NDArray[np.bool_] = np.maximum.outer(macs, macs) < (1 + EQUAL_MACS) * np.minimum.outer(macs, macs)
    np.fill_diagonal(near, False)
    return near


def _resampled(count: int, seed: int, resamples: int) -> Floats:
    """(R, N): how often each network is in a resample."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(count, np.full(count, 1 / count), size=resamples).astype(np.float64)


def _sums(matrix: NDArray[np.generic], weights: Floats) -> Floats:
    """(R,): sums over ordered pairs of networks, each as often as both were drawn; a network is no pair with itself."""
    total: Floats = ((weights @ matrix.astype(np.float64)) * weights).sum(axis=1)
    return total


def _tau(one: Floats, other: Floats) -> float:
    """Of all networks, each once."""
    if not (one.any() and other.any()):
        raise InputError("all values are equal: they have no order to agree with")
    return float(_taus(one, other, np.ones((1, len(one))))[0])


def _taus(one: Floats, other: Floats, weights: Floats) -> Floats:
    """(R,): tau-b; NaN where a resample holds no order."""
    untied = np.sqrt(_sums(np.abs(one), weights) * _sums(np.abs(other), weights))
    with np.errstate(invalid="ignore"):
        return _sums(one * other, weights) / untied


def _percents(scores: Floats, signs: Floats, near: NDArray[np.bool_], weights: Floats) -> Floats:
    """(R,): of the near pairs the share in the right order, in per cent; NaN where a resample holds no such pair."""
    pairs = _sums(near, weights)
    with np.errstate(invalid="ignore"):
        return 50 + 50 * _sums(np.where(near, scores * signs, 0), weights) / pairs


def _estimate(value: float, resampled: Floats) -> Estimate:
    lower, upper = np.nanquantile(resampled, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return Estimate(float(value), float(lower), float(upper))
