"""Curves over the input's side, and where they cross."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvtsearch.analysis.formula import formula
from pvtsearch.analysis.profile import profile
from pvtsearch.analysis.scaling import SIDES, Crossing, Curve, crossings, curves, macs_at, memory_at
from pvtsearch.presets import PRESETS

MACS, MEMORY = curves(macs_at), curves(memory_at)
BY_MACS = {curve.network: curve.values for curve in MACS}


def test_curves_are_what_profile_says() -> None:
    """Every third side of every curve."""
    for macs, memory in zip(MACS, MEMORY, strict=True):
        for place in range(0, len(SIDES), 3):
            one = profile(PRESETS[macs.network].config, image_size=SIDES[place])
            assert one.inference
            assert (macs.values[place], memory.values[place]) == (one.macs, one.inference.peak_bytes)


def test_crossings_of_macs_are_roots_of_the_formulas() -> None:
    """Between the two polynomials in H and W the sign changes within a pixel of the side that is given."""
    found = crossings(MACS)
    assert [(c.above, c.below, round(c.side)) for c in found] == [
        ("resnet50", "pvt_v2_b2_li", 161),
        ("pvt_small", "pvt_v2_b2_li", 248),
        ("pvt_small", "resnet50", 385),
    ]
    for crossing in found:
        above, below = (formula(PRESETS[name].config).macs for name in (crossing.above, crossing.below))
        gaps = [above.at((side, side)) - below.at((side, side)) for side in (round(crossing.side) + d for d in (-1, 1))]
        assert gaps[0] < 0 < gaps[1]


def test_crossings_of_memory() -> None:
    """By side; PVT-Small needs more than ResNet-50 from 224 on, and more than ViT-Small/16 from 704 on."""
    found = [(c.above, c.below, c.between) for c in crossings(MEMORY)]
    assert len(found) == 9
    assert found[0] == ("pvt_small", "resnet50", (192, 224))
    assert ("pvt_small", "vit_small_16_768", (672, 704)) in found


def test_the_order_that_the_papers_state_but_for_vit_small_32() -> None:
    """At 1280: ViT-Small/16 > PVT-Small > ResNet-50 > PVT v2 B2-Li; ViT-Small/32 is below all at every side."""
    last = {name: values[-1] for name, values in BY_MACS.items()}
    assert sorted(last, key=last.__getitem__, reverse=True) == [
        "vit_small_16_768", "pvt_small", "resnet50", "pvt_v2_b2_li", "vit_small_32_768",
    ]  # fmt: skip
    others = [values for name, values in BY_MACS.items() if name != "vit_small_32_768"]
    assert all(min(at) > low for low, *at in zip(BY_MACS["vit_small_32_768"], *others, strict=True))


@given(st.lists(st.integers(-3, 3), min_size=len(SIDES), max_size=len(SIDES)))
def test_a_crossing_per_change_of_sign(gaps: list[int]) -> None:
    """As many as the gap changes sign, zeros passed over, each within its sides and with the larger curve above."""
    found = crossings([Curve("a", "A", tuple(10 + gap for gap in gaps)), Curve("b", "B", (10,) * len(SIDES))])
    signs = [gap > 0 for gap in gaps if gap]
    changes = [after for before, after in pairwise(signs) if before != after]
    assert [crossing.above == "a" for crossing in found] == changes
    for crossing in found:
        assert crossing.between[0] < crossing.side < crossing.between[1]
        assert crossing.value == pytest.approx(10)


def test_a_crossing_lies_where_lines_meet() -> None:
    """0 to 32 against 24 to 8: half way, at 16."""
    falling, rising = (tuple([a] + [b] * (len(SIDES) - 1)) for a, b in ((24, 8), (0, 32)))
    (found,) = crossings([Curve("falling", "", falling), Curve("rising", "", rising)])
    assert found == Crossing("rising", "falling", SIDES[:2], SIDES[0] + 16, 16)
