"""Laws of agreement: tau is that of scipy, pairs are counted one by one, intervals cover, nothing is guessed."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvtsearch.accuracy.agreement import agreement, kendall_tau, mean_ranks, noise_ceiling
from pvtsearch.errors import InputError

rows = st.integers(3, 12).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 6), min_size=n, max_size=n) for _ in range(3)])
)


def order(a: float, b: float) -> int:
    return int(a > b) - int(a < b)


@given(rows)
def test_tau_is_that_of_scipy(drawn: tuple[list[int], list[int], list[int]]) -> None:
    """tau-b, ties and all; where one side has no order there is none."""
    stats = pytest.importorskip("scipy.stats", reason="scipy is the reference here")
    one, other, _ = drawn
    if len(set(one)) == 1 or len(set(other)) == 1:
        with pytest.raises(InputError, match="all values are equal"):
            kendall_tau(one, other)
        return
    assert kendall_tau(one, other) == pytest.approx(stats.kendalltau(one, other).statistic, abs=1e-12)


@given(rows)
def test_pairs_of_equal_macs_are_counted_one_by_one(drawn: tuple[list[int], list[int], list[int]]) -> None:
    """Pairs whose larger MACs are below 1.1 of the smaller; equal scores are half right, equal accuracies no pair."""
    scores, accuracies, raw = drawn
    macs = [100 + 3 * value for value in raw]
    pairs = [
        (order(scores[i], scores[j]), order(accuracies[i], accuracies[j]))
        for i, j in combinations(range(len(macs)), 2)
        if max(macs[i], macs[j]) < 1.1 * min(macs[i], macs[j]) and accuracies[i] != accuracies[j]
    ]
    if len(set(scores)) == 1 or len(set(accuracies)) == 1 or not pairs:
        with pytest.raises(InputError):
            agreement(scores, accuracies, macs, resamples=5)
        return
    found = agreement(scores, accuracies, macs, resamples=5)
    assert found.pairs == len(pairs)
    right = sum(1.0 if one == other else 0.5 if one == 0 else 0.0 for one, other in pairs)
    assert found.pair_percent.value == pytest.approx(100 * right / len(pairs))


def test_known_orders() -> None:
    """The same order is 1 and 100 %, the opposite -1 and 0 %; five networks with two pairs swapped have 0.6."""
    macs = [100, 101, 102, 103, 104]
    same, opposite = (
        agreement([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], macs),
        agreement([5, 4, 3, 2, 1], [1, 2, 3, 4, 5], macs),
    )
    assert (same.tau.value, same.pair_percent.value, same.pairs) == (1, 100, 10)
    assert (opposite.tau.value, opposite.pair_percent.value) == (-1, 0)
    swapped = agreement([2, 1, 3, 5, 4], [1, 2, 3, 4, 5], macs)
    assert (swapped.tau.value, swapped.pair_percent.value) == (pytest.approx(0.6), pytest.approx(80))


def test_the_interval_is_that_of_networks_drawn_anew() -> None:
    """Against a bootstrap written out: the same draws of networks, each statistic computed pair by pair."""
    rng = np.random.default_rng(3)
    accuracies = rng.normal(size=12)
    scores, macs = accuracies + rng.normal(size=12), 100 + 30 * rng.random(12)
    found = agreement(scores, accuracies, macs, seed=7, resamples=200)
    draws = np.random.default_rng(7).multinomial(12, np.full(12, 1 / 12), size=200)
    shares = []
    for weights in draws:
        networks = np.repeat(np.arange(12), weights)
        pairs = [
            order(scores[i], scores[j]) == order(accuracies[i], accuracies[j])
            for i, j in combinations(networks, 2)
            if i != j and max(macs[i], macs[j]) < 1.1 * min(macs[i], macs[j])
        ]
        shares.append(100 * np.mean(pairs) if pairs else np.nan)
    expected = np.nanquantile(shares, [0.025, 0.975])
    assert (found.pair_percent.lower, found.pair_percent.upper) == pytest.approx(tuple(expected))
    assert found == agreement(scores, accuracies, macs, seed=7, resamples=200)
    assert found != agreement(scores, accuracies, macs, seed=8, resamples=200)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Normal scores of correlation r have tau 2/pi asin(r): in 100 tables of 60 the interval has it in 88 up."""
    rng, truth = np.random.default_rng(0), 2 / np.pi * np.arcsin(0.6)
    inside = 0
    for seed in range(100):
        first, second = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=60).T
        tau = agreement(first, second, np.full(60, 100.0), seed=seed, resamples=300).tau
        inside += tau.lower <= truth <= tau.upper
    assert 88 <= inside <= 100


def test_mean_ranks_share_ties() -> None:
    """Ranks from 1 for the lowest, equal values share theirs: as scipy's, and the mean of columns."""
    assert mean_ranks([[10, 20, 20, 5]]).tolist() == [2, 3.5, 3.5, 1]
    assert mean_ranks([[1, 2, 3], [3, 2, 1]]).tolist() == [2, 2, 2]


def test_the_noise_ceiling_is_the_agreement_of_two_trainings() -> None:
    """It is symmetric, and a training agrees with itself entirely."""
    rng = np.random.default_rng(1)
    first, second, macs = rng.normal(size=30), rng.normal(size=30), 100 + 50 * rng.random(30)
    forth, back = noise_ceiling(first, second, macs), noise_ceiling(second, first, macs)
    assert (forth.tau, forth.pair_percent) == (back.tau, back.pair_percent)
    assert noise_ceiling(first, first, macs).pair_percent.value == 100


@pytest.mark.parametrize(
    ("scores", "text"),
    [
        ([1, 2], "row of 3 numbers, got shape"),
        ([1, 2, np.nan], "must be finite, got nan"),
        ([1, 1, 1], "all values are"),
    ],
)
def test_what_has_no_order_is_refused(scores: list[float], text: str) -> None:
    """Another number of scores, NaN, no order at all."""
    with pytest.raises(InputError, match=text):
        agreement(scores, [1, 2, 3], [100, 101, 102])


@settings(max_examples=5)
@given(st.integers(0, 2**31))
def test_no_pairs_no_figure(seed: int) -> None:
    """Networks that all differ in MACs by 10 % or more have no pair accuracy."""
    with pytest.raises(InputError, match="pair accuracy needs some"):
        agreement([1, 2, 3], [1, 2, 3], [100, 111, 150], seed=seed)
