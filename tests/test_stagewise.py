"""Laws of the exact search: front, ties and representatives are those of brute force."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small_spaces import every_config, limited_problems

from pvtsearch.accuracy.prior import width_sum_of
from pvtsearch.analysis.metrics import analytic_cost, costing_with
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import PVTConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError
from pvtsearch.records import Objective
from pvtsearch.search.composition import Composition
from pvtsearch.search.limits import objectives_of
from pvtsearch.search.partials import Partials, bundled, unbundled
from pvtsearch.search.problem import Problem
from pvtsearch.search.stagewise import solve
from pvtsearch.serialize_space import load_space

relaxed = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
NAMES = ("width_sum", "macs", "params", "inference_memory", "training_memory")
objective_names = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)
epsilons = st.sampled_from((Fraction(1, 1000), Fraction(1, 100), Fraction(1, 10), Fraction(1)))


def values(problem: Problem, objectives: Sequence[Objective], config: PVTConfig) -> tuple[int, ...]:
    """The objectives of a configuration one by one, less is better."""
    known = {**cost_of(problem, config), "width_sum": -width_sum_of(config)}
    return tuple(known[objective.name] for objective in objectives)


def cost_of(problem: Problem, config: PVTConfig) -> dict[str, int]:
    """Every metric of the problem's costing, of one configuration."""
    return analytic_cost(config, problem.image_size, problem.task, problem.costing)


def known_objectives(problem: Problem, names: Sequence[str]) -> tuple[Objective, ...]:
    """The objectives of these names that the problem's task has."""
    objectives = [o for o in objectives_of(names) if o.name == "width_sum" or o.name in problem.costing.metrics]
    assume(objectives)
    return tuple(objectives)


def brute_force(
    problem: Problem, objectives: Sequence[Objective], feasible: Sequence[PVTConfig]
) -> dict[tuple[int, ...], tuple[PVTConfig, int]]:
    """Every point of the front, the configuration that stands for it, and how many there are."""
    tied: dict[tuple[int, ...], list[PVTConfig]] = {}
    for config in feasible:  # in the order of points, so the first of equals is the smallest
        tied.setdefault(values(problem, objectives, config), []).append(config)

    def dominated(one: tuple[int, ...]) -> bool:
        return any(other != one and all(a <= b for a, b in zip(other, one, strict=True)) for other in tied)

    return {
        point: (min(configs, key=lambda c: sum(abs(s.head_dim - 64) for s in c.stages)), len(configs))
        for point, configs in sorted(tied.items())
        if not dominated(point)
    }


@relaxed
@given(drawn=limited_problems(), names=objective_names)
def test_the_exact_front_is_that_of_brute_force(drawn: tuple[Problem, list[PVTConfig]], names: list[str]) -> None:
    """Points, their order, the number that tie and the configuration that stands for them."""
    problem, feasible = drawn
    objectives = known_objectives(problem, names)
    front = solve(Composition(problem, objectives))
    expected = brute_force(problem, objectives, feasible)
    assert list(front.points) == list(expected)
    assert [cost_of(problem, config) for config in front.configs] == list(front.costs)
    assert [values(problem, objectives, config) for config in front.configs] == list(expected)
    assert list(front.ties) == [count for _config, count in expected.values()]
    assert list(front.configs) == [config for config, _count in expected.values()]


@relaxed
@given(drawn=limited_problems(), names=objective_names, epsilon=epsilons)
def test_every_feasible_configuration_is_within_epsilon_of_a_rounded_front(
    drawn: tuple[Problem, list[PVTConfig]], names: list[str], epsilon: Fraction
) -> None:
    """In every objective at once, by the stated factor; and what stands in the front is feasible."""
    problem, feasible = drawn
    objectives = known_objectives(problem, names)
    front = solve(Composition(problem, objectives), epsilon)
    assert set(front.configs) <= set(feasible)
    assert front.ties == ()
    found = [values(problem, objectives, config) for config in front.configs]
    for config in feasible:
        point = values(problem, objectives, config)
        assert any(all(near(f, p, epsilon) for f, p in zip(each, point, strict=True)) for each in found)


