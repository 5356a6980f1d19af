"""Laws of what the exact search forgets early: nothing that could end on the front, and no limit that could break."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small_spaces import limited_problems

from pvtsearch.analysis.parts import Parts
from pvtsearch.analysis.table import LARGEST_EXACT
from pvtsearch.config import PVTConfig
from pvtsearch.search.choices import Choices
from pvtsearch.search.composition import Composition
from pvtsearch.search.limits import objectives_of
from pvtsearch.search.problem import Problem
from pvtsearch.search.prospects import Prospects
from pvtsearch.search.question import make_question
from pvtsearch.search.slack import Slack
from pvtsearch.search.stagewise import solve
from pvtsearch.serialize_space import load_space
from pvtsearch.space import Entering

relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
sums = st.lists(st.sampled_from(("width_sum", "macs", "params")), min_size=1, max_size=2, unique=True)


def beginnings(choices: Choices) -> Iterator[tuple[int, Entering, Parts]]:
    """All beginnings of networks: the stage that is next, the state they leave, their parts."""
    layer = {choices.problem.start(): choices.composition.nothing}
    for index in range(choices.last):
        found: dict[Entering, list[Parts]] = {}
        for entering, parts in layer.items():
            for choice in choices.after(index, entering):
                found.setdefault(choice.leaving, []).append(joined(choices, parts, choice.stages.parts))
        layer = {leaving: np.concatenate(tables) for leaving, tables in found.items()}
        for leaving, parts in layer.items():
            yield index + 1, leaving, parts


def rests(choices: Choices, index: int, entering: Entering) -> Parts:
    """The parts of all that may follow a state."""
    if index > choices.last:
        return choices.composition.nothing
    tables = [choices.composition.nothing[:0]]
    for choice in choices.after(index, entering):
        tables.append(joined(choices, choice.stages.parts, rests(choices, index + 1, choice.leaving)))
    return np.concatenate(tables)


def joined(choices: Choices, first: Parts, second: Parts) -> Parts:
    """Each of the first runs, then each of the second."""
    return choices.composition.joined(first[:, None], second[None]).reshape(-1, first.shape[1])


def within(composition: Composition, parts: Parts, kinds: tuple[str, ...]) -> np.ndarray:
    """Mask of the networks that keep all limits on metrics that combine in one of these ways."""
    inside = np.ones(len(parts), dtype=bool)
    totals = composition.algebra.total(parts)
    for place, (name, combine) in enumerate(zip(composition.names, composition.algebra.combines, strict=True)):
        if combine in kinds and name in composition.problem.budget.limits:
            inside &= totals[:, place] <= composition.problem.budget.limits[name]
    return inside


@relaxed
@given(drawn=limited_problems(), names=sums, data=st.data())
def test_what_is_forgotten_ends_beaten(
    drawn: tuple[Problem, list[PVTConfig]], names: list[str], data: st.DataObject
) -> None:
    """By a network that is known, whatever is known: some configurations within the limits."""
    problem, _ = drawn
    composition = Composition(problem, objectives_of(names))
    every = [Choices(composition, template) for template in problem.space.templates]
    tops = composition.tops(np.max([each.largest for each in every], axis=0))
    wholes = [rests(choices, 0, problem.start()) for choices in every]
    feasible = np.concatenate([w[within(composition, w, ("sum", "peak", "round_trip"))] for w in wholes])
    assume(len(feasible))
    rows = data.draw(st.lists(st.integers(0, len(feasible) - 1), min_size=1, max_size=5))
    known = composition.totals(feasible[rows])
    for choices in every:
        prospects = Prospects(choices, tops, known)
        for index, entering, parts in beginnings(choices):
            for beginning in parts[~prospects.open(index, entering, parts)]:
                ends = joined(choices, beginning[None], rests(choices, index, entering))
                points = composition.totals(ends[within(composition, ends, ("sum", "peak", "round_trip"))])
                no_worse = (known[:, None] <= points[None]).all(axis=2)
                better = (known[:, None] < points[None]).any(axis=2)
                assert (no_worse & better).any(axis=0).all()


@relaxed
@given(drawn=limited_problems(), names=sums)
def test_a_limit_that_no_longer_matters_is_not_broken(drawn: tuple[Problem, list[PVTConfig]], names: list[str]) -> None:
    """By any completion within the limits on sums."""
    problem, _ = drawn
    composition = Composition(problem, objectives_of(names))
    for template in problem.space.templates:
        choices = Choices(composition, template)
        slack = Slack(choices)
        for index, entering, parts in beginnings(choices):
            seen, real = slack.spent(index, entering)(parts), composition.spent(parts)
            free = seen == -LARGEST_EXACT
            assert (seen[~free] == real[~free]).all()
            assert not free[:, : len(names)].any()
            room = composition.algebra.room(parts, limits_of(composition))
            following = rests(choices, index, entering)
            for row in np.flatnonzero(free.any(axis=1)):
                ends = joined(choices, parts[row : row + 1], following)
                demands = composition.algebra.demand(following[within(composition, ends, ("sum",))])
                assert (demands[:, free[row]] <= room[row, free[row]]).all()


def limits_of(composition: Composition) -> np.ndarray:
    """The limit on each name of a composition, where there is one."""
    limits = composition.problem.budget.limits
    return np.array([min(limits.get(name, LARGEST_EXACT), LARGEST_EXACT) for name in composition.names])


def test_what_is_forgotten_early_is_much() -> None:
    """Of the beginnings of three stages that are within the limits, where the front itself is known."""
    problem = Problem(load_space("tiny"), (64, 64))
    composition = Composition(problem, objectives_of(["width_sum", "macs"]))
    known = np.array(solve(composition).points)
    kept, all_rows = 0, 0
    for template in problem.space.templates:
        choices = Choices(composition, template)
        prospects = Prospects(choices, composition.tops(choices.largest), known)
        for index, entering, parts in beginnings(choices):
            if index == choices.last:
                kept, all_rows = kept + int(prospects.open(index, entering, parts).sum()), all_rows + len(parts)
    assert 0 < kept < all_rows / 2


def test_memory_no_longer_matters_after_a_stage() -> None:
    """Of PVT v1's space under a ResNet-101: parameters within their limit leave room for all activations."""
    question = make_question(
        "pvt_v1",
        budget="resnet101",
        match=["params", "macs", "inference_memory"],
        objectives=["macs"],
        image_size=None,
        task="classification",
        extrapolate=True,
    )
    composition = Composition(question.problem, question.objectives)
    choices = Choices(composition, question.problem.space.templates[0])
    leaving = choices.after(0, question.problem.start())[0].leaving
    seen = Slack(choices).spent(1, leaving)(choices.after(0, question.problem.start())[0].stages.parts)
    assert (seen[:, -2:] == -LARGEST_EXACT).all()
