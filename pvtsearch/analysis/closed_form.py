"""PVT in closed form: parameters and operations of every layer, stage and network, for ONE image.

Letters: N tokens, M reduced tokens, C embed_dim, E hidden width of the MLP, H x W grid.
Sources: PVT v1 (arXiv 2102.12122), section 3; PVT v2 (arXiv 2106.13797), section 3; both as the official
code implements them. The formulas take ints, numpy integer arrays or sympy symbols; see `StageShape`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, assert_never

from pvtsearch.analysis.layers import LayerCost, conv2d, layer_norm, linear, relu, total
from pvtsearch.analysis.shapes import Pooled, Reduction, StageShape, Strided, shape_of
from pvtsearch.config import (
    ImageSize,
    Mlp,
    PVTConfig,
    Task,
)
from pvtsearch.geometry import Grid, Number, patch_kernel, reduced_grid


class Reduced(NamedTuple):
    """What keys and values are made of: how many tokens, what making them costs.

    rectified: ReLUs that the stage's convolutional MLPs have before their convolution, 0 or 1.
    """

    tokens: Number
    cost: LayerCost
    rectified: int


@dataclass(frozen=True)
class NetworkCost:
    """Cost by stage and of the head; stages + head == total."""

    stages: tuple[LayerCost, ...]
    head: LayerCost

    @property
    def total(self) -> LayerCost:
        """Cost of the whole network."""
        return total((*self.stages, self.head))


def spatial_reduction(sr_ratio: Number, grid: Grid, embed_dim: Number) -> Reduced:
    """PVT v1's SRA: a strided convolution, then a LayerNorm; at ratio 1 there is neither."""
    tokens = reduced_grid(grid, sr_ratio).tokens
    layers = conv2d(embed_dim, embed_dim, kernel=sr_ratio, positions=tokens) + layer_norm(embed_dim, tokens=tokens)
    return Reduced(tokens, ((sr_ratio > 1) * 1) * layers, rectified=0)


def pooled_reduction(pool_size: Number, grid: Grid, embed_dim: Number) -> Reduced:
    """PVT v2's linear SRA: average pooling, a 1x1 convolution, then LayerNorm and GELU."""
    tokens = pool_size * pool_size
    pool = LayerCost(adaptive_avg_pool2d=embed_dim * grid.tokens)
    layers = conv2d(embed_dim, embed_dim, kernel=1, positions=tokens) + layer_norm(embed_dim, tokens=tokens)
    return Reduced(tokens, pool + layers, rectified=1)


def reduced_by(reduction: Reduction, grid: Grid, embed_dim: Number) -> Reduced:
    """What a reduction makes of a grid's tokens."""
    match reduction:
        case Strided(sr_ratio):
            return spatial_reduction(sr_ratio, grid, embed_dim)
        case Pooled(pool_size):
            return pooled_reduction(pool_size, grid, embed_dim)
        case _:
            assert_never(reduction)


def patch_embedding(
    in_chans: Number, embed_dim: Number, *, kernel: Number, tokens: Number, patch_norm: bool
) -> LayerCost:
    """Convolution to tokens, and its LayerNorm where the network has one."""
    conv = conv2d(in_chans, embed_dim, kernel=kernel, positions=tokens)
    return conv + int(patch_norm) * layer_norm(embed_dim, tokens=tokens)


def learned_position(embed_dim: Number, *, learned: Grid, grid: Grid, class_token: int) -> LayerCost:
    """Position embedding made for the grid `learned`, interpolated bilinearly where the grid differs."""
    differs = ((grid.height != learned.height) | (grid.width != learned.width)) * 1
    return LayerCost(
        params=(learned.tokens + class_token) * embed_dim,
        upsample_bilinear2d=4 * grid.tokens * embed_dim * differs,
    )


