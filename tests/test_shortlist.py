"""Laws of a campaign of trainings, held with a scripted trainer: inside the limits, repeatable, honest about noise."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import replace
from math import comb

import numpy as np
import pytest

from pvtsearch.analysis.metrics import analytic_cost
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError, NothingFeasible
from pvtsearch.presets import PRESETS
from pvtsearch.records import Objective
from pvtsearch.report.search_page import report_html
from pvtsearch.search.decode import Decoder
from pvtsearch.search.draws import uniform_draws
from pvtsearch.search.problem import Problem
from pvtsearch.search.question import Question
from pvtsearch.serialize_space import load_space
from pvtsearch.shortlist.reference import reference_for
from pvtsearch.shortlist.result import as_result
from pvtsearch.shortlist.rounds import CHOSEN, Plan, campaign, plan_for
from pvtsearch.shortlist.worth import _gains, noise_percent
from pvtsearch.trainings import Campaign, Epoch, Outcome, Trainer, Training

PROBLEM = Problem(load_space("tiny"), (64, 64), budget=Budget({"params": 400_000, "macs": 12_000_000}))
QUESTION = Question(PROBLEM, (Objective("accuracy", "maximize"),), extrapolated=False)
REFERENCE = PRESETS["pvt_tiny"].config
PLAN = Plan(trials=12 + 2 * CHOSEN, starts=12)


def hidden(config: PVTConfig) -> float:
    """A truth in points that adds up over stages."""
    return sum((i + 1) * float(np.log(s.embed_dim * s.depth)) for i, s in enumerate(config.stages))


def outcome(accuracy: float) -> Outcome:
    """A training that ended at an accuracy on a million images."""
    return Outcome(accuracy, 10**6, (Epoch(1, 1.0, accuracy),), 0.0)


def trainer(noise: float, truth: Callable[[PVTConfig], float] = hidden) -> Trainer:
    """Results around a truth; the same network and seed come out the same."""

    def train(config: PVTConfig, seed: int) -> Outcome:
        digest = hashlib.sha256(f"{config.stages}{seed}".encode()).digest()
        rng = np.random.default_rng(list(digest[:8]))
        return outcome(truth(config) + noise * float(rng.normal()))

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
    known: dict[tuple[PVTConfig, int], Outcome] = {}
    calls = itertools.count()
    exact = trainer(0.1)

    def remembering(config: PVTConfig, seed: int) -> Outcome:
        if (config, seed) not in known:
            if next(calls) == 14:
                raise KeyboardInterrupt
            known[config, seed] = exact(config, seed)
        return known[config, seed]

    with pytest.raises(KeyboardInterrupt):
        campaign(QUESTION, remembering, PLAN, reference=REFERENCE)
    assert len(known) == 14
    assert campaign(QUESTION, remembering, PLAN, reference=REFERENCE) == done


def test_the_verdict_says_what_there_is_to_find(done: Campaign) -> None:
    """Little noise over a wide truth can be resolved and is gained; noise without any truth is not."""
    clear = done.verdict
    assert clear.resolvable
    assert clear.left_out is not None
    assert clear.left_out[1] > 0
    assert [gain.over for gain in clear.gains] == ["reference", "random"]
    assert all(gain.lower < gain.points < gain.upper for gain in clear.gains)
    assert not campaign(QUESTION, trainer(1.0, lambda _config: 70.0), PLAN).verdict.resolvable


def test_equal_accuracies_have_no_order() -> None:
    """Nothing is said of an order where all networks came out the same."""
    flat = campaign(QUESTION, trainer(0.0, lambda _config: 70.0), PLAN).verdict
    assert flat.left_out is None
    assert not flat.resolvable


def test_noise_is_that_of_repeated_trainings() -> None:
    """The textbook's pooled deviation, and never below the error of the test images."""
    config = uniform_draws(PROBLEM, 1, seed=0)[0]
    other = replace(config, name="other", num_classes=10)
    trainings = [
        Training("random", network, seed, outcome(accuracy))
        for network, accuracies in ((config, (70.0, 72.0)), (other, (60.0, 64.0)))
        for seed, accuracy in enumerate(accuracies)
    ]
    assert noise_percent(trainings) == pytest.approx(np.sqrt((2 + 8) / 2))
    assert noise_percent(trainings[:1]) == trainings[0].outcome.error_percent > 0


