"""The MLP of a block: PVT v1's two linear layers, PVT v2's with a depthwise convolution between.

PVT v2 (arXiv 2106.13797), section 3.3, convolutional feed-forward. Shapes: B images, N tokens, C embed_dim, E width.
"""

from __future__ import annotations

from typing import assert_never

from torch import Tensor, nn

from pvtsearch.config import Attention, Mlp, PooledReduction, SpatialReduction
from pvtsearch.geometry import Grid
from pvtsearch.models.initialise import fan_out_normal, init_linear
from pvtsearch.models.patch_embed import map_of, tokens_of


class PlainMlp(nn.Module):
    """Linear, GELU, linear."""

    def __init__(self, embed_dim: int, mlp_width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, mlp_width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(mlp_width, embed_dim)
        init_linear(self.fc1)
        init_linear(self.fc2)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B N C -> B N C."""
        mixed: Tensor = self.fc2(self.act(self.fc1(tokens)))
        return mixed


class ConvMlp(nn.Module):
    """Linear, `before`, depthwise 3x3 convolution over the grid, GELU, linear."""

    def __init__(self, embed_dim: int, mlp_width: int, *, before: nn.Module) -> None:
        super().__init__()
        self.fc1 = nn.Linear(embed_dim, mlp_width)
        self.before = before
        self.dwconv = nn.Conv2d(mlp_width, mlp_width, 3, padding=1, groups=mlp_width)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(mlp_width, embed_dim)
        init_linear(self.fc1)
        init_linear(self.fc2)
        fan_out_normal(self.dwconv)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B N C -> B N C, N being the grid's tokens and no class token."""
        hidden = self.before(self.fc1(tokens))  # B N E
        hidden = tokens_of(self.dwconv(map_of(hidden, grid)))
        hidden = self.act(hidden)
        mixed: Tensor = self.fc2(hidden)
        return mixed


def _before_conv(attention: Attention) -> nn.Module:
    match attention:
        case SpatialReduction():
            return nn.Identity()
        case PooledReduction():
            return nn.ReLU()
        case _:
            assert_never(attention)


def build_mlp(kind: Mlp, embed_dim: int, mlp_width: int, *, attention: Attention) -> nn.Module:
    """The MLP of a stage; with pooled reduction a ReLU stands before the convolution, as in PVT v2's B2-Li."""
    match kind:
        case "plain":
            return PlainMlp(embed_dim, mlp_width)
        case "conv":
            return ConvMlp(embed_dim, mlp_width, before=_before_conv(attention))
        case _:
            assert_never(kind)