def attention(
    embed_dim: Number, *, tokens: Number, reduced: Reduced, qkv_bias: bool, class_token: int = 0
) -> LayerCost:
    """Queries from N tokens, keys and values from M reduced tokens; PVT v1, equations 1 to 3.

    class_token: how many tokens of N, and as many of M, are no place of the grid.
    """
    query = linear(embed_dim, embed_dim, tokens=tokens, bias=qkv_bias)
    key_value = linear(embed_dim, 2 * embed_dim, tokens=reduced.tokens, bias=qkv_bias)
    output = linear(embed_dim, embed_dim, tokens=tokens)
    products = 2 * tokens * reduced.tokens * embed_dim
    of_grid = 2 * (tokens - class_token) * (reduced.tokens - class_token) * embed_dim
    matmul = LayerCost(matmul=products, class_token_matmul=products - of_grid)
    return query + reduced.cost + key_value + matmul + output


def mlp(kind: Mlp, embed_dim: Number, mlp_width: Number, *, tokens: Number, rectified: int) -> LayerCost:
    """Two linear layers; `conv` has a depthwise 3x3 convolution between them (PVT v2, section 3.3), or ReLU and it."""
    layers = linear(embed_dim, mlp_width, tokens=tokens) + linear(mlp_width, embed_dim, tokens=tokens)
    match kind:
        case "plain":
            return layers
        case "conv":
            weights, elements = 9 * mlp_width, mlp_width * tokens
            depthwise = LayerCost(params=weights + mlp_width, conv=weights * tokens, conv_bias=elements)
            return layers + rectified * relu(mlp_width, positions=tokens) + depthwise
        case _:
            assert_never(kind)


def stage_cost(
    config: PVTConfig, index: int, shape: StageShape, *, in_chans: Number, grid: Grid, learned: Grid, task: Task
) -> LayerCost:
    """Cost of stage `index` of a network that has `config`'s network-wide parts and a stage of this shape.

    in_chans: channels that enter; grid: the stage's own grid; learned: its grid at `config.image_size`.
    """
    channels = shape.embed_dim
    class_token = int(config.has_class_token(index, task))
    tokens = grid.tokens + class_token
    cost = patch_embedding(
        in_chans,
        channels,
        kernel=patch_kernel(shape.patch_size, config.patch_embed),
        tokens=grid.tokens,
        patch_norm=config.patch_norm,
    )
    if config.position == "learned":
        # A backbone keeps the entry that was the class token's, unused, as the official detection code does.
        entry = int(config.has_class_token(index, "classification"))
        cost += learned_position(channels, learned=learned, grid=grid, class_token=entry)
    cost += LayerCost(params=class_token * channels)
    reduced = reduced_by(shape.reduction, grid, channels)
    reduced = reduced._replace(tokens=reduced.tokens + class_token)
    block = (
        2 * layer_norm(channels, tokens=tokens)
        + attention(channels, tokens=tokens, reduced=reduced, qkv_bias=config.qkv_bias, class_token=class_token)
        + mlp(config.mlp, channels, shape.mlp_width, tokens=tokens, rectified=reduced.rectified)
    )
    blocks: LayerCost = shape.depth * block
    cost += blocks
    if config.has_end_norm(index, task):
        cost += layer_norm(channels, tokens=tokens)
    return cost


def head_cost(config: PVTConfig, embed_dim: Number, task: Task) -> LayerCost:
    """The linear classifier on one pooled token; nothing for other tasks or without classes."""
    if task != "classification" or config.num_classes == 0:
        return LayerCost()
    return linear(embed_dim, config.num_classes, tokens=1)


def pvt_cost(config: PVTConfig, image_size: ImageSize, task: Task = "classification") -> NetworkCost:
    """Cost of a PVT at an input of (height, width), which need not divide.

    Raises `ConfigError` where the input is too small for the network.
    """
    return cost_on_grids(config, config.grids(image_size), task)


def cost_on_grids(config: PVTConfig, grids: Sequence[Grid], task: Task) -> NetworkCost:
    """Cost of a PVT whose stages have these grids, in numbers or symbols."""
    widths = (config.in_chans, *(stage.embed_dim for stage in config.stages))
    learned = config.grids((config.image_size, config.image_size))
    stages = tuple(
        stage_cost(config, i, shape_of(stage), in_chans=widths[i], grid=grids[i], learned=learned[i], task=task)
        for i, stage in enumerate(config.stages)
    )
    return NetworkCost(stages, head_cost(config, widths[-1], task))
