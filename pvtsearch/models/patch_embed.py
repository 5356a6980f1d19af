"""From a map to tokens: patch embeddings, class token, position embeddings.

PVT v1 (arXiv 2102.12122), section 3.2; PVT v2 (arXiv 2106.13797), section 3.2, overlapping patch embedding.
Shapes: B images, C embed_dim, H x W the stage's grid, N = H * W tokens.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtsearch.geometry import Grid, PatchEmbed, patch_kernel
from pvtsearch.models.initialise import conv_init_of, truncated_normal


def tokens_of(features: Tensor) -> Tensor:
    """Tokens of a map: B C H W -> B N C, row by row."""
    return features.flatten(2).transpose(1, 2)


def map_of(tokens: Tensor, grid: Grid) -> Tensor:
    """Map of tokens: B N C -> B C H W, a view that convolutions take as channels-last for a single image too."""
    return tokens.reshape(tokens.shape[0], grid.height, grid.width, -1).permute(0, 3, 1, 2)


class PatchEmbedding(nn.Module):
    """A strided convolution to tokens, then `norm` (LayerNorm or identity)."""

    def __init__(
        self, in_chans: int, embed_dim: int, *, patch_size: int, patch_embed: PatchEmbed, norm: nn.Module
    ) -> None:
        super().__init__()
        kernel = patch_kernel(patch_size, patch_embed)
        self.proj = nn.Conv2d(in_chans, embed_dim, kernel, stride=patch_size, padding=(kernel - patch_size))
        self.norm = norm
        conv_init_of(patch_embed)(self.proj)

    def forward(self, images: Tensor) -> tuple[Tensor, Grid]:
        """B in_chans h w -> B N C and the grid."""
        features = self.proj(images)
        return self.norm(tokens_of(features)), Grid(features.shape[2], features.shape[3])


class ClassToken(nn.Module):
    """Puts one learned token before the others: B N C -> B N+1 C."""

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.zeros(1, 1, embed_dim))
        truncated_normal(self.embedding)

    def forward(self, tokens: Tensor) -> Tensor:
        """Token 0 is the class token."""
        return torch.cat((self.embedding.expand(tokens.shape[0], -1, -1), tokens), dim=1)


class RowByRow(nn.Module):
    """Puts tokens in their own order in memory, where a convolution wrote them channel by channel: B N C -> B N C."""

    def forward(self, tokens: Tensor) -> Tensor:
        """The same tokens."""
        return tokens.contiguous()


class LearnedPosition(nn.Module):
    """Adds a position embedding learned for one grid; another grid gets it interpolated bilinearly.

    class_entry: rows that the parameter holds before those of the grid, 0 or 1.
    class_token: rows of these that are added to a token. A backbone keeps its class entry unused, as the
    official detection code does. Grids are compared as (H, W), stage by stage: the official code compares every
    stage's token count with stage 1's, which fails where a later stage happens to have as many (448 x 448).
    """

    def __init__(self, embed_dim: int, *, learned: Grid, class_entry: int, class_token: int) -> None:
        super().__init__()
        self.learned = learned
        self.class_token = class_token
        self.first = class_entry - class_token
        self.embedding = nn.Parameter(torch.zeros(1, class_entry + learned.tokens, embed_dim))
        truncated_normal(self.embedding)

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B N C -> B N C, N including a class token."""
        return tokens + self.at(grid)

    def at(self, grid: Grid) -> Tensor:
        """The embedding for a grid, 1 N C; the class token's entry is kept as it is."""
        used = self.embedding[:, self.first :]
        if grid == self.learned:
            return used
        resized = F.interpolate(
            map_of(used[:, self.class_token :], self.learned),
            size=(grid.height, grid.width),
            mode="bilinear",
            align_corners=False,
        )
        if not self.class_token:
            return tokens_of(resized)
        return torch.cat((used[:, : self.class_token], tokens_of(resized)), dim=1)


class NoPosition(nn.Module):
    """Adds nothing."""

    def forward(self, tokens: Tensor, grid: Grid) -> Tensor:
        """B N C -> B N C."""
        return tokens
