"""Shape arithmetic of pyramids, shared by the models and the closed forms.

Every function is plain arithmetic on its arguments: Python ints for one network, numpy
integer arrays for many, polynomials for a formula.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, TypeAlias, assert_never

Number: TypeAlias = Any  # an int, a numpy integer array, or a polynomial or other symbolic expression
PatchEmbed: TypeAlias = Literal["plain", "overlap"]


class Grid(NamedTuple):
    """Height and width of a token map, in tokens."""

    height: Number
    width: Number

    @property
    def tokens(self) -> Number:
        """Height times width."""
        return self.height * self.width

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"


def patch_kernel(patch_size: Number, patch_embed: PatchEmbed) -> Number:
    """Kernel side of a patch embedding: s (plain) or 2s - 1 (overlap; PVT v2, section 3.2)."""
    match patch_embed:
        case "plain":
            return patch_size
        case "overlap":
            return 2 * patch_size - 1
        case _:
            assert_never(patch_embed)


def embedded_grid(grid: Grid, patch_size: Number, patch_embed: PatchEmbed) -> Grid:
    """Grid after a patch embedding: plain rounds down, overlap (padding s - 1) rounds up."""
    match patch_embed:
        case "plain":
            return Grid(grid.height // patch_size, grid.width // patch_size)
        case "overlap":
            return Grid(-(-grid.height // patch_size), -(-grid.width // patch_size))
        case _:
            assert_never(patch_embed)


def halved(grid: Grid) -> Grid:
    """Grid after any padded layer of stride 2 (7x7 pad 3, 3x3 pad 1, 1x1 pad 0): all round up."""
    return embedded_grid(grid, 2, "overlap")


def reduced_grid(grid: Grid, sr_ratio: Number) -> Grid:
    """Grid of keys and values after spatial reduction: a convolution without padding rounds down."""
    return Grid(grid.height // sr_ratio, grid.width // sr_ratio)
