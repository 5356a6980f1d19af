"""Laws of least squares without negative weights."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pvtsearch.analysis.nonnegative import nonnegative_weights


def loss(features: np.ndarray, values: np.ndarray, weights: np.ndarray) -> float:
    return float(((features @ weights - values) ** 2).sum())


@given(st.integers(0, 10**6), st.integers(1, 9), st.integers(1, 5))
def test_no_choice_of_columns_does_better(seed: int, rows: int, columns: int) -> None:
    """Brute force over which columns have a weight at all finds nothing with a smaller loss."""
    rng = np.random.default_rng(seed)
    features = np.round(rng.normal(size=(rows, columns)), 1) * 10.0 ** rng.integers(-6, 7, columns)
    values = rng.normal(size=rows)
    weights = nonnegative_weights(features, values)
    assert (weights >= 0).all()
    least = float((values**2).sum())
    for count in range(1, columns + 1):
        for chosen in map(list, combinations(range(columns), count)):
            found = np.linalg.lstsq(features[:, chosen], values, rcond=None)[0]
            if (found >= 0).all():
                least = min(least, loss(features[:, chosen], values, found))
    assert loss(features, values, weights) <= least + 1e-7


def test_known_weights_come_back() -> None:
    """Sums without noise give their weights, of any size, and a column of zeros none."""
    features = np.random.default_rng(0).random((30, 4)) * [1e9, 1.0, 1e-3, 0.0]
    weights = np.array([2e-12, 0.0, 5.0, 0.0])
    np.testing.assert_allclose(nonnegative_weights(features, features @ weights), weights, atol=1e-9, rtol=1e-6)
