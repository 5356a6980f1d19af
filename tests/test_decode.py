"""Laws of decoding: whatever the point, the configuration is inside every limit, and every such one is reached."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from small_spaces import every_config, image_sizes, memory_settings, spaces, tasks

from pvtsearch.accuracy.envelope import envelope
from pvtsearch.analysis.closed_form import pvt_cost
from pvtsearch.analysis.metrics import Costing, analytic_cost, costing_with, every_metric
from pvtsearch.analysis.parts import Parts
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.table import as_dict, move_costs
from pvtsearch.config import ImageSize, PVTConfig, SpatialReduction, Task
from pvtsearch.cost import Budget
from pvtsearch.errors import BudgetError, InputError
from pvtsearch.knobs import ShareRule, StageKnobs
from pvtsearch.search.completions import Completions, fits
from pvtsearch.search.decode import Decoder
from pvtsearch.search.limits import baseline_budget, prior_limits
from pvtsearch.search.problem import Problem, StageLimit
from pvtsearch.serialize import load_config
from pvtsearch.serialize_space import load_space
from pvtsearch.space import Entering, SearchSpace

relaxed = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])


def costs_of(
    configs: list[PVTConfig], image_size: ImageSize, task: Task, costing: Costing | None = None
) -> list[dict[str, int]]:
    return [analytic_cost(config, image_size, task, costing) for config in configs]


@st.composite
def problems(draw: st.DrawFn) -> tuple[Problem, list[PVTConfig]]:
    """A problem with a budget somewhere in the space's range, and all configurations that brute force finds in it.

    Any metrics are limited, memory among them, and any are computed beside.
    """
    space, image_size, task = draw(spaces()), draw(image_sizes), draw(tasks)
    configs = every_config(space, image_size)
    assume(configs)
    known = every_metric(task, draw(memory_settings))
    limited = draw(st.sets(st.sampled_from(known.metrics)))
    costing = costing_with(limited | draw(st.sets(st.sampled_from(known.metrics))), known.setting)
    costs = costs_of(configs, image_size, task, costing)
    limits = {name: draw(st.sampled_from([cost[name] for cost in costs])) for name in sorted(limited)}
    slack = draw(st.sampled_from((-1, 0, 1)))
    budget = Budget({name: max(1, limit + slack) for name, limit in limits.items()})
    feasible = [config for config, cost in zip(configs, costs, strict=True) if budget.admits(cost)]
    return Problem(space, image_size, task, budget, costing=costing), feasible


@relaxed
@given(drawn=problems(), seed=st.integers(0, 2**32))
def test_walk_reaches_exactly_the_feasible_configurations(drawn: tuple[Problem, list[PVTConfig]], seed: int) -> None:
    """Walked once each: all that brute force finds within the limits, and nothing else."""
    problem, feasible = drawn
    decoder = Decoder(problem)
    walked = list(decoder.walk(np.random.default_rng(seed)))
    decoded = [decoder.decode(decoder.encode(path)) for path in walked]
    assert len(decoded) == len(feasible)
    assert {each.config for each in decoded} == set(feasible)
    costs = costs_of([each.config for each in decoded], problem.image_size, problem.task, problem.costing)
    assert [each.cost for each in decoded] == costs
    assert bool(decoder.templates) == bool(feasible)


@relaxed
@given(drawn=problems(), data=st.data())
def test_no_point_decodes_to_anything_outside_the_limits(
    drawn: tuple[Problem, list[PVTConfig]], data: st.DataObject
) -> None:
    """Any index in any knob's fixed range gives a configuration that brute force calls feasible."""
    problem, feasible = drawn
    assume(feasible)
    decoder = Decoder(problem)
    point = {name: data.draw(st.integers(0, size - 1)) for name, size in decoder.sizes.items()}
    decoded = decoder.decode(point)
    assert decoded.config in feasible
    assert decoded.cost == analytic_cost(decoded.config, problem.image_size, problem.task, problem.costing)
    assert problem.budget.admits(decoded.cost)


