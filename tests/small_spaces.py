"""Small random search spaces, and what brute force finds in them: the naive twin of the dynamic programmes."""

from __future__ import annotations

from itertools import pairwise, product
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from pvtsearch.analysis.closed_form import pvt_cost
from pvtsearch.analysis.metrics import Costing, analytic_cost, every_metric
from pvtsearch.analysis.setting import ELEMENT_BYTES, MemorySetting
from pvtsearch.config import Attention, ImageSize, PooledReduction, PVTConfig, SpatialReduction, Task
from pvtsearch.cost import Budget
from pvtsearch.errors import ConfigError, SpaceError
from pvtsearch.knobs import ShareRule, StageKnobs, TrendRule, ruled_value
from pvtsearch.search.problem import Problem, StageLimit
from pvtsearch.space import SearchSpace


def some(*values: Any, most: int = 2) -> st.SearchStrategy[tuple[Any, ...]]:
    """One to `most` distinct values, in any order."""
    return st.lists(st.sampled_from(values), min_size=1, max_size=most, unique=True).map(tuple)


ATTENTIONS: tuple[Attention, ...] = (
    SpatialReduction(1),
    SpatialReduction(2),
    SpatialReduction(4),
    PooledReduction(1),
    PooledReduction(3),
)


@st.composite
def stage_knobs(draw: st.DrawFn) -> StageKnobs:
    """Knobs of one stage, of which at most two have two values."""
    free = draw(st.sets(st.sampled_from(("patch_size", "embed_dim", "depth", "heads", "mlp", "attention")), max_size=2))

    def values(knob: str, *known: Any) -> tuple[Any, ...]:
        return draw(some(*known, most=2 if knob in free else 1))

    heads = {"num_heads": values("heads", 1, 2, 3)} if draw(st.booleans()) else {"head_dim": values("heads", 2, 4, 6)}
    return StageKnobs(
        patch_size=values("patch_size", 1, 2, 3),
        embed_dim=values("embed_dim", 4, 6, 8, 12),
        depth=values("depth", 1, 2, 3),
        mlp_ratio=values("mlp", 1, 2.5, 4),
        attention=values("attention", *ATTENTIONS),
        **heads,
    )


trend_rules = st.builds(
    TrendRule,
    st.sampled_from(("patch_size", "embed_dim", "depth", "num_heads", "head_dim", "mlp_ratio", "sr_ratio")),
    st.sampled_from(("nondecreasing", "nonincreasing", "increasing", "decreasing")),
)


@st.composite
def spaces(draw: st.DrawFn, *, max_stages: int = 3) -> SearchSpace:
    """A search space small enough to enumerate, with rules, and with choices of network-wide parts."""
    try:
        return SearchSpace(
            stages=tuple(draw(st.lists(stage_knobs(), min_size=1, max_size=max_stages))),
            network={
                "patch_embed": draw(some("plain", "overlap")),
                "position": draw(some("learned", "none", most=1)),
                "pool": draw(some("cls", "mean")),
                "mlp": draw(some("plain", "conv", most=1)),
            },
            rules=tuple(draw(st.lists(trend_rules, max_size=2, unique=True))),
            image_size=draw(st.sampled_from((12, 17))),
            num_classes=draw(st.sampled_from((0, 5))),
        )
    except SpaceError:  # every choice of the network-wide parts was illegal, such as cls with a conv MLP
        return draw(spaces(max_stages=max_stages))


image_sizes: st.SearchStrategy[ImageSize] = st.sampled_from(((12, 12), (17, 17), (9, 20), (24, 13)))
tasks: st.SearchStrategy[Task] = st.sampled_from(("classification", "backbone"))

memory_settings: st.SearchStrategy[MemorySetting] = st.builds(
    MemorySetting,
    batch_size=st.integers(1, 8),
    dtype=st.sampled_from(list(ELEMENT_BYTES)),
    attention=st.sampled_from(("fused", "explicit")),
    optimizer=st.sampled_from(("none", "sgd", "adamw")),
)


def every_config(space: SearchSpace, image_size: ImageSize) -> list[PVTConfig]:
    """All legal, distinct configurations, by trying every combination of values."""
    found = []
    for network in product(*space.network.values()):
        parts = dict(zip(space.network, network, strict=True))
        for values in product(*(product(*knobs.by_name().values()) for knobs in space.stages)):
            try:
                stages = tuple(
                    knobs.stage(dict(zip(knobs.by_name(), point, strict=True)))
                    for knobs, point in zip(space.stages, values, strict=True)
                )
                config = PVTConfig(
                    stages=stages,
                    name=space.name,
                    image_size=space.image_size,
                    num_classes=space.num_classes,
                    in_chans=space.in_chans,
                    **parts,
                )
                config.grids(image_size)
            except ConfigError:
                continue
            if obeys(config, space):
                found.append(config)
    assert len(set(found)) == len(found)
    return found


def obeys(config: PVTConfig, space: SearchSpace) -> bool:
    """Whether neighbouring stages follow every rule between them."""
    compare = {
        "nondecreasing": lambda a, b: a <= b,
        "nonincreasing": lambda a, b: a >= b,
        "increasing": lambda a, b: a < b,
        "decreasing": lambda a, b: a > b,
    }
    for rule in space.rules:
        assert not isinstance(rule, ShareRule)
        for before, after in pairwise(config.stages):
            values = ruled_value(before, rule.knob), ruled_value(after, rule.knob)
            if None not in values and not compare[rule.trend](*values):
                return False
    return True


@st.composite
def limited_problems(draw: st.DrawFn, *, peaks: bool = True) -> tuple[Problem, list[PVTConfig]]:
    """A problem with limits on networks and on a stage, and all configurations within them, in the order of points.

    peaks: with memory among the metrics.
    """
    space, image_size, task = draw(spaces()), draw(image_sizes), draw(tasks)
    configs = every_config(space, image_size)
    assume(configs)
    costing = every_metric(task, draw(memory_settings)) if peaks else Costing()
    costs = [analytic_cost(config, image_size, task, costing) for config in configs]
    limited = sorted(draw(st.sets(st.sampled_from(costing.metrics))))
    limits = {
        name: max(1, draw(st.sampled_from([c[name] for c in costs])) + draw(st.integers(-1, 1))) for name in limited
    }
    stage = draw(st.integers(0, len(space.stages) - 1))
    bound = draw(st.sampled_from((None, *(pvt_cost(c, image_size, task).stages[stage].macs for c in configs))))
    stage_limits = () if bound is None else (StageLimit(stage, "macs", 0, int(bound)),)
    problem = Problem(space, image_size, task, Budget(limits), stage_limits, costing)
    return problem, [
        config
        for config, cost in zip(configs, costs, strict=True)
        if problem.budget.admits(cost)
        and (bound is None or pvt_cost(config, image_size, task).stages[stage].macs <= bound)
    ]
