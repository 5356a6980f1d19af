"""What trainings are worth: their noise, the spread there is to find, and the gain over what one had before."""

from __future__ import annotations

from collections.abc import Sequence
from math import comb

import numpy as np
from numpy.typing import NDArray

from pvtsearch.accuracy.agreement import agreement
from pvtsearch.config import PVTConfig
from pvtsearch.errors import InputError
from pvtsearch.search.lattice import Edges
from pvtsearch.search.predictor import FEWEST, Predictor
from pvtsearch.trainings import Gain, Role, Training, Verdict

_COMPARED: tuple[Role, ...] = ("reference", "random")  # trained twice, and not because they came out well


def noise_percent(trainings: Sequence[Training]) -> float:
    """The standard deviation of trainings of one network from different seeds; of networks that were not selected.

    Never below what the number of held-out images allows. 0 of no trainings.
    """
    squares = sum(float(np.var(values)) * len(values) for values in _repeated(trainings))
    degrees = degrees_of_freedom(trainings)
    between = np.sqrt(squares / degrees) if degrees else 0.0
    return float(max(between, np.mean([each.outcome.error_percent for each in trainings]))) if trainings else 0.0


def degrees_of_freedom(trainings: Sequence[Training]) -> int:
    """How many independent differences `noise_percent` was made from; 0: none, it is the error of the images alone."""
    return sum(len(values) - 1 for values in _repeated(trainings))


def _repeated(trainings: Sequence[Training]) -> list[list[float]]:
    """Accuracies of the networks that were trained again, and not because they came out well."""
    by_network: dict[PVTConfig, list[float]] = {}
    for each in trainings:
        if each.role in _COMPARED:
            by_network.setdefault(each.config, []).append(each.accuracy_percent)
    return [values for values in by_network.values() if len(values) > 1]


def _within_95(degrees: int) -> float:
    """How many deviations hold 95 % on both sides, where the deviation itself was estimated (Student 1908)."""
    from scipy.stats import norm, t

    return float(t.ppf(0.975, degrees) if degrees else norm.ppf(0.975))


def expected_gain(predictor: Predictor, networks: Sequence[Edges]) -> float:
    """The most that one of these networks is expected to be better than the best trained one (expected improvement)."""
    from scipy.stats import norm

    best = float(predictor.mean(predictor.networks).max())
    above = predictor.mean(networks) - best
    deviation = np.maximum(predictor.deviation(networks), 1e-12)
    expected: NDArray[np.float64] = above * norm.cdf(above / deviation) + deviation * norm.pdf(above / deviation)
    return float(expected.max())


def verdict(trainings: Sequence[Training], predictor: Predictor, draws: Sequence[Edges], *, seed: int = 0) -> Verdict:
    """What a search's trainings say; draws: uniform feasible networks."""
    noise = noise_percent(trainings)
    return Verdict(
        noise=noise,
        spread=float(np.std(predictor.mean(draws))),
        left_out=_left_out(predictor, seed),
        gains=tuple(_gains(trainings, noise)),
        random_best=_random_best([each.accuracy_percent for each in trainings if each.role == "start"]),
    )


def _left_out(predictor: Predictor, seed: int) -> tuple[float, float, float] | None:
    """Tau and its interval, each network once, by the mean of its trainings."""
    distinct = list(dict.fromkeys(predictor.networks))
    if len(distinct) <= FEWEST:
        return None
    predicted = dict(zip(predictor.networks, predictor.left_out().tolist(), strict=True))
    accuracies = [
        float(np.mean([a for n, a in zip(predictor.networks, predictor.accuracies, strict=True) if n == network]))
        for network in distinct
    ]
    try:
        tau = agreement([predicted[network] for network in distinct], accuracies, np.ones(len(distinct)), seed=seed).tau
    except InputError:  # all came out the same: there is no order
        return None
    return tau.value, tau.lower, tau.upper


def _gains(trainings: Sequence[Training], noise: float) -> list[Gain]:
    """Over reference and random, by the training of the recommended network that had no part in choosing it."""
    ours = [each.accuracy_percent for each in trainings if each.role == "again"]
    gains = []
    for role in _COMPARED:
        theirs = [each.accuracy_percent for each in trainings if each.role == role]
        if ours and theirs:
            points = float(np.mean(ours) - np.mean(theirs))
            half = _within_95(degrees_of_freedom(trainings)) * noise * float(np.sqrt(1 / len(ours) + 1 / len(theirs)))
            gains.append(Gain(role, points, points - half, points + half))
    return gains


def _random_best(accuracies: Sequence[float]) -> tuple[float, ...]:
    """The expected best of n of these values drawn without order, for n from 1 to all of them, exactly."""
    ordered = np.sort(np.array(accuracies))
    total = len(ordered)
    best = []
    for n in range(1, total + 1):
        # The chance that the value of rank k is the best of n without replacement: C(k, n - 1) / C(total, n).
        weights = np.array([comb(k, n - 1) for k in range(total)], dtype=float)
        best.append(float(ordered @ (weights / weights.sum())))
    return tuple(best)
