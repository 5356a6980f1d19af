"""Initial values, as in the official code of the part concerned.

Linear layers, position embeddings and the class token: normal, std 0.02, truncated. Convolutions of PVT v1's
parts keep torch's default; those of PVT v2's parts (overlapping patch embedding, the MLP's depthwise convolution,
pooled reduction) are normal with std sqrt(2 / fan_out). The convolution of a spatial reduction occurs in both: it
follows the network's patch embedding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, assert_never

from torch import Tensor, nn

from pvtsearch.geometry import PatchEmbed

ConvInit: TypeAlias = Callable[[nn.Conv2d], None]


def truncated_normal(tensor: Tensor) -> None:
    """Fill a tensor: std 0.02, cut at -2 and 2."""
    nn.init.trunc_normal_(tensor, std=0.02)


def init_linear(layer: nn.Linear) -> None:
    """Truncated normal weights, zero bias."""
    truncated_normal(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)


def keep_torch_default(conv: nn.Conv2d) -> None:
    """PVT v1: a convolution stays as torch made it."""


def fan_out_normal(conv: nn.Conv2d) -> None:
    """PVT v2: normal weights of std sqrt(2 / fan_out), fan_out = kh * kw * out_channels / groups; zero bias."""
    fan_out = conv.kernel_size[0] * conv.kernel_size[1] * conv.out_channels // conv.groups
    nn.init.normal_(conv.weight, std=(2.0 / fan_out) ** 0.5)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


def conv_init_of(patch_embed: PatchEmbed) -> ConvInit:
    """The rule for the convolutions that a network has in either version: its patch embedding decides."""
    match patch_embed:
        case "plain":
            return keep_torch_default
        case "overlap":
            return fan_out_normal
        case _:
            assert_never(patch_embed)