@relaxed
@given(drawn=problems())
def test_unseen_ends_exactly_when_all_is_seen(drawn: tuple[Problem, list[PVTConfig]]) -> None:
    """Drawing unseen configurations meets each feasible one once and then says that none is left."""
    problem, feasible = drawn
    assume(len(feasible) <= 60)
    decoder, seen = Decoder(problem), set()
    rng = np.random.default_rng(0)
    while (point := decoder.unseen(seen, rng)) is not None:
        config = decoder.decode(point).config
        assert config not in seen
        seen.add(config)
    assert seen == set(feasible)


@given(columns=st.integers(0, 3), data=st.data())
def test_fits_equals_the_definition(columns: int, data: st.DataObject) -> None:
    """A remainder fits when some completion is within it in every column, whatever the number of columns."""
    row = st.lists(st.integers(0, 9), min_size=columns, max_size=columns)
    drawn = data.draw(st.lists(row, max_size=8))
    front = np.array(drawn, dtype=np.int64).reshape(len(drawn), columns)
    if columns == 2:  # as `Completions` keeps them: sorted, and none dominates another
        kept = sorted({tuple(p) for p in drawn if not any(_beats(q, p) for q in drawn)})
        front = np.array(kept, dtype=np.int64).reshape(-1, 2)
    elif columns == 1 and len(front):
        front = front.min(axis=0, keepdims=True)
    asked = data.draw(st.lists(row, max_size=8))
    remaining = np.array(asked, dtype=np.int64).reshape(len(asked), columns)
    expected = [any((point <= left).all() for point in front) for left in remaining]
    assert fits(front, remaining).tolist() == expected


def _beats(one: list[int], other: list[int]) -> bool:
    return one != other and all(a <= b for a, b in zip(one, other, strict=True))


@settings(max_examples=40, deadline=None)
@given(space=spaces(), image_size=image_sizes, task=tasks, setting=memory_settings)
def test_tables_equal_the_closed_form_one_by_one(
    space: SearchSpace, image_size: ImageSize, task: Task, setting: MemorySetting
) -> None:
    """The closed form on arrays gives, row by row, the first stage's cost of a network built alone."""
    costing = every_metric(task, setting)
    for template in space.templates:
        entering = space.start(image_size)
        for move in space.moves(template, 0, entering):
            options = space.options[0]
            costs = move_costs(template, 0, options, entering, move, task=task, costing=costing)
            for row, cost in zip(move.rows, costs, strict=True):
                if len(space.stages) == 1:
                    config = space.decode(template, (options.stages[row],))
                    assert as_dict(cost, costing) == analytic_cost(config, image_size, task, costing)


@pytest.mark.parametrize("attention", ["fused", "explicit"])
def test_memory_limits_a_large_space(attention: Literal["fused", "explicit"]) -> None:
    """Draws of a shipped space stay within params, MACs and memory of ResNet-50, and come close to that of memory."""
    space, size, setting = load_space("pvt_v1"), (224, 224), MemorySetting(batch_size=16, attention=attention)
    match = ("params", "macs", "inference_memory")
    budget = baseline_budget(load_config("resnet50"), size, match=match, setting=setting)
    decoder = Decoder(Problem(space, size, budget=budget, costing=every_metric("classification", setting)))
    rng = np.random.default_rng(0)
    reached = 0.0
    for _ in range(50):
        decoded = decoder.decode({name: int(rng.integers(n)) for name, n in decoder.sizes.items()})
        assert decoded.cost == analytic_cost(decoded.config, size, costing=every_metric("classification", setting))
        assert budget.admits(decoded.cost)
        reached = max(reached, decoded.cost["inference_peak_bytes"] / budget.limits["inference_peak_bytes"])
    assert reached > 0.9


