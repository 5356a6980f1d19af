"""Attention whose keys and values come from fewer tokens than its queries.

PVT v1 (arXiv 2102.12122), section 3.3, spatial-reduction attention; PVT v2 (arXiv 2106.13797), section 3.1,
linear SRA. Shapes: B images, N tokens, M reduced tokens, C embed_dim, h heads of width d = C / h.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, assert_never

from torch import Tensor, nn
from torch.nn import functional as F

from pvtsearch.config import Attention, AttentionKernel, PooledReduction, SpatialReduction
from pvtsearch.geometry import Grid
from pvtsearch.models.initialise import ConvInit, fan_out_normal, init_linear
from pvtsearch.models.patch_embed import map_of, tokens_of

Attend: TypeAlias = Callable[[Tensor, Tensor, Tensor, float], Tensor]
INNER_EPS = 1e-5  # of the norms after a reduction and after a patch embedding; blocks and end norms have 1e-6


def fused_attention(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """softmax(scale q k^T) v by torch's fused kernel; B h N d, B h M d, B h M d -> B h N d."""
    return F.scaled_dot_product_attention(query, key, value, scale=scale)


def explicit_attention(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """The same by matmul, softmax, matmul, which every counter can see."""
    return ((query @ key.transpose(-2, -1)) * scale).softmax(dim=-1) @ value  # no name keeps the scores alive


def kernel_of(attention: AttentionKernel) -> Attend:
    """The function that computes the products."""
    match attention:
        case "fused":
            return fused_attention
        case "explicit":
            return explicit_attention
        case _:
            assert_never(attention)


class NoReduce(nn.Module):
    """Keys and values from every token: sr_ratio 1."""

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B N C -> B N C."""
        return tokens


class SpatialReduce(nn.Module):
    """A strided convolution without padding, then LayerNorm."""

    def __init__(self, embed_dim: int, sr_ratio: int, *, norm_eps: float, conv_init: ConvInit) -> None:
        super().__init__()
        self.conv = nn.Conv2d(embed_dim, embed_dim, sr_ratio, stride=sr_ratio)
        self.norm = nn.LayerNorm(embed_dim, eps=norm_eps)
        conv_init(self.conv)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B N C -> B M C."""
        reduced: Tensor = self.norm(tokens_of(self.conv(map_of(tokens, grid))))
        return reduced


class PooledReduce(nn.Module):
    """Average pooling to a fixed grid, a 1x1 convolution, LayerNorm, GELU."""

    def __init__(self, embed_dim: int, pool_size: int, *, norm_eps: float) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(pool_size)
        self.conv = nn.Conv2d(embed_dim, embed_dim, 1)
        self.norm = nn.LayerNorm(embed_dim, eps=norm_eps)
        self.act = nn.GELU()
        fan_out_normal(self.conv)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B N C -> B M C."""
        reduced: Tensor = self.act(self.norm(tokens_of(self.conv(self.pool(map_of(tokens, grid))))))
        return reduced


def build_reduction(attention: Attention, embed_dim: int, *, norm_eps: float | None, conv_init: ConvInit) -> nn.Module:
    """The module that makes the tokens for keys and values."""
    eps = INNER_EPS if norm_eps is None else norm_eps
    match attention:
        case SpatialReduction(1):
            return NoReduce()
        case SpatialReduction(sr_ratio):
            return SpatialReduce(embed_dim, sr_ratio, norm_eps=eps, conv_init=conv_init)
        case PooledReduction(pool_size):
            return PooledReduce(embed_dim, pool_size, norm_eps=eps)
        case _:
            assert_never(attention)


class ReducedAttention(nn.Module):
    """Multi-head attention; `reduce` turns tokens and grid into the tokens for keys and values."""

    def __init__(
        self, embed_dim: int, *, num_heads: int, qkv_bias: bool, reduce: nn.Module, attention: AttentionKernel
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.scale = (embed_dim // num_heads) ** -0.5
        self.q = nn.Linear(embed_dim, embed_dim, bias=qkv_bias)
        self.kv = nn.Linear(embed_dim, 2 * embed_dim, bias=qkv_bias)
        self.proj = nn.Linear(embed_dim, embed_dim)
        self.reduce = reduce
        self.attend = kernel_of(attention)
        for layer in (self.q, self.kv, self.proj):
            init_linear(layer)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B N C -> B N C."""
        query = self.q(tokens).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)  # B h N d
        key_value = self.kv(self.reduce(tokens, grid)).unflatten(-1, (2, self.num_heads, -1))  # B M 2 h d
        key, value = key_value.permute(2, 0, 3, 1, 4).unbind(0)  # B h M d
        attended = self.attend(query, key, value, self.scale).transpose(1, 2).contiguous().flatten(2)  # B N C
        del query, key_value, key, value
        mixed: Tensor = self.proj(attended)
        return mixed
