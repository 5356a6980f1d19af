"""Laws of counting: configurations within the limits, their ranges and draws from them equal brute force."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from small_spaces import limited_problems

from pvtsearch.analysis.metrics import analytic_cost, costing_with
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import PVTConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError, NothingFeasible
from pvtsearch.search.counting import count_feasible, take_stock
from pvtsearch.search.decode import Decoder
from pvtsearch.search.draws import estimate_feasible, uniform_draws
from pvtsearch.search.halves import PLANE, TooManyRows
from pvtsearch.search.limits import baseline_budget
from pvtsearch.search.paths import Paths
from pvtsearch.search.problem import Problem, StageLimit
from pvtsearch.serialize import load_config
from pvtsearch.serialize_space import load_space

relaxed = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
Drawn = tuple[Problem, list[PVTConfig]]


@relaxed
@given(drawn=limited_problems(peaks=False))
def test_number_and_ranges_are_those_of_brute_force(drawn: Drawn) -> None:
    """Whatever the rules, the limits on networks and on stages, the input and the task."""
    problem, feasible = drawn
    costs = [analytic_cost(config, problem.image_size, problem.task) for config in feasible]
    stock = take_stock(problem)
    assert stock.feasible == count_feasible(problem) == len(feasible)
    spans = {name: (min(c[name] for c in costs), max(c[name] for c in costs)) for name in PLANE if costs}
    assert stock.ranges == spans


@relaxed
@given(drawn=limited_problems(peaks=False))
def test_draws_are_feasible_and_reach_everything(drawn: Drawn) -> None:
    """Every draw is within the limits, and a few hundred draws of a small set miss none of it."""
    problem, feasible = drawn
    assume(0 < len(feasible) <= 30)
    draws = uniform_draws(problem, 600, seed=0)  # misses one of 30 once in 2 * 10^7 times
    assert set(draws) == set(feasible)


@relaxed
@given(drawn=limited_problems(peaks=False))
def test_numbers_lead_to_all_networks_once(drawn: Drawn) -> None:
    """Each number has a network of its own, and those within the limits are brute force's."""
    problem, feasible = drawn
    paths = Paths(problem)
    assume(paths.total <= 2000)
    found = [paths.path(number) for number in range(paths.total)]
    configs = [paths.config(path) for path in found]
    assert len(set(configs)) == paths.total
    costs = [path.cost for path in found]
    assert costs == [analytic_cost(config, problem.image_size, problem.task) for config in configs]
    assert {c for c, cost in zip(configs, costs, strict=True) if problem.budget.admits(cost)} == set(feasible)


SOME = (StageLimit(0, "embed_dim", 16, 16), StageLimit(1, "depth", 1, 1), StageLimit(2, "embed_dim", 32, 32))
TINY = Problem(load_space("tiny"), (64, 64), budget=Budget({"params": 250_000, "macs": 6_000_000}), stage_limits=SOME)
NARROW = (StageLimit(0, "depth", 1, 1), StageLimit(1, "embed_dim", 32, 64), StageLimit(2, "depth", 1, 1))
PEAK = Problem(  # a limit on memory is none that halves are counted by, so draws are by rejection
    load_space("tiny"),
    (96, 64),
    task="backbone",
    budget=Budget({"params": 200_000, "inference_peak_bytes": 2_000_000}),
    stage_limits=NARROW,
    costing=costing_with(("params", "inference_peak_bytes"), MemorySetting(batch_size=2)),
)


def surprise(problem: Problem, draws: int, **options: int) -> float:
    """The p-value of a chi-square test of draws over all feasible configurations (Wilson and Hilferty 1931)."""
    decoder = Decoder(problem)
    feasible = [decoder.decoded(path).config for path in decoder.walk(np.random.default_rng(0))]
    assert len(feasible) < 0.8 * Paths(problem).total
    drawn = Counter(uniform_draws(problem, draws, seed=1, **options))
    assert drawn.keys() <= set(feasible)
    expected = draws / len(feasible)
    assert expected > 5
    square = sum((drawn[config] - expected) ** 2 / expected for config in feasible)
    spread = 2 / 9 / (len(feasible) - 1)
    z = ((square / (len(feasible) - 1)) ** (1 / 3) - 1 + spread) / spread**0.5
    return 1 - NormalDist().cdf(z)