def every_rest(problem: Problem, template: PVTConfig, index: int, entering: Entering) -> Parts:
    """The parts, in what is limited, of all ways to complete a network, by trying every one."""
    algebra = problem.limited_algebra
    if index == len(problem.space.stages):
        return algebra.nothing()[None]
    found = [algebra.nothing()[None][:0]]
    for branch in problem.branches(template, index, entering):
        following = every_rest(problem, template, index + 1, branch.leaving)
        found += [algebra.concatenate(cost, following) for cost in branch.costs[:, problem.limited]]
    return np.concatenate(found)


@relaxed
@given(drawn=problems(), data=st.data())
def test_completions_are_the_least_demands_of_all_rests(
    drawn: tuple[Problem, list[PVTConfig]], data: st.DataObject
) -> None:
    """After any first stages every rest within the limits is met by the front, and the front is of such rests."""
    problem, _ = drawn
    algebra, completions = problem.limited_algebra, Completions(problem)
    template = data.draw(st.sampled_from(problem.space.templates))
    entering, index = problem.start(), data.draw(st.integers(0, len(problem.space.stages) - 1))
    for stage in range(index):
        branches = problem.branches(template, stage, entering)
        assume(branches)
        entering = data.draw(st.sampled_from(branches)).leaving
    rests = every_rest(problem, template, index, entering)
    rests = rests[(algebra.total(rests) <= problem.limits).all(axis=1)]
    front, demands = completions.front(template, index, entering), algebra.demand(rests)
    assert fits(front, demands).all()
    assert {tuple(row) for row in front.tolist()} <= {tuple(row) for row in demands.tolist()}


def test_a_rest_of_fewer_parameters_and_a_higher_peak_is_kept() -> None:
    """Reduction costs parameters and saves scores: under a limit on memory alone both are ways to complete a network.

    Which one fits depends on what comes before: beside a high peak the first, on top of a large map the second.
    """
    knobs = StageKnobs(
        patch_size=(2,), embed_dim=(12,), depth=(1,), mlp_ratio=(1,), num_heads=(3,),
        attention=(SpatialReduction(1), SpatialReduction(2)),
    )  # fmt: skip
    space = SearchSpace((knobs, knobs), {"pool": ("mean",)}, image_size=32, name="reductions")
    costing = every_metric("classification", MemorySetting(attention="explicit"))
    problem = Problem(space, (32, 32), budget=Budget({"inference_peak_bytes": 10**9}), costing=costing)
    (branch,) = problem.branches(space.templates[0], 0, problem.start())
    front = Completions(problem).front(space.templates[0], 1, branch.leaving)
    rests = every_rest(problem, space.templates[0], 1, branch.leaving)
    demands = problem.limited_algebra.demand(rests)
    assert sorted(map(tuple, front.tolist())) == sorted(map(tuple, demands.tolist()))
    assert len(front) == 2


def test_completions_of_the_tiny_space_are_its_minima() -> None:
    """The front of all completions from the start is the Pareto-minimal cost of the whole space."""
    space = load_space("tiny")
    budget = Budget({"params": 10**9, "macs": 10**12})
    front = Completions(Problem(space, (64, 64), budget=budget)).front(space.templates[0], 0, space.start((64, 64)))
    every = every_config(space, (64, 64))
    costs = {(c["params"], c["macs"]) for c in costs_of(every, (64, 64), "classification")}
    minimal, least = set(), float("inf")
    for params, macs in sorted(costs):
        if macs < least:
            minimal.add((params, macs))
            least = macs
    assert {tuple(row) for row in front.tolist()} == minimal


