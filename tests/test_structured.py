"""Laws of the structured sampler: its model is what it maximises, and it is one of Optuna's samplers like any other."""

from __future__ import annotations

import pickle
import time
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import optuna
import pytest

from pvtsearch.config import PVTConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError, NothingFeasible
from pvtsearch.records import Objective
from pvtsearch.search import lattice as lattices
from pvtsearch.search.ascent import highest
from pvtsearch.search.decode import Decoder
from pvtsearch.search.draws import uniform_draws
from pvtsearch.search.features import Features
from pvtsearch.search.lattice import Edges, Lattice
from pvtsearch.search.maximise import Maximiser
from pvtsearch.search.problem import Problem
from pvtsearch.search.proposals import STARTS, Observed, Proposer
from pvtsearch.search.question import Question
from pvtsearch.search.structured import Structure, StructuredSampler
from pvtsearch.serialize_space import load_space

PROBLEM = Problem(load_space("tiny"), (64, 64), budget=Budget({"params": 400_000, "macs": 12_000_000}))
ACCURACY = (Objective("accuracy", "maximize"),)


def paths(lattice: Lattice, count: int) -> list[Edges]:
    found = (lattice.edges(config) for config in uniform_draws(lattice.problem, count, seed=1))
    return [path for path in found if path is not None]


def hidden(config: PVTConfig) -> float:
    """A truth that adds up over stages, and that the budget stops from having everything large."""
    return sum((i + 1) * np.log(s.embed_dim * s.depth) + 0.1 * s.mlp_ratio for i, s in enumerate(config.stages))


@cache
def highest_hidden() -> float:
    """The maximum of the truth over all networks within the limits, one by one."""
    decoder = Decoder(PROBLEM)
    return max(hidden(decoder.decoded(path).config) for path in decoder.walk(np.random.default_rng(0)))


def study_of(question: Question, seed: int, trials: int, **options: int) -> optuna.Study:
    structure = Structure(question)
    directions = [goal.direction for goal in question.objectives]
    study = optuna.create_study(directions=directions, sampler=StructuredSampler(structure, seed))

    def evaluate(trial: optuna.Trial) -> tuple[float, ...]:
        point = {name: trial.suggest_int(name, 0, size - 1) for name, size in structure.decoder.sizes.items()}
        config, cost = structure.decoder.decode(point)
        return tuple(cost[goal.name] if goal.name in cost else hidden(config) for goal in question.objectives)

    study.optimize(evaluate, n_trials=trials, **options)
    return study


@pytest.fixture(autouse=True)
def quiet() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def test_a_surface_says_what_weights_say() -> None:
    """Of every network, up to one constant: edges and products across stages against features times weights."""
    lattice = Lattice(PROBLEM)
    sample = paths(lattice, 200)
    features = Features(lattice, sample)
    weights = np.random.default_rng(0).normal(size=len(features.groups))
    table = features.of(sample)
    differences = table @ weights - features.values(features.surface(weights), np.array(sample))
    assert differences == pytest.approx(np.full(len(sample), differences[0]))
    squares = {name: (table[:, np.array(features.groups) == name] ** 2).sum(axis=1).mean() for name in features.groups}
    assert all(total == pytest.approx(1) or total == 0 for total in squares.values())


def test_around_a_network_is_its_tangent() -> None:
    """With the others as they are in a network, what one stage's edges add differs as the whole model does."""
    lattice = Lattice(PROBLEM)
    sample = paths(lattice, 50)
    features = Features(lattice, sample)
    surface = features.surface(np.random.default_rng(1).normal(size=len(features.groups)))
    around = features.around(surface, sample[0])
    for stage in range(4):
        variants = lattice.variants(sample[0], stage)
        tangent = sum(around[index][variants[:, index]] for index in range(4))
        assert np.ptp(tangent - features.values(surface, variants)) == pytest.approx(0, abs=1e-9)


def test_ascent_never_goes_down_and_is_exact_without_products() -> None:
    """What is found is at least the maximum of the additive part; that maximum itself where nothing is across."""
    lattice = Lattice(PROBLEM)
    sample = paths(lattice, 50)
    features, maximiser = Features(lattice, sample), Maximiser(lattice)
    weights = np.random.default_rng(2).normal(size=len(features.groups))
    additive = np.where(np.array(features.groups) == "across", 0.0, weights)
    for each in (weights, additive):
        surface = features.surface(each)
        exact = maximiser.best(surface.edges)
        found = highest(maximiser, features, surface, PROBLEM.limits, sample[:1])
        assert exact is not None
        assert found is not None
        reached, start, whole = features.values(surface, np.array([found, sample[0], exact.edges]))
        assert reached >= max(start, whole)
    assert reached == pytest.approx(exact.score)


