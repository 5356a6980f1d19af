"""Laws of the predictor: a transform that is undone, order that survives noise, and honesty about what was left out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvtsearch.errors import InputError
from pvtsearch.search.draws import uniform_draws
from pvtsearch.search.features import Features
from pvtsearch.search.lattice import Edges, Lattice
from pvtsearch.search.predictor import FEWEST, PowerTransform, Predictor, log_odds, percent
from pvtsearch.search.problem import Problem
from pvtsearch.serialize_space import load_space


@pytest.fixture(scope="module")
def features() -> tuple[Features, list[Edges]]:
    """Features of the tiny space, and networks of it."""
    problem = Problem(load_space("tiny"), (224, 224))
    lattice = Lattice(problem)
    drawn = (lattice.edges(config) for config in uniform_draws(problem, 150, seed=1))
    networks = list(dict.fromkeys(edges for edges in drawn if edges is not None))
    return Features(lattice, networks), networks


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30))
def test_a_transform_keeps_order_and_is_undone(values: list[float]) -> None:
    """Whatever power was found likeliest."""
    table = np.round(np.array(values), 6)
    transform = PowerTransform.of(table)
    transformed = transform.forward(table)
    order = np.argsort(table)
    assert (np.diff(transformed[order]) >= 0).all()
    assert transform.backward(transformed) == pytest.approx(table, rel=1e-6, abs=1e-6 * (1 + np.ptp(table)))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_predictions_are_percentages(percents: list[float]) -> None:
    """Odds are undone but next to the ends, and never leave 0 to 100."""
    table = np.array(percents)
    assert percent(log_odds(table)) == pytest.approx(np.clip(table, 0.05, 99.95))
    assert ((percent(table * 1e3 - 5e4) >= 0) & (percent(table * 1e3 - 5e4) <= 100)).all()


def test_backward_is_the_inverse_by_definition() -> None:
    """For powers on both sides of the two where logarithms stand (Yeo and Johnson 2000)."""
    values = np.linspace(-3, 3, 41)
    for power in (-1.0, 0.0, 0.5, 1.0, 1.7, 2.0, 3.0):
        transform = PowerTransform(power, 5.0, 2.0)
        assert transform.backward(transform.forward(5 + 2 * values)) == pytest.approx(5 + 2 * values)


def test_it_orders_networks_that_it_has_not_seen(features: tuple[Features, list[Edges]]) -> None:
    """A truth that adds up over stages and saturates, seen with noise in 24 networks."""
    made, networks = features
    rng = np.random.default_rng(5)
    truth = made.of(networks)[:, : made.groups.index("pairs")] @ rng.normal(size=made.groups.index("pairs"))
    accuracies = 80 - 10 * np.exp(-(truth - truth.mean()) / truth.std())
    noisy = accuracies + 0.2 * accuracies.std() * rng.normal(size=len(accuracies))
    predictor = Predictor(made, networks[:24], noisy[:24].tolist())
    unseen = predictor.mean(networks[24:])
    assert np.corrcoef(np.argsort(np.argsort(unseen)), np.argsort(np.argsort(accuracies[24:])))[0, 1] > 0.6
    assert (predictor.deviation(networks[24:]) > 0).all()


def test_left_out_is_what_the_others_say(features: tuple[Features, list[Edges]]) -> None:
    """A network that was trained twice is left out twice, so that it does not predict itself."""
    made, networks = features
    trained = [*networks[:8], networks[0]]
    accuracies = np.random.default_rng(0).normal(70, 2, size=9)
    left_out = Predictor(made, trained, accuracies.tolist()).left_out()
    others = Predictor(made, trained[1:8], accuracies[1:8].tolist())
    assert left_out[0] == left_out[8] == pytest.approx(others.mean([networks[0]])[0])
    assert left_out.shape == (9,)


def test_accuracies_without_spread_are_expected_everywhere(features: tuple[Features, list[Edges]]) -> None:
    """And a model of too few networks is refused."""
    made, networks = features
    predictor = Predictor(made, networks[:6], [71.0] * 6)
    assert predictor.mean(networks) == pytest.approx(np.full(len(networks), 71.0))
    with pytest.raises(InputError, match=f"at least {FEWEST}"):
        Predictor(made, networks[: FEWEST - 1], [70.0] * (FEWEST - 1))
