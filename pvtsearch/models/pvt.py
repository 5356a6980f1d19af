"""Pyramid vision transformers: PVT v1 (arXiv 2102.12122), PVT v2 (arXiv 2106.13797), mixes of their parts, ViT.

Shapes: B images, C embed_dim of a stage, H x W its grid, N = H * W tokens (one more with a class token).
Every choice is made while building; `forward` runs straight.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from itertools import accumulate
from operator import mul
from typing import Literal, TypeAlias, assert_never, get_args, overload

from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from pvtsearch.config import AttentionKernel, NetworkTask, PVTConfig, StageConfig, Task, check_choice
from pvtsearch.errors import ConfigError
from pvtsearch.geometry import Grid
from pvtsearch.models.attention import INNER_EPS, ReducedAttention, build_reduction
from pvtsearch.models.initialise import conv_init_of, init_linear
from pvtsearch.models.mlp import build_mlp
from pvtsearch.models.patch_embed import ClassToken, LearnedPosition, NoPosition, PatchEmbedding, RowByRow, map_of

OUTER_EPS = 1e-6  # of the norms in blocks and at the end of a stage


class Block(nn.Module):
    """Pre-norm block: tokens + attention(norm1), then + mlp(norm2), each residual under stochastic depth."""

    def __init__(
        self, embed_dim: int, *, attn: nn.Module, mlp: nn.Module, norm_eps: float, drop_path_rate: float
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dim, eps=norm_eps)
        self.attn = attn
        self.norm2 = nn.LayerNorm(embed_dim, eps=norm_eps)
        self.mlp = mlp
        self.drop_path = StochasticDepth(drop_path_rate, mode="row") if drop_path_rate else nn.Identity()

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B N C -> B N C."""
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens), grid))
        tokens = tokens + self.drop_path(self.mlp(self.norm2(tokens), grid))
        return tokens


class ToMap(nn.Module):
    """Ends a stage with its map: B N C -> B C H W."""

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B N C -> B C H W."""
        return map_of(tokens, grid)


class TakeClassToken(nn.Module):
    """Ends a network with its class token: B N+1 C -> B C."""

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B N+1 C -> B C."""
        return tokens[:, 0]


