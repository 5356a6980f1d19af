"""The shape of a network as it is drawn: what leaves every stage, of any network the project knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from pvtsearch.analysis.baselines import BASE_WIDTHS, resnet_grids
from pvtsearch.config import (
    ImageSize,
    ModelConfig,
    PooledReduction,
    PVTConfig,
    ResNetConfig,
    SpatialReduction,
    StageConfig,
)
from pvtsearch.geometry import Grid
from pvtsearch.report.quantities import plural


@dataclass(frozen=True)
class DrawnStage:
    """One stage: channels of its map, number of blocks, grid of its map, and its settings in a few words."""

    channels: int
    depth: int
    grid: Grid
    settings: str

    @property
    def in_words(self) -> str:
        """Such as: 64 channels, 3 blocks, 56 x 56."""
        blocks = plural(self.depth, "block")
        return f"{self.channels} channels, {blocks}, {self.grid.height} × {self.grid.width}"


def stage_shapes(config: ModelConfig, image_size: ImageSize) -> tuple[DrawnStage, ...]:
    """Every stage of a network at an input of (height, width). Raises `ConfigError` where the input is too small."""
    match config:
        case PVTConfig():
            return tuple(
                DrawnStage(stage.embed_dim, stage.depth, grid, settings_in_words(stage))
                for stage, grid in zip(config.stages, config.grids(image_size), strict=True)
            )
        case ResNetConfig():
            return tuple(
                DrawnStage(base * config.expansion, depth, grid, _block_in_words(config))
                for base, depth, grid in zip(BASE_WIDTHS, config.depths, resnet_grids(image_size), strict=True)
            )
        case _:
            assert_never(config)


def settings_in_words(stage: StageConfig) -> str:
    """Patch size, heads, MLP ratio and reduction of a stage, as short as a table needs: p4 h1 m8 sr 8."""
    return f"p{stage.patch_size} h{stage.num_heads} m{stage.mlp_ratio:g} {reduction_in_words(stage)}"


def reduction_in_words(stage: StageConfig) -> str:
    """How keys and values of a stage are made fewer."""
    match stage.attention:
        case SpatialReduction(sr_ratio):
            return f"sr {sr_ratio}"
        case PooledReduction(pool_size):
            return f"pool {pool_size}"
        case _:
            assert_never(stage.attention)


def _block_in_words(config: ResNetConfig) -> str:
    return config.block if config.groups == 1 else f"{config.block} g{config.groups}"


def largest(shapes: Sequence[Sequence[DrawnStage]]) -> tuple[list[int], list[int]]:
    """The most blocks and the most channels of each stage in turn, over networks of any number of stages."""
    count = max(map(len, shapes), default=0)
    stages = [[each[place] for each in shapes if place < len(each)] for place in range(count)]
    return [max(s.depth for s in each) for each in stages], [max(s.channels for s in each) for each in stages]
