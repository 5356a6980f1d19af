"""Laws of the lattice and of branch and bound: the same networks and the same maximum as trying them all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_spaces import limited_problems

from pvtsearch.analysis.metrics import analytic_cost
from pvtsearch.config import PVTConfig
from pvtsearch.search import lattice as lattices
from pvtsearch.search.lattice import Lattice, TooManyEdges
from pvtsearch.search.maximise import Maximiser
from pvtsearch.search.problem import Problem
from pvtsearch.serialize_space import load_space

Limited = tuple[Problem, list[PVTConfig]]


def made(lattice: Lattice, configs: list[PVTConfig]) -> list[tuple[int, ...]]:
    """The paths of configurations, every one of which has one."""
    paths = [lattice.edges(config) for config in configs]
    assert None not in paths
    return [path for path in paths if path is not None]


def scores_of(lattice: Lattice, rng: np.random.Generator, whole: bool) -> list[Any]:
    """A random score for every edge; whole numbers have ties."""
    draws = [rng.normal(size=len(layer.rows)) for layer in lattice.layers]
    return [np.rint(draw) for draw in draws] if whole else draws


@settings(max_examples=25, deadline=None)
@given(limited_problems())
def test_a_path_is_a_configuration(found: Limited) -> None:
    """Every configuration within the limits has a path, which leads back to it and costs the same."""
    problem, configs = found
    lattice = Lattice(problem)
    for config, path in zip(configs, made(lattice, configs), strict=True):
        assert lattice.config(path) == config
        total = problem.limited_algebra.total(lattice.cost(path)[None])[0]
        cost = analytic_cost(config, problem.image_size, problem.task, problem.costing)
        assert total.tolist() == [cost[name] for name in problem.budget.limits]


@settings(max_examples=50, deadline=None)
@given(limited_problems(), st.integers(0, 2**32 - 1), st.booleans())
def test_branch_and_bound_equals_brute_force(found: Limited, seed: int, whole: bool) -> None:
    """The best network's score is the highest of all within the limits, sums and peaks; None where there is none."""
    problem, configs = found
    lattice = Lattice(problem)
    scores = scores_of(lattice, np.random.default_rng(seed), whole)
    best = Maximiser(lattice).best(scores)
    totals = {p: sum(s[edge] for s, edge in zip(scores, p, strict=True)) for p in made(lattice, configs)}
    if best is None:
        assert not totals
    else:
        assert best.edges in totals
        assert best.score == totals[best.edges] == pytest.approx(max(totals.values()), rel=1e-9, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(limited_problems(), st.data())
def test_limits_of_one_question_only(found: Limited, data: st.DataObject) -> None:
    """Under tighter limits the best is that of what these leave."""
    problem, configs = found
    lattice = Lattice(problem)
    paths = made(lattice, configs)
    costs = [problem.limited_algebra.total(lattice.cost(path)[None])[0] for path in paths]
    if not paths:
        return
    tighter = np.minimum(problem.limits, data.draw(st.sampled_from(costs)) + data.draw(st.integers(-1, 0)))
    scores = scores_of(lattice, np.random.default_rng(0), whole=False)
    left = [path for path, cost in zip(paths, costs, strict=True) if (cost <= tighter).all()]
    best = Maximiser(lattice).best(scores, tighter)
    highest = max((sum(s[e] for s, e in zip(scores, path, strict=True)) for path in left), default=None)
    assert (best and best.score) == (None if highest is None else pytest.approx(highest))


@settings(max_examples=20, deadline=None)
@given(limited_problems(), st.data())
def test_variants_are_what_one_stage_can_change_to(found: Limited, data: st.DataObject) -> None:
    """All configurations within the limits that differ in one stage at most, and nothing else."""
    problem, configs = found
    if not configs:
        return
    lattice = Lattice(problem)
    config = data.draw(st.sampled_from(configs))
    stage = data.draw(st.integers(0, len(config.stages) - 1))
    (path,) = made(lattice, [config])
    variants = {lattice.config(variant) for variant in lattice.variants(path, stage).tolist()}

    def elsewhere(other: PVTConfig) -> tuple[Any, ...]:
        parts = [getattr(other, name) for name in problem.space.network]
        return *parts, *other.stages[:stage], *other.stages[stage + 1 :]

    assert variants == {other for other in configs if elsewhere(other) == elsewhere(config)}


def test_too_many_edges_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lattice that would not fit memory is refused, not built."""
    monkeypatch.setattr(lattices, "MAX_EDGES", 10)
    with pytest.raises(TooManyEdges, match="stage 1 of tiny has more than 10 edges"):
        Lattice(Problem(load_space("tiny"), (64, 64)))
