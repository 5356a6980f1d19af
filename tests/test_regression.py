"""Laws of Bayesian regression: the textbook's posterior, draws that follow it, variances that find what matters."""

from __future__ import annotations

import numpy as np
import pytest

from pvtsearch.analysis.regression import CONSTANT, NOISE, Posterior, fit

EXPECTED = {"few": 0.5, "idle": 0.5, NOISE: 0.05}
GROUPS = ("few",) * 3 + ("idle",) * 4


def data(noise: float, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    features = rng.normal(size=(rows, 7)) / np.sqrt(3)
    return features, 5 + features[:, :3] @ np.array([2.0, -1.0, 0.5]) + noise * rng.normal(size=rows)


def test_mean_and_deviation_are_the_textbooks() -> None:
    """Bishop 2006, equations 3.50 to 3.54, in weight space, for given variances."""
    features, values = data(0.3, rows=5)
    variances = {"few": 0.7, "idle": 0.2, NOISE: 0.1}
    posterior = Posterior(features, GROUPS, variances, 4.0, 2.0, (values - 4) / 2)
    design = np.hstack([features, np.ones((5, 1))])
    prior = np.diag([1 / variances[group] for group in GROUPS] + [1 / CONSTANT])
    covariance = np.linalg.inv(prior + design.T @ design / 0.1)
    weights = 2 * covariance @ design.T @ ((values - 4) / 2) / 0.1
    asked = np.hstack([np.eye(7)[:4] + 0.1, np.ones((4, 1))])
    assert posterior.weights == pytest.approx(weights[:-1])
    assert posterior.mean(asked[:, :-1]) == pytest.approx(4 + asked @ weights)
    assert posterior.deviation(asked[:, :-1]) == pytest.approx(2 * np.sqrt(np.diag(asked @ covariance @ asked.T)))


def test_draws_follow_the_posterior() -> None:
    """Mean and covariance of many draws of the weights are the textbook's, within five standard errors."""
    features, values = data(0.3, rows=5)
    posterior = fit(features, values, GROUPS, EXPECTED)
    rng, draws = np.random.default_rng(0), 4000
    drawn = np.array([posterior.draw(rng) for _ in range(draws)])
    design = np.hstack([features, np.ones((5, 1))])
    prior = np.diag([1 / posterior.variances[group] for group in GROUPS] + [1 / CONSTANT])
    covariance = np.linalg.inv(prior + design.T @ design / posterior.variances[NOISE])[:-1, :-1]
    deviation = posterior.scale * np.sqrt(np.diag(covariance))
    assert (np.abs(drawn.mean(axis=0) - posterior.weights) < 5 * deviation / np.sqrt(draws)).all()
    assert drawn.std(axis=0) == pytest.approx(deviation, rel=5 / np.sqrt(2 * draws))
    assert np.corrcoef(drawn.T) == pytest.approx(
        posterior.scale**2 * covariance / np.outer(deviation, deviation), abs=5 / np.sqrt(draws)
    )


def test_variances_find_what_matters() -> None:
    """A group that has no influence becomes small beside one that has, and noise is told from a lack of it."""
    quiet, loud = (fit(*data(noise), GROUPS, EXPECTED).variances for noise in (0.0, 1.0))
    assert quiet["idle"] < 0.2 * quiet["few"]
    assert quiet[NOISE] < 0.1 * loud[NOISE]


def test_values_without_spread_are_no_error() -> None:
    """One value, or the same again and again, is expected everywhere."""
    features, _ = data(0.0)
    for rows in (1, 20):
        posterior = fit(features[:rows], np.full(rows, 3.0), GROUPS, EXPECTED)
        assert posterior.mean(features) == pytest.approx(np.full(len(features), 3.0))
