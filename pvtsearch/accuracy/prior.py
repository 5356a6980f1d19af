"""The accuracy prior: a static score of a configuration, higher is better.

S, the sum of embed_dim over all blocks, put trained networks in order; its maximum lies in a corner, for depth costs
less than it counts and the MLP ratio counts nothing. So here a stage counts what the published one at the same budget
counts in S, times how far it goes beyond that in width, depth and MLP ratio together: a mean that gains little where
one of them runs ahead of the others.

The mean is that of constant elasticity of substitution (Arrow, Chenery, Minhas and Solow 1961, Review of Economics and
Statistics 43), of elasticity 1/7.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pvtsearch.accuracy.families import PublishedStage
from pvtsearch.accuracy.frame import Frame
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.errors import ScoreError
from pvtsearch.geometry import Number

if TYPE_CHECKING:
    from pvtsearch.models.pit_config import PiTConfig, PiTStage

EXPONENT = -6
WEIGHTS = (5, 5, 1)  # of width, depth, MLP ratio


def width_sum(depth: Number, embed_dim: Number) -> Number:
    """A stage's part of S."""
    return depth * embed_dim


def width_sum_of(config: PVTConfig | PiTConfig) -> int:
    """S of a configuration."""
    stages: Sequence[StageConfig | PiTStage] = config.stages
    return sum(width_sum(stage.depth, stage.embed_dim) for stage in stages)


def stage_score(depth: Number, embed_dim: Number, mlp_ratio: Number, published: PublishedStage) -> Number:
    """A stage's part of the prior, a whole number."""
    ratios = (embed_dim / published.embed_dim, depth / published.depth, mlp_ratio / published.mlp_ratio)
    mean = sum(weight * ratio**EXPONENT for weight, ratio in zip(WEIGHTS, ratios, strict=True)) / sum(WEIGHTS)
    return np.rint(width_sum(published.depth, published.embed_dim) * mean ** (1 / EXPONENT))


def prior_score(config: PVTConfig | PiTConfig, frame: Frame) -> int:
    """The prior of a configuration: the sum over its stages.

    Raises `ScoreError` where frame has no published networks of as many stages.
    """
    stages: Sequence[StageConfig | PiTStage] = config.stages
    published = frame.published or ()
    if len(published) != len(stages):
        raise ScoreError(
            f"{config.name}: the prior compares with published pyramids of as many stages as its {len(stages)}, at a "
            "number of MACs, and there are none: width_sum needs none"
        )
    parts = (stage_score(s.depth, s.embed_dim, s.mlp_ratio, p) for s, p in zip(stages, published, strict=True))
    return sum(map(int, parts))