def test_limits_on_stages_hold_and_need_their_budget() -> None:
    """A rule on a stage's share keeps every network inside it, and is refused without a limit on its metric."""
    space = load_space("tiny")
    ruled = SearchSpace(
        space.stages, space.network, (*space.rules, ShareRule(3, "macs", "<=", 0.2)), image_size=64, name="ruled"
    )
    budget = Budget({"macs": 12_000_000})
    decoder = Decoder(Problem(ruled, (64, 64), budget=budget))
    walked = [decoder.decoded(path).config for path in decoder.walk(np.random.default_rng(0))]
    assert walked
    assert all(pvt_cost(config, (64, 64)).stages[2].macs <= 0.2 * 12_000_000 for config in walked)
    with pytest.raises(BudgetError, match=r"stage 3: macs <= 0\.2 budget"):
        Decoder(Problem(ruled, (64, 64), budget=Budget({"params": 10**6}))).templates  # noqa: B018  the property acts


@pytest.mark.parametrize("space_name", ["pvt_v1", "pvt_v2"])
def test_the_envelope_holds_for_every_draw(space_name: str) -> None:
    """Every stage of a feasible draw is inside the prior's envelope, knob by knob and in its share of the MACs."""
    space, size = load_space(space_name), (224, 224)
    budget = baseline_budget(load_config("resnet50"), size)
    limits = prior_limits(space, budget, size, "classification")
    decoder = Decoder(Problem(space, size, budget=budget, stage_limits=limits))
    spans = envelope(budget.limits["macs"], size)
    rng = np.random.default_rng(0)
    for _ in range(50):
        decoded = decoder.decode({name: int(rng.integers(n)) for name, n in decoder.sizes.items()})
        assert decoded.cost == analytic_cost(decoded.config, size)
        costs = pvt_cost(decoded.config, size).stages
        for stage, cost, span in zip(decoded.config.stages, costs, spans, strict=True):
            for name in ("embed_dim", "depth", "mlp_ratio"):
                assert span[name].lower <= getattr(stage, name) <= span[name].upper
            limit = budget.limits["macs"]
            assert span["macs"].lower * limit <= cost.macs <= span["macs"].upper * limit


def test_an_unknown_metric_in_a_budget_is_refused() -> None:
    """A limit on something no one computes is an error, not a limit that always holds."""
    with pytest.raises(BudgetError, match="no metric is called latency"):
        Problem(load_space("tiny"), (64, 64), budget=Budget({"latency": 5}))


def test_what_has_no_number_cannot_be_limited() -> None:
    """Memory that a problem's costing leaves out, or of a task without a closed form, is an error as well."""
    space, budget = load_space("tiny"), Budget({"inference_peak_bytes": 10**9})
    with pytest.raises(BudgetError, match="inference_peak_bytes is limited but not"):
        Problem(space, (64, 64), budget=budget)
    with pytest.raises(InputError, match=r"inference_memory is known for .* only, got the task retinanet"):
        Problem(space, (64, 64), "retinanet", budget, costing=every_metric("classification", MemorySetting()))
    with pytest.raises(InputError, match=r"inference_memory is known for .* only, got the task mask_rcnn"):
        baseline_budget(load_config("resnet50"), (64, 64), task="mask_rcnn", match=["inference_memory"])


def test_costs_beyond_64_bits_are_refused() -> None:
    """An image or a batch so large that integers would overflow is an error, never a wrong number."""
    space = load_space("pvt_v1")
    crowd = every_metric("classification", MemorySetting(batch_size=10**9))
    with pytest.raises(InputError, match="64-bit"):
        Decoder(Problem(space, (4096, 4096), budget=Budget({"macs": 10**18}), costing=crowd)).templates  # noqa: B018
    with pytest.raises(InputError, match="64-bit"):
        Decoder(Problem(space, (10**6, 10**6), budget=Budget({"macs": 10**18}))).templates  # noqa: B018  the property acts


def test_stage_limits_are_inclusive() -> None:
    """An interval keeps its ends."""
    space = load_space("tiny")
    problem = Problem(space, (64, 64), stage_limits=(StageLimit(0, "embed_dim", 24, 32),))
    widths = {
        problem.space.options[0].stages[row].embed_dim
        for branch in problem.branches(space.templates[0], 0, problem.start())
        for row in branch.rows
    }
    assert widths == {24, 32}
