"""The accuracy prior: a static score of a configuration, higher is better.

S, the sum of embed_dim over all blocks, put trained networks in order; outside the envelope it is an extrapolation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pvtsearch.config import PVTConfig
from pvtsearch.geometry import Number

if TYPE_CHECKING:
    from pvtsearch.models.pit_config import PiTConfig


def stage_score(depth: Number, embed_dim: Number) -> Number:
    """A stage's part of the prior."""
    return depth * embed_dim


def prior_score(config: PVTConfig | PiTConfig) -> int:
    """The prior of a configuration: the sum over all blocks of their embed_dim."""
    return sum(int(stage_score(stage.depth, stage.embed_dim)) for stage in config.stages)
