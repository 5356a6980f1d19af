"""The published families: what their networks look like at any number of MACs, interpolated between neighbours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.config import ImageSize, PVTConfig, Task
from pvtsearch.errors import ConfigError
from pvtsearch.models.pit_config import PIT_PRESETS, pit_cost
from pvtsearch.presets import PRESETS, V1_PRESETS, V2_PRESETS

REACH = 0.25  # a family is known this much beyond its smallest and its largest network


class PublishedStage(NamedTuple):
    """A stage between published ones: no integers. macs is its share of the network's, 0 where nobody needs it."""

    embed_dim: float
    depth: float
    mlp_ratio: float
    macs: float


class Landmark(NamedTuple):
    """A published network: its MACs, and its stages."""

    macs: int
    stages: tuple[PublishedStage, ...]


Family = tuple[Landmark, ...]  # by rising MACs


@cache
def pvt_families(image_size: ImageSize, task: Task) -> tuple[Family, ...]:
    """PVT v1 and PVT v2 at an input size; a network that the input is too small for is left out: B2-Li takes any."""
    known = (_pvt_family(names, image_size, task) for names in (V1_PRESETS, V2_PRESETS))
    return tuple(family for family in known if family)


@cache
def pit_families() -> tuple[Family, ...]:
    """PiT, at the size that it is made for."""
    networks = (
        Landmark(
            pit_cost(config).macs, tuple(PublishedStage(s.embed_dim, s.depth, s.mlp_ratio, 0) for s in config.stages)
        )
        for config in PIT_PRESETS.values()
    )
    return (tuple(sorted(networks)),)


def reaching(families: Sequence[Family], macs: int) -> list[Family]:
    """The families that are known at a number of MACs."""
    return [
        family for family in families if family[0].macs <= macs * (1 + REACH) and macs <= family[-1].macs * (1 + REACH)
    ]


def shape_at(family: Family, macs: int) -> tuple[PublishedStage, ...]:
    """The stages of a family at a number of MACs, linear in its logarithm; beyond the ends those of the end."""
    if macs <= family[0].macs:
        return family[0].stages
    for below, above in pairwise(family):
        if macs <= above.macs:
            weight = math.log(macs / below.macs) / math.log(above.macs / below.macs)
            return tuple(_between(*stages, weight) for stages in zip(below.stages, above.stages, strict=True))
    return family[-1].stages


def typical_shape(families: Sequence[Family], macs: int) -> tuple[PublishedStage, ...]:
    """The mean of the families at a number of MACs: of those that are known there, of all where none is."""
    shapes = [shape_at(family, macs) for family in reaching(families, macs) or families]
    return tuple(_mean(stages) for stages in zip(*shapes, strict=True))


def _mean(stages: Sequence[PublishedStage]) -> PublishedStage:
    return PublishedStage(*(sum(column) / len(column) for column in zip(*stages, strict=True)))


def _between(below: PublishedStage, above: PublishedStage, weight: float) -> PublishedStage:
    return PublishedStage(*((1 - weight) * b + weight * a for b, a in zip(below, above, strict=True)))


def _pvt_family(names: Sequence[str], image_size: ImageSize, task: Task) -> Family:
    configs = [PRESETS[name].config for name in names]
    found = [_landmark(config, image_size, task) for config in configs if isinstance(config, PVTConfig)]
    return tuple(sorted(landmark for landmark in found if landmark is not None))


def _landmark(config: PVTConfig, image_size: ImageSize, task: Task) -> Landmark | None:
    try:
        cost = network_cost(config, image_size, task)
    except ConfigError:  # the input is too small for it
        return None
    macs = cost.total.macs
    rows = zip(config.stages, cost.stages, strict=True)
    return Landmark(
        macs, tuple(PublishedStage(s.embed_dim, s.depth, s.mlp_ratio, part.macs / macs) for s, part in rows)
    )
