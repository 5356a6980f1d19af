"""The corner test: what maximises the prior is a network that people would design, not a corner of what is allowed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest

from pvtsearch.accuracy.families import pvt_families, typical_shape
from pvtsearch.accuracy.prior import width_sum
from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.config import PVTConfig
from pvtsearch.knobs import StageKnobs
from pvtsearch.search.lattice import Lattice
from pvtsearch.search.maximise import Maximiser
from pvtsearch.search.question import Question, make_question
from pvtsearch.serialize_space import load_space
from pvtsearch.space import SearchSpace

BUDGETS = ("resnet18", "resnet50", "resnet101")
SPACES = ("pvt_v1", "pvt_v2")
KNOBS = ("embed_dim", "depth", "mlp_ratio")
SIZE = (224, 224)
MOST = 0.25  # of the knobs

Score = Callable[[int, dict[str, Any]], Any]


class Count(NamedTuple):
    """Knobs of a network that could lie inside what is allowed, and how many of them lie on a bound."""

    knobs: int
    on_bounds: int


def finer(name: str) -> SearchSpace:
    """A shipped space in small steps of width and MLP ratio: few knobs with a choice in the envelope have only two."""
    space = load_space(name)
    return replace(space, name=f"{name} in small steps", stages=tuple(map(_finer, space.stages)))


def _finer(knobs: StageKnobs) -> StageKnobs:
    widths, step = knobs.embed_dim, (knobs.embed_dim[1] - knobs.embed_dim[0]) // 2
    return replace(
        knobs,
        embed_dim=tuple(range(widths[0], widths[-1] + 1, step)),
        mlp_ratio=tuple(half / 2 for half in range(2, 21)),
        head_dim=(),
        num_heads=(1,),
    )


@cache
def lattice(space: str, budget: str, *, fine: bool, extrapolate: bool = False) -> tuple[Question, Lattice]:
    """All that is allowed under a network's cost."""
    question = make_question(
        finer(space) if fine else space,
        budget=budget,
        objectives=("prior",),
        image_size=None,
        task="classification",
        extrapolate=extrapolate,
    )
    return question, Lattice(question.problem)


def maximiser(question: Question, allowed: Lattice, score: Score) -> PVTConfig:
    """The allowed network of the highest score, proven."""
    best = Maximiser(allowed).best([np.asarray(score(i, _columns(question, allowed, i)), float) for i in range(4)])
    assert best is not None
    return allowed.config(best.edges)


def _columns(question: Question, allowed: Lattice, stage: int) -> dict[str, Any]:
    options = question.problem.space.options[stage].columns
    return {name: options[name][allowed.layers[stage].rows] for name in KNOBS}


def prior_of(question: Question) -> Score:
    """The prior as the exact search adds it up."""
    by_stage = SIGNALS["prior"].by_stage
    assert by_stage is not None
    return lambda stage, columns: by_stage.of_columns(stage, columns, question.problem.frame)


def sum_of_widths(_stage: int, columns: dict[str, Any]) -> Any:
    """S, which the prior was before."""
    return width_sum(columns["depth"], columns["embed_dim"])


def count(question: Question, allowed: Lattice, network: PVTConfig) -> Count:
    """Of widths, depths and MLP ratios those on the least or the greatest value that space and envelope leave.

    A knob that is left one or two values lies on a bound whatever is chosen: it does not count.
    """
    knobs = on_bounds = 0
    for index, stage in enumerate(network.stages):
        for name, column in _columns(question, allowed, index).items():
            values = np.unique(column)
            knobs += len(values) > 2
            on_bounds += len(values) > 2 and getattr(stage, name) in (values[0], values[-1])
    return Count(knobs, on_bounds)


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("space", SPACES)
def test_the_maximum_of_the_prior_is_in_no_corner(space: str, budget: str) -> None:
    """In small steps at most a quarter of its knobs lie on a bound; of the sum of widths, its ancestor, more do."""
    question, allowed = lattice(space, budget, fine=True)
    found = count(question, allowed, maximiser(question, allowed, prior_of(question)))
    assert found.on_bounds <= MOST * found.knobs
    before = count(question, allowed, maximiser(question, allowed, sum_of_widths))
    assert before.on_bounds > MOST * before.knobs


@pytest.mark.parametrize("space", SPACES)
def test_nor_in_the_shipped_spaces(space: str) -> None:
    """The same in the steps that are shipped, over three budgets: one alone may leave no more than three such knobs."""
    cases = [lattice(space, budget, fine=False) for budget in BUDGETS]
    counts = [count(*case, maximiser(*case, prior_of(case[0]))) for case in cases]
    assert sum(each.on_bounds for each in counts) <= MOST * sum(each.knobs for each in counts)


@pytest.mark.parametrize("fine", [False, True], ids=["shipped", "fine"])
@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("space", SPACES)
def test_stage_3_is_not_starved(space: str, budget: str, fine: bool) -> None:
    """Its width is at least three quarters of the published one at the budget, inside the envelope and without it."""
    for extrapolate in (False,) if fine else (False, True):
        question, allowed = lattice(space, budget, fine=fine, extrapolate=extrapolate)
        published = typical_shape(pvt_families(SIZE, "classification"), question.problem.budget.limits["macs"])
        network = maximiser(question, allowed, prior_of(question))
        assert network.stages[2].embed_dim >= 0.75 * published[2].embed_dim


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize("space", SPACES)
def test_the_whole_space_has_no_absurd_maximum_either(space: str, budget: str) -> None:
    """Without the envelope too each width, depth and MLP ratio stays within a factor of 2 of the published one."""
    question, allowed = lattice(space, budget, fine=False, extrapolate=True)
    published = typical_shape(pvt_families(SIZE, "classification"), question.problem.budget.limits["macs"])
    for stage, shape in zip(maximiser(question, allowed, prior_of(question)).stages, published, strict=True):
        for name in KNOBS:
            assert 0.5 <= getattr(stage, name) / getattr(shape, name) <= 2