@pytest.mark.parametrize("most", [20_000_000, 1], ids=["counted", "rejection"])
def test_draws_are_uniform(most: int) -> None:
    """Chi-square of 20,000 draws over all feasible configurations, by either way of drawing; the seed is fixed."""
    assert 0.001 < surprise(TINY, 20_000, most=most) < 0.999


@pytest.mark.slow
@pytest.mark.parametrize("problem", [TINY, PEAK], ids=["counted", "rejection"])
def test_many_draws_are_uniform(problem: Problem) -> None:
    """Chi-square of 100,000 draws: of three stages under two limits, and of backbones under one on memory."""
    value = surprise(problem, 100_000)
    print(f"p = {value:.3f}")
    assert 0.001 < value < 0.999


def test_the_same_seed_draws_the_same() -> None:
    """And another one others."""
    assert uniform_draws(TINY, 50, seed=3) == uniform_draws(TINY, 50, seed=3) != uniform_draws(TINY, 50, seed=4)


def test_what_is_too_much_to_count_is_estimated_around_the_truth() -> None:
    """The tables' limit is kept, and the interval of the estimate holds the truth."""
    with pytest.raises(TooManyRows):
        count_feasible(TINY, most=10)
    exact = count_feasible(TINY)
    estimate = estimate_feasible(TINY, draws=20_000)
    assert estimate.low <= exact <= estimate.high
    assert estimate.low <= estimate.feasible <= estimate.high
    assert estimate.high - estimate.low < 0.2 * exact
    assert estimate.draws == 20_000


def test_limits_that_no_table_counts_are_counted_one_by_one() -> None:
    """A limit on a peak in a small space: number and ranges are brute force's, by every way of costing."""
    free = Problem(load_space("tiny"), (64, 64), costing=costing_with(["inference_peak_bytes"], MemorySetting()))
    paths = Paths(free)
    every = [paths.path(number).cost for number in range(paths.total)]
    limit = sorted(cost["inference_peak_bytes"] for cost in every)[len(every) // 3]
    problem = replace(free, budget=Budget({"inference_peak_bytes": limit}))
    inside = [cost for cost in every if cost["inference_peak_bytes"] <= limit]
    stock = take_stock(problem)
    assert stock.feasible == len(inside)
    for metric, span in stock.ranges.items():
        values = [cost[metric] for cost in inside]
        assert (span.least, span.largest) == (min(values), max(values))
    estimate = estimate_feasible(problem, draws=5000)
    assert estimate.low <= len(inside) <= estimate.high
    for metric, span in estimate.ranges.items():
        assert stock.ranges[metric].least <= span.least <= span.largest <= stock.ranges[metric].largest


def test_costs_of_many_are_those_of_each() -> None:
    """Of networks by their numbers, also where numbers go beyond 64 bits; in whatever order."""
    for space, size in (("tiny", (64, 64)), ("pvt_v2", (224, 224))):
        paths = Paths(Problem(load_space(space), size))
        numbers = [random.Random(1).randrange(paths.total) for _ in range(40)]
        expected = sorted(tuple(paths.path(number).cost.values()) for number in numbers)
        assert sorted(map(tuple, paths.costs(numbers).tolist())) == expected
        larger = Paths(paths.problem)
        larger.total = 2**70  # numbers as Python's own integers
        assert sorted(map(tuple, larger.costs(numbers).tolist())) == expected


def test_nothing_to_draw_is_an_error() -> None:
    """By either way of drawing; and less than nothing is none."""
    with pytest.raises(InputError, match="at least 0"):
        uniform_draws(TINY, -1, seed=0)
    impossible = Problem(TINY.space, (64, 64), budget=Budget({"params": 1000}))
    assert count_feasible(impossible) == 0
    for most in (20_000_000, 1):
        with pytest.raises(NothingFeasible):
            uniform_draws(impossible, 3, seed=0, most=most)


@pytest.mark.slow
def test_a_space_of_ten_trillion_is_counted_as_an_estimate_says() -> None:
    """The exact number of pvt_v1 under ResNet-50's limits lies in the interval of 100,000 draws."""
    budget = baseline_budget(load_config("resnet50"), (224, 224))
    problem = Problem(load_space("pvt_v1"), (224, 224), budget=budget)
    estimate = estimate_feasible(problem, seed=1)
    assert estimate.low <= count_feasible(problem) == 937_712_271_437 <= estimate.high
