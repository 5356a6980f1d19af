"""PiT (arXiv 2103.16302): a ViT whose grid is halved between stages by a depthwise convolution (section 3.2).

Patches of 16 overlap by half; the class token passes a pooling through a linear layer. Shapes: B images, H x W grid,
N = HW tokens, C width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtsearch.config import AttentionKernel
from pvtsearch.geometry import Grid
from pvtsearch.models.attention import NoReduce, ReducedAttention
from pvtsearch.models.initialise import init_linear, truncated_normal
from pvtsearch.models.mlp import PlainMlp
from pvtsearch.models.pit_config import PATCH_SIZE, POOLING_KERNEL, POOLING_STRIDE, STRIDE, PiTConfig, PiTStage
from pvtsearch.models.pvt import Block

NORM_EPS = 1e-6


class Pooling(nn.Module):
    """A strided depthwise convolution for the map, a linear layer for the class token."""

    def __init__(self, embed_dim: int, out_dim: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            embed_dim, out_dim, POOLING_KERNEL, stride=POOLING_STRIDE, padding=POOLING_KERNEL // 2, groups=embed_dim
        )
        self.fc = nn.Linear(embed_dim, out_dim)
        init_linear(self.fc)

    def forward(self, features: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        """B C H W and B 1 C, both with more channels, the map with half the side."""
        return self.conv(features), self.fc(token)


class PiTBlocks(nn.Module):
    """The blocks of a stage, on the map's tokens and the class token together."""

    def __init__(self, stage: PiTStage, *, attention: AttentionKernel) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_block(stage, attention) for _ in range(stage.depth))

    def forward(self, features: Tensor, token: Tensor) -> tuple[Tensor, Tensor]:
        """B C H W and B 1 C, unchanged in shape."""
        grid = Grid(features.shape[-2], features.shape[-1])
        tokens = torch.cat([token, features.flatten(2).transpose(1, 2)], dim=1)  # B N+1 C
        for block in self.blocks:
            tokens = block(tokens, grid)
        return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, *grid), tokens[:, :1]


class PiT(nn.Module):
    """Class scores of the last class token, or the normalised token itself where `num_classes` is 0."""

    def __init__(self, config: PiTConfig, *, attention: AttentionKernel) -> None:
        super().__init__()
        first, last, side = config.stages[0].embed_dim, config.stages[-1].embed_dim, config.sides(config.image_size)[0]
        self.config = config
        self.patch_embed = nn.Conv2d(config.in_chans, first, PATCH_SIZE, stride=STRIDE)
        self.position = nn.Parameter(torch.empty(1, first, side, side))
        self.class_token = nn.Parameter(torch.empty(1, 1, first))
        truncated_normal(self.position)
        truncated_normal(self.class_token)
        self.stages = nn.ModuleList(PiTBlocks(stage, attention=attention) for stage in config.stages)
        self.poolings = nn.ModuleList(
            Pooling(before.embed_dim, after.embed_dim)
            for before, after in zip(config.stages, config.stages[1:], strict=False)
        )
        self.norm = nn.LayerNorm(last, eps=NORM_EPS)
        self.head: nn.Module = nn.Identity()
        if config.num_classes:
            self.head = nn.Linear(last, config.num_classes)
            init_linear(self.head)

    def forward(self, images: Tensor) -> Tensor:
        """B in_chans h w -> B num_classes, or B C."""
        features = self.patch_embed(images)
        features = features + self._position(features.shape[-2], features.shape[-1])
        token = self.class_token.expand(len(images), -1, -1)
        features, token = self.stages[0](features, token)
        for pooling, blocks in zip(self.poolings, self.stages[1:], strict=True):
            features, token = blocks(*pooling(features, token))
        scores: Tensor = self.head(self.norm(token[:, 0]))
        return scores

    def _position(self, height: int, width: int) -> Tensor:
        """The learned positions, interpolated to another grid."""
        if self.position.shape[-2:] == (height, width):
            return self.position
        return F.interpolate(self.position, size=(height, width), mode="bilinear")


def _block(stage: PiTStage, attention: AttentionKernel) -> Block:
    return Block(
        stage.embed_dim,
        attn=ReducedAttention(
            stage.embed_dim, num_heads=stage.num_heads, qkv_bias=True, reduce=NoReduce(), attention=attention
        ),
        mlp=PlainMlp(stage.embed_dim, stage.mlp_width),
        norm_eps=NORM_EPS,
        drop_path_rate=0.0,
    )


def build_pit(config: PiTConfig, *, attention: AttentionKernel = "fused") -> PiT:
    """The network of a configuration, with fresh weights from torch's global random generator."""
    return PiT(config, attention=attention)
