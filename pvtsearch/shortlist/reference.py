"""The known shape that a search is held against: PVT-Small, made narrower until it is within the limits."""

from __future__ import annotations

from dataclasses import replace

from pvtsearch.analysis.metrics import analytic_cost
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.errors import ConfigError
from pvtsearch.presets import PRESETS
from pvtsearch.search.problem import Problem

REFERENCE = "pvt_small"


def reference_for(problem: Problem) -> PVTConfig | None:
    """PVT-Small with the widest heads that the limits allow; None where even heads of one channel are too wide.

    Depths, numbers of heads, MLP ratios and reductions are its own; all widths scale with the heads' (64 in PVT-Small).
    """
    known = PRESETS[REFERENCE].config
    if not isinstance(known, PVTConfig):
        raise TypeError(REFERENCE)
    side = problem.image_size[0]
    for channels in range(known.stages[0].head_dim, 0, -1):
        try:
            narrowed = replace(
                known,
                name=f"{REFERENCE} scaled to heads of {channels}",
                image_size=side,
                stages=tuple(_narrowed(stage, channels) for stage in known.stages),
            )
            cost = analytic_cost(narrowed, problem.image_size, problem.task, problem.costing)
        except ConfigError:  # the input is too small for PVT-Small's reductions
            return None
        if problem.budget.admits(cost):
            return narrowed
    return None


def _narrowed(stage: StageConfig, channels: int) -> StageConfig:
    return replace(stage, embed_dim=stage.num_heads * channels)
