"""Laws of a campaign of trainings, held with a scripted trainer: inside the limits, repeatable, honest about noise."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import replace
from math import comb

import numpy as np
import pytest

from pvtsearch.config import PVTConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError, NothingFeasible
from pvtsearch.presets import PRESETS
from pvtsearch.records import Objective
from pvtsearch.search.decode import Decoder
from pvtsearch.search.draws import uniform_draws
from pvtsearch.search.problem import Problem
from pvtsearch.search.question import Question
from pvtsearch.serialize_space import load_space
from pvtsearch.shortlist.rounds import CHOSEN, Campaign, Plan, campaign
from pvtsearch.shortlist.worth import noise_percent, verdict
from pvtsearch.trainings import Trainer

PROBLEM = Problem(load_space("tiny"), (64, 64), budget=Budget({"params": 400_000, "macs": 12_000_000}))
QUESTION = Question(PROBLEM, (Objective("accuracy", "maximize"),), extrapolated=False)
REFERENCE = PRESETS["pvt_tiny"].config
PLAN = Plan(trials=12 + 2 * CHOSEN, starts=12)


def hidden(config: PVTConfig) -> float:
    """A truth in points that adds up over stages."""
    return sum((i + 1) * float(np.log(s.embed_dim * s.depth)) for i, s in enumerate(config.stages))


def trainer(noise: float, truth: Callable[[PVTConfig], float] = hidden) -> Trainer:
    """Results around a truth; the same network and seed come out the same."""

    def train(config: PVTConfig, seed: int) -> Result:
        digest = hashlib.sha256(f"{config.stages}{seed}".encode()).digest()
        rng = np.random.default_rng(list(digest[:8]))
        return Result(truth(config) + noise * float(rng.normal()), error_percent=0.01)

    return train


@pytest.fixture(scope="module")
def done() -> Campaign:
    """A campaign with little noise."""
    assert isinstance(REFERENCE, PVTConfig)
    return campaign(QUESTION, trainer(0.1), PLAN, reference=REFERENCE)


def test_no_training_is_outside_the_limits_and_none_is_wasted(done: Campaign) -> None:
    """Of all but the reference; and no network is trained twice in a role, but to see the noise."""
    configs = [each.config for each in done.of("start", "chosen")]
    assert len(set(configs)) == len(configs) <= PLAN.trials
    decoder = Decoder(PROBLEM)
    inside = {decoder.decoded(path).config.stages for path in decoder.walk(np.random.default_rng(0))}
    assert {each.config.stages for each in done.of("start", "chosen", "random", "again")} <= inside
    assert [each.seed for each in done.of("reference")] == [0, 1]
    assert len(done.of("random")) == 2
    assert done.of("again")[-1].config == done.recommended


def test_what_is_recommended_is_among_the_best_there_are(done: Campaign) -> None:
    """Of all networks within the limits, one by one; the chosen ones were announced with their deviation."""
    decoder = Decoder(PROBLEM)
    every = [hidden(decoder.decoded(path).config) for path in decoder.walk(np.random.default_rng(0))]
    assert np.mean(np.array(every) > hidden(done.recommended)) < 0.01
    assert all(each.predicted is not None for each in done.of("chosen"))
    assert "round" in done.stopped or "limit" in done.stopped


def test_killed_and_resumed_is_uninterrupted(done: Campaign) -> None:
    """With a trainer that remembers: what was trained before the kill is not trained again, and all ends the same."""
    known: dict[tuple[PVTConfig, int], Result] = {}
    calls = itertools.count()
    exact = trainer(0.1)

    def remembering(config: PVTConfig, seed: int) -> Result:
        if (config, seed) not in known:
            if next(calls) == 14:
                raise KeyboardInterrupt
            known[config, seed] = exact(config, seed)
        return known[config, seed]

    with pytest.raises(KeyboardInterrupt):
        campaign(QUESTION, remembering, PLAN, reference=REFERENCE)
    assert len(known) == 14
    assert campaign(QUESTION, remembering, PLAN, reference=REFERENCE).labelled == done.labelled


def test_the_verdict_says_what_there_is_to_find(done: Campaign) -> None:
    """Little noise over a wide truth can be resolved and is gained; noise without any truth is not."""
    draws = [done.predictor.features.lattice.edges(config) for config in uniform_draws(PROBLEM, 60, seed=1)]
    networks = [edges for edges in draws if edges is not None]
    clear = verdict(done.labelled, done.predictor, networks)
    assert clear.resolvable
    assert clear.left_out_tau is not None
    assert clear.left_out_tau.low > 0
    assert [gain.over for gain in clear.gains] == ["reference", "random"]
    assert all(gain.low < gain.points < gain.high for gain in clear.gains)
    nothing = campaign(QUESTION, trainer(1.0, lambda _config: 70.0), PLAN)
    flat = verdict(nothing.labelled, nothing.predictor, networks)
    assert not flat.resolvable


def test_noise_is_that_of_repeated_trainings() -> None:
    """The textbook's pooled deviation, and never below the error of the test images."""
    result = Result(70.0, 0.5)
    config = uniform_draws(PROBLEM, 1, seed=0)[0]
    other = replace(config, name="other", num_classes=10)
    labelled = [
        Labelled("random", network, seed, replace(result, accuracy_percent=accuracy))
        for network, accuracies in ((config, (70.0, 72.0)), (other, (60.0, 64.0)))
        for seed, accuracy in enumerate(accuracies)
    ]
    assert noise_percent(labelled) == pytest.approx(np.sqrt((2 + 8) / 2))
    assert noise_percent(labelled[:1]) == 0.5


def test_the_best_of_random_draws_is_expected_exactly(done: Campaign) -> None:
    """As the mean over all subsets of the spread trainings."""
    draws = list(done.predictor.networks)
    found = verdict(done.labelled, done.predictor, draws).random_best
    values = [each.accuracy_percent for each in done.of("start")]
    for n in (1, 3, len(values)):
        expected = sum(max(subset) for subset in itertools.combinations(values, n)) / comb(len(values), n)
        assert found[n - 1] == pytest.approx(expected)


def test_plans_that_cannot_be_are_refused() -> None:
    """Too few to start from, none left to choose, nothing within the limits."""
    with pytest.raises(InputError, match="at least 4"):
        Plan(starts=2)
    with pytest.raises(InputError, match="leave none to choose"):
        Plan(trials=16)
    nothing = replace(QUESTION, problem=replace(PROBLEM, budget=Budget({"params": 10})))
    with pytest.raises(NothingFeasible):
        campaign(nothing, trainer(0.1), PLAN)