def test_intervals_of_gains_cover(done: Campaign) -> None:
    """Where nothing is gained, 95 % of the intervals hold 0, though the noise is known from two repeats only."""
    rng = np.random.default_rng(0)
    shapes = [each for each in done.trainings if each.role in {"reference", "random", "again"}]
    held = 0
    for _ in range(400):
        drawn = [replace(each, outcome=outcome(70 + 2 * float(rng.normal()))) for each in shapes]
        held += sum(gain.lower <= 0 <= gain.upper for gain in _gains(drawn, noise_percent(drawn)))
    assert 0.93 <= held / 800 <= 0.97


def test_the_best_of_random_draws_is_expected_exactly(done: Campaign) -> None:
    """As the mean over all subsets of the spread trainings."""
    values = [each.accuracy_percent for each in done.of("start")]
    for n in (1, 3, len(values)):
        expected = sum(max(subset) for subset in itertools.combinations(values, n)) / comb(len(values), n)
        assert done.verdict.random_best[n - 1] == pytest.approx(expected)


def test_the_reference_is_the_widest_pvt_small_within_the_limits() -> None:
    """One channel per head more is beyond a limit; where PVT-Small's reductions do not fit there is none."""
    found = reference_for(PROBLEM)
    assert found is not None
    wider = replace(found, stages=tuple(_wider(stage) for stage in found.stages))
    assert PROBLEM.budget.admits(analytic_cost(found, (64, 64)))
    assert not PROBLEM.budget.admits(analytic_cost(wider, (64, 64)))
    assert [stage.depth for stage in found.stages] == [3, 4, 6, 3]
    assert reference_for(replace(PROBLEM, image_size=(24, 24))) is None


def _wider(stage: StageConfig) -> StageConfig:
    return replace(stage, embed_dim=stage.embed_dim + stage.num_heads)


def test_plans_leave_a_round_to_the_predictor() -> None:
    """Whatever number of networks is asked for."""
    assert plan_for(None, 3) == Plan(seed=3)
    assert plan_for(26, 0) == Plan()
    assert plan_for(10, 0) == Plan(trials=10, starts=5)
    assert plan_for(5, 0) == Plan(trials=5, starts=4)


def test_a_campaign_as_a_result(done: Campaign) -> None:
    """Each network of the space once, with the mean of its accuracies; the recommended one is the front."""
    result = as_result(QUESTION, done, seed=0, circumstances={})
    assert len({record.config for record in result.records}) == len(result.records)
    assert [record.config.stages for record in result.front] == [done.recommended.stages]
    of_recommended = [each.accuracy_percent for each in done.trainings if each.config == done.recommended]
    assert result.front[0].value("accuracy") == pytest.approx(np.mean(of_recommended))
    assert all(PROBLEM.budget.admits(record.cost) for record in result.records)
    page = report_html(result)
    assert "What was trained" in page
    assert f"{done.of('again')[0].accuracy_percent:.1f} %" in page


def test_plans_that_cannot_be_are_refused() -> None:
    """Too few to start from, none left to choose, nothing within the limits."""
    with pytest.raises(InputError, match="at least 4"):
        Plan(starts=2)
    with pytest.raises(InputError, match="must be at least 17"):
        Plan(trials=16)
    nothing = replace(QUESTION, problem=replace(PROBLEM, budget=Budget({"params": 10})))
    with pytest.raises(NothingFeasible):
        campaign(nothing, trainer(0.1), PLAN)