def test_proposals_are_new_and_inside() -> None:
    """Neither what was seen nor what is being evaluated elsewhere is proposed, and nothing outside the limits."""
    proposer = Proposer(PROBLEM, ACCURACY)
    known = paths(proposer.lattice, 40)
    seen = [Observed(path, (hidden(proposer.lattice.config(path)),)) for path in dict.fromkeys(known)]
    for number in range(STARTS, len(seen), 4):
        elsewhere = [each.edges for each in seen[number:]]
        proposed = proposer.propose(seen[:number], elsewhere, np.random.default_rng(number))
        assert proposed is not None
        assert proposed not in {each.edges for each in seen}
        assert (proposer.problem.limited_algebra.total(proposer.lattice.cost(proposed)[None]) <= PROBLEM.limits).all()


def test_it_finds_what_adds_up() -> None:
    """The exact maximum of a sum over stages, of 3,000 networks, within 30 trials, from every seed."""
    for seed in range(2):
        study = study_of(Question(PROBLEM, ACCURACY, extrapolated=False), seed, 30)
        assert study.best_value == pytest.approx(highest_hidden())


def test_a_front_is_spread() -> None:
    """With MACs beside what is modelled, both ends of the front are reached and most of it lies between."""
    goals = (*ACCURACY, Objective("macs", "minimize"))
    study = study_of(Question(PROBLEM, goals, extrapolated=False), 0, 40)
    assert max(v[0] for v in (t.values for t in study.best_trials)) == pytest.approx(highest_hidden(), rel=0.01)
    assert len(study.best_trials) >= 8


@pytest.mark.parametrize("options", [{}, {"n_jobs": 2}])
def test_it_is_one_of_optunas_samplers(options: dict[str, int]) -> None:
    """Alone or with parallel workers: as many trials as asked for, each complete."""
    study = study_of(Question(PROBLEM, ACCURACY, extrapolated=False), 1, 14, **options)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 14


def test_threads_never_evaluate_a_network_twice() -> None:
    """Also while the trial of a proposal has not suggested its parameters yet."""
    sampler = StructuredSampler(Question(PROBLEM, ACCURACY, extrapolated=False), 3)
    evaluated = list[PVTConfig]()
    study = optuna.create_study(direction="maximize", sampler=sampler)

    def evaluate(trial: optuna.Trial) -> float:
        time.sleep(0.01)  # what a thread does between its proposal and its parameters
        evaluated.append(sampler.decode(trial).config)
        return hidden(evaluated[-1])

    study.optimize(evaluate, n_trials=24, n_jobs=4)
    assert len(set(evaluated)) == 24


def test_workers_on_one_storage_never_evaluate_a_network_twice(tmp_path: Path) -> None:
    """What another process proposed is known as soon as it did; here two samplers, strangers but for the storage."""
    question = Question(PROBLEM, ACCURACY, extrapolated=False)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    samplers = [StructuredSampler(question, 0), StructuredSampler(question, 0)]
    optuna.create_study(study_name="one", storage=url, direction="maximize")
    studies = [optuna.load_study(study_name="one", storage=url, sampler=sampler) for sampler in samplers]
    evaluated = list[PVTConfig]()
    for _ in range(7):
        trials = [study.ask() for study in studies]
        for study, sampler, trial in zip(studies, samplers, trials, strict=True):
            evaluated.append(sampler.decode(trial).config)
            study.tell(trial, hidden(evaluated[-1]))
    assert len(set(evaluated)) == 14