class MeanOfTokens(nn.Module):
    """Ends a network with the mean of its tokens: B N C -> B C."""

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B N C -> B C."""
        return tokens.mean(dim=1)


class Stage(nn.Module):
    """Patch embedding, class token, positions, blocks, end norm, and `finish`, which shapes the output."""

    def __init__(
        self,
        *,
        patch_embed: nn.Module,
        class_token: nn.Module,
        position: nn.Module,
        blocks: nn.ModuleList,
        norm: nn.Module,
        finish: nn.Module,
    ) -> None:
        super().__init__()
        self.patch_embed = patch_embed
        self.class_token = class_token
        self.position = position
        self.blocks = blocks
        self.norm = norm
        self.finish = finish

    def forward(self, features: Tensor) -> Tensor:
        """B in_chans h w -> B C H W, or B C at the end of a classification network."""
        tokens, grid = self.patch_embed(features)
        tokens = self.position(self.class_token(tokens), grid)
        for block in self.blocks:
            tokens = block(tokens, grid)
        finished: Tensor = self.finish(self.norm(tokens), grid)
        return finished


def _build_position(config: PVTConfig, index: int, task: Task) -> nn.Module:
    match config.position:
        case "none":
            return NoPosition()
        case "learned":
            return LearnedPosition(
                config.stages[index].embed_dim,
                learned=config.grids((config.image_size, config.image_size))[index],
                class_entry=int(config.has_class_token(index, "classification")),
                class_token=int(config.has_class_token(index, task)),
            )
        case _:
            assert_never(config.position)


def _build_class_token(config: PVTConfig, index: int, task: Task) -> nn.Module:
    if config.has_class_token(index, task):
        return ClassToken(config.stages[index].embed_dim)
    return RowByRow() if index == 0 and not config.patch_norm else nn.Identity()


def _build_finish(config: PVTConfig, index: int, task: Task) -> nn.Module:
    if task == "backbone" or index < len(config.stages) - 1:
        return ToMap()
    match config.pool:
        case "cls":
            return TakeClassToken()
        case "mean":
            return MeanOfTokens()
        case _:
            assert_never(config.pool)


def _build_block(
    config: PVTConfig, stage: StageConfig, *, norm_eps: float, drop_path_rate: float, attention: AttentionKernel
) -> Block:
    reduce = build_reduction(
        stage.attention, stage.embed_dim, norm_eps=config.norm_eps, conv_init=conv_init_of(config.patch_embed)
    )
    return Block(
        stage.embed_dim,
        attn=ReducedAttention(
            stage.embed_dim,
            num_heads=stage.num_heads,
            qkv_bias=config.qkv_bias,
            reduce=reduce,
            attention=attention,
        ),
        mlp=build_mlp(config.mlp, stage.embed_dim, stage.mlp_width, attention=stage.attention),
        norm_eps=norm_eps,
        drop_path_rate=drop_path_rate,
    )


def drop_path_rates(config: PVTConfig) -> list[float]:
    """One rate per block of the network, evenly from 0 to `drop_path_rate`."""
    blocks = sum(stage.depth for stage in config.stages)
    return [config.drop_path_rate * block / max(blocks - 1, 1) for block in range(blocks)]


def build_stages(config: PVTConfig, *, task: Task, attention: AttentionKernel) -> nn.ModuleList:
    """The stages of a network, in order."""
    inner_eps = INNER_EPS if config.norm_eps is None else config.norm_eps
    outer_eps = OUTER_EPS if config.norm_eps is None else config.norm_eps
    rates = iter(drop_path_rates(config))
    stages = nn.ModuleList()
    in_chans = config.in_chans
    for index, stage in enumerate(config.stages):
        width = stage.embed_dim
        patch_norm = nn.LayerNorm(width, eps=inner_eps) if config.patch_norm else nn.Identity()
        blocks = (
            _build_block(config, stage, norm_eps=outer_eps, drop_path_rate=next(rates), attention=attention)
            for _ in range(stage.depth)
        )
        stages.append(
            Stage(
                patch_embed=PatchEmbedding(
                    in_chans, width, patch_size=stage.patch_size, patch_embed=config.patch_embed, norm=patch_norm
                ),
                class_token=_build_class_token(config, index, task),
                position=_build_position(config, index, task),
                blocks=nn.ModuleList(blocks),
                norm=nn.LayerNorm(width, eps=outer_eps) if config.has_end_norm(index, task) else nn.Identity(),
                finish=_build_finish(config, index, task),
            )
        )
        in_chans = width
    return stages


def smallest_side(config: PVTConfig) -> int:
    """The smallest legal side of an input, in pixels: what is legal at a side is legal at every larger one."""

    def legal(side: int) -> bool:
        try:
            config.grids((side, side))
        except ConfigError:
            return False
        return True

    return bisect.bisect_left(range(config.image_size + 1), True, key=legal)


class InputCheck(nn.Module):
    """Raises `ConfigError` for an input too small for the network, before torch raises something else."""

    def __init__(self, config: PVTConfig) -> None:
        super().__init__()
        self.config = config
        self.smallest_side = smallest_side(config)

    def forward(self, images: Tensor) -> Tensor:
        """B in_chans h w, unchanged."""
        if min(images.shape[-2:]) < self.smallest_side:
            self.config.grids((images.shape[-2], images.shape[-1]))
        return images


class PVTClassifier(nn.Module):
    """A pyramid that ends in class scores, or in pooled features where `num_classes` is 0.

    channels, strides: of every stage's map; strides in pixels.
    """

    def __init__(self, config: PVTConfig, *, attention: AttentionKernel) -> None:
        super().__init__()
        self.config = config
        self.channels = [stage.embed_dim for stage in config.stages]
        self.strides = list(accumulate((stage.patch_size for stage in config.stages), mul))
        self.check = InputCheck(config)
        self.stages = build_stages(config, task="classification", attention=attention)
        self.head: nn.Module = nn.Identity()
        if config.num_classes:
            self.head = nn.Linear(self.channels[-1], config.num_classes)
            init_linear(self.head)

    def forward(self, images: Tensor) -> Tensor:
        """B in_chans h w -> B num_classes, or B C."""
        features = self.check(images)
        for stage in self.stages:
            features = stage(features)
        scores: Tensor = self.head(features)
        return scores


class PVTBackbone(nn.Module):
    """A pyramid that gives the map of every stage, as the official detection code.

    channels, strides: of every stage's map; strides in pixels.
    """

    def __init__(self, config: PVTConfig, *, attention: AttentionKernel) -> None:
        super().__init__()
        self.config = config
        self.channels = [stage.embed_dim for stage in config.stages]
        self.strides = list(accumulate((stage.patch_size for stage in config.stages), mul))
        self.check = InputCheck(config)
        self.stages = build_stages(config, task="backbone", attention=attention)

    def forward(self, images: Tensor) -> list[Tensor]:
        """B in_chans h w -> one B C H W per stage."""
        return list(self._maps(self.check(images)))

    def _maps(self, features: Tensor) -> Iterator[Tensor]:
        for stage in self.stages:
            features = stage(features)
            yield features


PVT: TypeAlias = PVTClassifier | PVTBackbone


@overload
def build_pvt(
    config: PVTConfig, *, task: Literal["classification"] = ..., attention: AttentionKernel = ...
) -> PVTClassifier: ...
@overload
def build_pvt(config: PVTConfig, *, task: Literal["backbone"], attention: AttentionKernel = ...) -> PVTBackbone: ...
@overload
def build_pvt(config: PVTConfig, *, task: NetworkTask, attention: AttentionKernel = ...) -> PVT: ...
def build_pvt(config: PVTConfig, *, task: NetworkTask = "classification", attention: AttentionKernel = "fused") -> PVT:
    """The network of any legal configuration, with fresh weights from torch's global random generator.

    attention: `fused` is torch's scaled_dot_product_attention, `explicit` matmul, softmax, matmul; same numbers.
    Raises `ConfigError` for another task: those with necks and heads are `build_model`'s.
    """
    check_choice("task", task, get_args(NetworkTask))
    match task:
        case "classification":
            return PVTClassifier(config, attention=attention)
        case "backbone":
            return PVTBackbone(config, attention=attention)
        case _:
            assert_never(task)
