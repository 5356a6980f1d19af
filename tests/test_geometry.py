"""Shape arithmetic: its rounding, and one spelling for ints, arrays and symbols."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from pvtsearch.geometry import Grid, PatchEmbed, embedded_grid, patch_kernel, reduced_grid

sides = st.integers(1, 500)
ratios = st.integers(1, 16)


def convolved(side: int, *, kernel: int, stride: int, padding: int) -> int:
    """Output side of a convolution, by its definition: how often the kernel fits."""
    return len(range(0, side + 2 * padding - kernel + 1, stride))


@given(sides, sides, ratios)
def test_plain_rounds_down_and_overlap_rounds_up(height: int, width: int, patch: int) -> None:
    """Both are what a convolution with the kernel and padding of that kind writes."""
    for kind, padding in zip(get_args(PatchEmbed), (0, patch - 1), strict=True):
        kernel = patch_kernel(patch, kind)
        grid = embedded_grid(Grid(height, width), patch, kind)
        assert grid == tuple(convolved(side, kernel=kernel, stride=patch, padding=padding) for side in (height, width))


@given(sides, sides, ratios)
def test_reduction_rounds_each_side_down(height: int, width: int, ratio: int) -> None:
    """A convolution without padding, kernel and stride the ratio."""
    expected = tuple(convolved(side, kernel=ratio, stride=ratio, padding=0) for side in (height, width))
    assert reduced_grid(Grid(height, width), ratio) == expected


@pytest.mark.parametrize(("patch", "kernel"), [(4, 7), (2, 3), (1, 1)])
def test_overlapping_kernels_are_those_of_pvt_v2(patch: int, kernel: int) -> None:
    """2 s - 1 (PVT v2, section 3.2): 7 for stage 1, 3 for the others."""
    assert patch_kernel(patch, "overlap") == kernel


def test_tokens_are_no_side() -> None:
    """Their number is height * width."""
    assert Grid(3, 5).tokens == 15
    assert str(Grid(3, 5)) == "3x5"


def test_arrays_and_symbols_go_through_the_same_spelling() -> None:
    """Arrays element by element, symbols after substitution, == ints."""
    heights = np.arange(1, 60)
    for kind in get_args(PatchEmbed):
        grid = embedded_grid(Grid(heights, 7), 4, kind)
        assert [embedded_grid(Grid(int(h), 7), 4, kind).height for h in heights] == grid.height.tolist()
        height = sympy.Symbol("H", integer=True, positive=True)
        formula = embedded_grid(Grid(height, 7), 4, kind).height
        assert [formula.subs(height, int(h)) for h in heights] == grid.height.tolist()