def test_a_simultaneous_proposal_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where another process proposed the same network after this one had looked, this one proposes another."""
    sampler = StructuredSampler(Question(PROBLEM, ACCURACY, extrapolated=False), 0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    first = sampler.decode(study.ask()).config
    lattice = sampler._structure.proposer.lattice
    others = [sampler._structure.params(path) for path in paths(lattice, 5)]
    taken = study.get_trials()[0].system_attrs["pvtsearch:proposed"]
    free = next(params for params in others if params != taken)
    proposals = iter([taken, free])
    monkeypatch.setattr(sampler, "_propose", lambda *_: next(proposals))
    assert sampler.decode(study.ask()).config != first


def test_a_sampler_survives_pickling() -> None:
    """As workers get it; and it proposes the same."""
    question = Question(PROBLEM, ACCURACY, extrapolated=False)
    proposed = []
    for sampler in (made := StructuredSampler(question, 4), pickle.loads(pickle.dumps(made))):  # noqa: S301  # its own
        trial = optuna.create_study(direction="maximize", sampler=sampler).ask()
        proposed.append(sampler.decode(trial).config)
    assert proposed[0] == proposed[1]


def test_a_study_that_asks_for_something_else_is_refused() -> None:
    """Other objectives, another direction, another space: one line each."""
    question = Question(PROBLEM, ACCURACY, extrapolated=False)
    sampler = StructuredSampler(question)
    with pytest.raises(InputError, match=r"directions are maximize, minimize, .* maximize accuracy"):
        optuna.create_study(directions=["maximize", "minimize"], sampler=sampler).ask()
    with pytest.raises(InputError, match="its directions are minimize"):
        optuna.create_study(direction="minimize", sampler=sampler).ask()
    other = Problem(load_space("pvt_v2"), (224, 224))
    study = optuna.create_study(direction="maximize", sampler=sampler)
    sizes = Decoder(other).sizes
    ranges = {name: optuna.distributions.IntDistribution(0, size - 1) for name, size in sizes.items()}
    params = dict.fromkeys(ranges, 0)
    study.add_trial(optuna.trial.create_trial(params=params, distributions=ranges, value=1.0))
    with pytest.raises(InputError, match="trial 0 is of another space or budget"):
        study.ask()


def test_over_refuses_what_cannot_be() -> None:
    """Before any trial: no objectives, unknown directions, nothing within the limits."""
    with pytest.raises(InputError, match="at least one"):
        StructuredSampler.over("tiny", {})
    with pytest.raises(InputError, match="accuracy must be one of minimize, maximize, got 'up'"):
        StructuredSampler.over("tiny", {"accuracy": "up"})  # type: ignore[dict-item]  # what is refused
    with pytest.raises(NothingFeasible):
        StructuredSampler.over("tiny", {"accuracy": "maximize"}, Budget({"params": 10}))


def test_other_parameters_are_drawn_with_a_warning() -> None:
    """A parameter that is no knob is random, said once; the knobs are still proposed."""
    structure = Structure(Question(PROBLEM, ACCURACY, extrapolated=False))
    study = optuna.create_study(direction="maximize", sampler=StructuredSampler(structure))

    def evaluate(trial: optuna.Trial) -> float:
        for name, size in structure.decoder.sizes.items():
            trial.suggest_int(name, 0, size - 1)
        return trial.suggest_float("learning_rate", 0, 1)

    with pytest.warns(UserWarning, match="learning_rate is no knob of the space") as caught:
        study.optimize(evaluate, n_trials=3)
    assert len(caught) == 1


def test_a_space_beyond_tables_falls_back_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the lattice would be too large, knobs are random, and that is said once."""
    monkeypatch.setattr(lattices, "MAX_EDGES", 10)
    with pytest.warns(UserWarning, match="knobs are drawn at random") as caught:
        study = study_of(Question(PROBLEM, ACCURACY, extrapolated=False), 0, 3)
    assert len(study.trials) == 3
    assert len(caught) == 1


def test_trials_of_others_are_no_error() -> None:
    """Trials without the knobs, failed ones and infinite values teach nothing and stop nothing."""
    structure = Structure(Question(PROBLEM, ACCURACY, extrapolated=False))
    study = optuna.create_study(direction="maximize", sampler=StructuredSampler(structure))
    point = dict.fromkeys(structure.decoder.sizes, 0)
    ranges = {name: optuna.distributions.IntDistribution(0, size - 1) for name, size in structure.decoder.sizes.items()}
    create = optuna.trial.create_trial
    study.add_trial(create(params=point, distributions=ranges, value=float("inf")))
    study.add_trial(create(params={}, distributions={}, value=1.0))
    study.add_trial(create(state=optuna.trial.TrialState.FAIL))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trial = study.ask(ranges)
    assert set(trial.params) == set(structure.decoder.sizes)
