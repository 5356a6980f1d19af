"""What a campaign is worth: its noise, the spread there is to find, and the gain over what one had before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from pvtsearch.accuracy.agreement import Interval, agreement
from pvtsearch.config import PVTConfig
from pvtsearch.search.lattice import Edges
from pvtsearch.search.predictor import Predictor
from pvtsearch.shortlist.trainings import Labelled

_Z = 1.959963984540054  # two-sided 95 % of a normal distribution


@dataclass(frozen=True)
class Gain:
    """Accuracy of the recommended network less another's, in points, with a 95 % interval by the noise of trainings."""

    over: str
    points: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """What trainings say in the end. All in percent of top-1.

    spread: standard deviation of predictions over uniform feasible draws. resolvable: whether it is above the noise.
    left_out_tau: agreement of each trained network's accuracy with what all others predict of it.
    random_best: by number of trained networks, the best that so many of the spread ones hold in the mean.
    """

    noise_percent: float
    spread_percent: float
    resolvable: bool
    left_out_tau: Interval | None
    gains: tuple[Gain, ...]
    random_best: tuple[float, ...]


def noise_percent(labelled: Sequence[Labelled]) -> float:
    """The standard deviation of trainings of one network from different seeds; of networks that were not selected.

    Never below what the number of test images allows.
    """
    by_network: dict[PVTConfig, list[float]] = {}
    for each in labelled:
        if each.role in ("reference", "random"):
            by_network.setdefault(each.config, []).append(each.accuracy_percent)
    repeated = [values for values in by_network.values() if len(values) > 1]
    degrees = sum(len(values) - 1 for values in repeated)
    squares = sum(float(np.var(values)) * len(values) for values in repeated)
    between = np.sqrt(squares / degrees) if degrees else 0.0
    return float(max(between, np.mean([each.result.error_percent for each in labelled]))) if labelled else 0.0


def expected_gain(predictor: Predictor, networks: Sequence[Edges]) -> float:
    """The most that one of these networks is expected to be better than the best trained one (expected improvement)."""
    from scipy.stats import norm

    best = float(predictor.mean(predictor.networks).max())
    above = predictor.mean(networks) - best
    deviation = np.maximum(predictor.deviation(networks), 1e-12)
    expected: NDArray[np.float64] = above * norm.cdf(above / deviation) + deviation * norm.pdf(above / deviation)
    return float(expected.max())


def verdict(labelled: Sequence[Labelled], predictor: Predictor, draws: Sequence[Edges], *, seed: int = 0) -> Verdict:
    """What a campaign's trainings say; draws: uniform feasible networks."""
    noise = noise_percent(labelled)
    spread = float(np.std(predictor.mean(draws)))
    macs = np.ones(len(predictor.networks))  # all at one budget
    agreed = agreement(predictor.left_out(), predictor.accuracies, macs, seed=seed)
    return Verdict(
        noise_percent=noise,
        spread_percent=spread,
        resolvable=spread > noise,
        left_out_tau=agreed.tau,
        gains=tuple(_gains(labelled, noise)),
        random_best=_random_best([each.accuracy_percent for each in labelled if each.role == "start"]),
    )


def _gains(labelled: Sequence[Labelled], noise: float) -> list[Gain]:
    """Over reference and random, by the training of the recommended network that had no part in choosing it."""
    ours = [each.accuracy_percent for each in labelled if each.role == "again"]
    gains = []
    for role in ("reference", "random"):
        theirs = [each.accuracy_percent for each in labelled if each.role == role]
        if ours and theirs:
            points = float(np.mean(ours) - np.mean(theirs))
            half = _Z * noise * float(np.sqrt(1 / len(ours) + 1 / len(theirs)))
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
