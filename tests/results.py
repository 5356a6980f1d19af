"""Search results of any size, made of real configurations and their real costs, for the tests of what shows them."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Sequence

from pvtsearch.accuracy.frame import frame_of
from pvtsearch.accuracy.prior import prior_score
from pvtsearch.analysis.baselines import network_cost
from pvtsearch.config import PVTConfig, SpatialReduction, StageConfig
from pvtsearch.cost import Budget
from pvtsearch.records import Objective, SearchResult, TrialRecord
from pvtsearch.search.quality import quality_of

PRIOR_AND_MACS = (Objective("prior", "maximize"), Objective("macs", "minimize"))
RESNET50 = Budget({"params": 25_557_032, "macs": 4_089_184_256}, source="resnet50")
FRAME = frame_of((224, 224), "classification", RESNET50.limits, 4)


def pyramid(widths: Sequence[int], depths: Sequence[int], mlp_ratios: Sequence[int], *, name: str = "pvt") -> PVTConfig:
    """A PVT v1 of head dim 32 with these settings by stage."""
    stages = zip((4, 2, 2, 2), widths, depths, mlp_ratios, (8, 4, 2, 1), strict=True)
    return PVTConfig(
        name=name, stages=tuple(StageConfig(p, c, d, c // 32, m, SpatialReduction(r)) for p, c, d, m, r in stages)
    )


def pyramids() -> Iterable[PVTConfig]:
    """Some 20,000 distinct pyramids around PVT-Small; neighbours differ much, so that a prefix is spread out."""
    widths = ((32, 64, 96), (64, 96, 128, 160), (160, 192, 256, 320), (256, 384, 512))
    depths = ((2, 3), (2, 3, 4), (2, 4, 6, 8), (2, 3))
    mlp_ratios = ((8, 8, 4, 4), (4, 4, 4, 4), (8, 8, 6, 4))
    points = list(itertools.product(itertools.product(*widths), itertools.product(*depths), mlp_ratios))
    for index in range(len(points)):
        yield pyramid(*points[index * 7919 % len(points)])


def record(trial: int, config: PVTConfig) -> TrialRecord:
    """A trial with the real cost of config at 224 x 224, and its prior score."""
    cost = network_cost(config, (224, 224)).total
    return TrialRecord(
        trial, config, {"params": int(cost.params), "macs": int(cost.macs)}, {"prior": prior_score(config, FRAME)}
    )


def front_of(records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    """The records that no other beats in prior and MACs at once, by rising MACs."""
    front: list[TrialRecord] = []
    for candidate in sorted(records, key=lambda r: (r.cost["macs"], -r.scores["prior"])):
        if not front or candidate.scores["prior"] > front[-1].scores["prior"]:
            front.append(candidate)
    return tuple(front)


def result_of(configs: Iterable[PVTConfig], *, budget: Budget = RESNET50, trials: int | None = None) -> SearchResult:
    """The result of a search that evaluated the configs within budget, or as many of them as trials says."""
    evaluated = (record(trial, config) for trial, config in enumerate(configs))
    admitted = tuple(itertools.islice((r for r in evaluated if budget.admits(r.cost)), trials))
    return SearchResult(
        space="pvt_v1",
        space_size=123_456_789_012_345,
        image_size=(224, 224),
        task="classification",
        budget=budget,
        objectives=PRIOR_AND_MACS,
        method="optuna",
        sampler="NSGAIISampler",
        seed=7,
        records=admitted,
        front=front_of(admitted),
        extrapolated=False,
        circumstances={
            "command": "pvtsearch search pvt_v1 --budget resnet50 --match params,macs --trials 1000 --seed 7",
            "versions": {"pvtsearch": "0.1.0", "optuna": "5.0.0"},
            "dropped": 1234,
        },
    )


@functools.cache
def search_result(trials: int) -> SearchResult:
    """A result with this many trials, all of them within the budget of ResNet-50."""
    return result_of(pyramids(), trials=trials)


@functools.cache
def compared_result(trials: int) -> SearchResult:
    """A result with this many trials and the front of ten times as many in the place of the exact one."""
    result, more = search_result(trials), search_result(10 * trials)
    return dataclasses.replace(result, quality=quality_of(result.records, more.front, result.objectives, result.budget))


def renamed(result: SearchResult, name: str) -> SearchResult:
    """Result with every configuration and the space called name."""

    def rename(records: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
        return tuple(dataclasses.replace(r, config=dataclasses.replace(r.config, name=name)) for r in records)

    return dataclasses.replace(result, space=name, records=rename(result.records), front=rename(result.front))