def near(found: int, wanted: int, epsilon: Fraction) -> bool:
    """Whether a cost is at most 1 + epsilon times another, or a negated score at least that share of another."""
    return found <= wanted * (1 + epsilon) if found >= 0 else -found * (1 + epsilon) >= -wanted


def test_a_rounded_front_is_small() -> None:
    """What epsilon buys: fewer points."""
    space = load_space("tiny")
    composition = Composition(Problem(space, (64, 64)), objectives_of(["width_sum", "macs", "params"]))
    exact, rounded = solve(composition), solve(composition, Fraction(1, 5))
    assert len(rounded.configs) < len(exact.configs) / 2


def test_more_than_fits_is_said_with_the_way_out() -> None:
    """Nothing is cut in silence: the error names the option."""
    composition = Composition(Problem(load_space("tiny"), (64, 64)), objectives_of(["width_sum", "macs"]))
    with pytest.raises(InputError, match=r"more than 5 partial networks of 1 stages: give --epsilon 0\.01"):
        solve(composition, most=5)


def test_counts_beyond_64_bits_are_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where configurations could outnumber 64-bit integers, Python's count; here they are made to."""
    composition = Composition(Problem(load_space("tiny"), (64, 64)), objectives_of(["width_sum", "macs"]))
    expected = solve(composition)
    monkeypatch.setattr("pvtsearch.search.choices._LARGEST_COUNT", 1)
    assert solve(composition) == expected
    assert sum(expected.ties) > len(expected.ties)


def test_the_tiny_space_as_brute_force() -> None:
    """The shipped space that can be enumerated, under limits: for one objective and for three."""
    space = load_space("tiny")
    problem = Problem(space, (64, 64), budget=Budget({"params": 200_000, "macs": 6_000_000}))
    feasible = [c for c in every_config(space, (64, 64)) if problem.budget.admits(analytic_cost(c, (64, 64)))]
    assert 100 < len(feasible) < 2000
    for names in (["width_sum"], ["width_sum", "macs", "params"]):
        objectives = objectives_of(names)
        front = solve(Composition(problem, objectives))
        expected = brute_force(problem, objectives, feasible)
        assert list(zip(front.configs, front.ties, strict=True)) == list(expected.values())


@pytest.mark.parametrize("limits", [{}, {"inference_peak_bytes": 2_500_000, "params": 1_000_000}], ids=["sums", "peak"])
def test_chunks_and_early_pruning_change_nothing(limits: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """However small the portions, the answer is the same; a peak has more parts than columns that decide."""
    space, costing = load_space("tiny"), costing_with(("params", "macs", *limits), MemorySetting())
    problem = Problem(space, (64, 64), budget=Budget(limits), costing=costing)
    composition = Composition(problem, objectives_of(["width_sum", "macs", "params"]))
    whole = solve(composition)
    monkeypatch.setattr("pvtsearch.search.programme._CHUNK", 50)
    monkeypatch.setattr("pvtsearch.search.partials._BATCH", 10)
    monkeypatch.setattr("pvtsearch.search.partials._BUNDLE", 3)
    monkeypatch.setattr("pvtsearch.search.sieve._CELLS", 16)
    assert solve(composition) == whole
    assert len(whole.configs) > 100


def test_bundles_hold_every_choice_once() -> None:
    """Whatever the number of choices; and no choice is below its bundle in any column."""
    for choices in range(1, 20):
        parts = np.random.default_rng(choices).integers(9, size=(choices, 2))
        none = np.zeros(choices, dtype=np.int64)
        lowest = bundled(Partials(parts, none, none, none, none, none))
        places = np.arange(3 * len(lowest))
        first, second = unbundled(places, len(lowest), choices)
        assert list(zip(first, second, strict=True)) == list(product(range(3), range(choices)))
        bundle = np.concatenate([np.repeat(p, len(unbundled(p[None], len(lowest), choices)[0])) for p in places])
        assert (lowest[bundle % len(lowest)] <= parts[second]).all()
