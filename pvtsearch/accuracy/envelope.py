"""The region in which the prior may be trusted: around the published PVT networks nearest the budget.

Any single score maximised over a wide space ends in a corner. So each stage's width, depth, MLP ratio and share of the
MACs must stay near those of the published networks on either side of the budget, interpolated in log MACs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.config import ImageSize, PVTConfig, Task
from pvtsearch.errors import InputError
from pvtsearch.presets import PRESETS, V1_PRESETS, V2_PRESETS

SLACK = 0.25
FAMILIES = (V1_PRESETS, V2_PRESETS)
QUANTITIES = ("embed_dim", "depth", "mlp_ratio", "macs")


@dataclass(frozen=True)
class Interval:
    """Lower and upper bound, ends included."""

    lower: float
    upper: float


StageEnvelope = dict[str, Interval]  # QUANTITIES -> interval; macs as a share of the budget's limit


@dataclass(frozen=True)
class _Anchor:
    """A published network: its MACs, and per stage the QUANTITIES, macs as a share of its own total."""

    macs: int
    stages: tuple[tuple[float, ...], ...]


def envelope(macs_limit: int, image_size: ImageSize, task: Task = "classification") -> tuple[StageEnvelope, ...]:
    """Per stage, the interval of each quantity that the prior is trusted in, under a limit on MACs.

    Each family (PVT v1, PVT v2) that reaches the budget, give or take 25 %, is interpolated in log MACs between its two
    networks on either side; the intervals span the families and are widened by 25 %.
    Raises `InputError` where the budget lies outside what was published.
    """
    families = [_anchors(names, image_size, task) for names in FAMILIES]
    reached = [_interpolated(anchors, macs_limit) for anchors in families if _reaches(anchors, macs_limit)]
    if not reached:
        smallest = min(anchors[0].macs for anchors in families) / (1 + SLACK)
        largest = max(anchors[-1].macs for anchors in families) * (1 + SLACK)
        raise InputError(
            f"the prior is known for {smallest / 1e9:.3g} to {largest / 1e9:.3g} GMACs at "
            f"{image_size[0]}x{image_size[1]} (around the published PVT networks), got a limit of "
            f"{macs_limit / 1e9:.3g} GMACs: give --extrapolate (in Python extrapolate=True) to use it all the same"
        )
    return tuple(_stage_envelope([stages[i] for stages in reached]) for i in range(len(reached[0])))


def _stage_envelope(stages: Sequence[Sequence[float]]) -> StageEnvelope:
    columns = zip(*stages, strict=True)
    return {
        name: Interval(min(values) * (1 - SLACK), max(values) * (1 + SLACK))
        for name, values in zip(QUANTITIES, columns, strict=True)
    }


def _anchors(names: Sequence[str], image_size: ImageSize, task: Task) -> list[_Anchor]:
    configs = [PRESETS[name].config for name in names]
    anchors = [_anchor(config, image_size, task) for config in configs if isinstance(config, PVTConfig)]
    return sorted(anchors, key=lambda anchor: anchor.macs)


def _anchor(config: PVTConfig, image_size: ImageSize, task: Task) -> _Anchor:
    cost = network_cost(config, image_size, task)
    macs = cost.total.macs
    rows = zip(config.stages, cost.stages, strict=True)
    return _Anchor(macs, tuple((s.embed_dim, s.depth, s.mlp_ratio, layers.macs / macs) for s, layers in rows))


def _reaches(anchors: Sequence[_Anchor], macs: int) -> bool:
    return anchors[0].macs <= macs * (1 + SLACK) and macs <= anchors[-1].macs * (1 + SLACK)


def _interpolated(anchors: Sequence[_Anchor], macs: int) -> tuple[tuple[float, ...], ...]:
    """Stages at a number of MACs; beyond the ends, the end network itself."""
    if macs <= anchors[0].macs:
        return anchors[0].stages
    for below, above in pairwise(anchors):
        if macs <= above.macs:
            weight = math.log(macs / below.macs) / math.log(above.macs / below.macs)
            return tuple(
                tuple((1 - weight) * b + weight * a for b, a in zip(*stages, strict=True))
                for stages in zip(below.stages, above.stages, strict=True)
            )
    return anchors[-1].stages
