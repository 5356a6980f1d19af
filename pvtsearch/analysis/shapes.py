"""The numbers of a stage as every closed form takes them: ints, or arrays over many stages of one kind of attention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias, assert_never

from pvtsearch.config import Attention, PooledReduction, SpatialReduction, StageConfig
from pvtsearch.geometry import Number


class Strided(NamedTuple):
    """Spatial reduction by a strided convolution; there is none at ratio 1."""

    sr_ratio: Number


class Pooled(NamedTuple):
    """Reduction to a fixed grid by average pooling."""

    pool_size: Number


Reduction: TypeAlias = Strided | Pooled


@dataclass(frozen=True)
class StageShape:
    """Names as in `StageConfig`."""

    patch_size: Number
    embed_dim: Number
    depth: Number
    num_heads: Number
    mlp_width: Number
    reduction: Reduction


def reduction_of(attention: Attention) -> Reduction:
    """The reduction an attention type stands for."""
    match attention:
        case SpatialReduction(sr_ratio):
            return Strided(sr_ratio)
        case PooledReduction(pool_size):
            return Pooled(pool_size)
        case _:
            assert_never(attention)


def shape_of(stage: StageConfig) -> StageShape:
    """The numbers of one stage."""
    return shape_from(vars(stage) | {"mlp_width": stage.mlp_width}, reduction_of(stage.attention))


def shape_from(numbers: Mapping[str, Number], reduction: Reduction) -> StageShape:
    """A shape from columns by name; others are left alone."""
    names = ("patch_size", "embed_dim", "depth", "num_heads", "mlp_width")
    return StageShape(**{name: numbers[name] for name in names}, reduction=reduction)
