"""Figures as SVG: what stands where, by the scale; and documents that read as XML whatever they hold."""

from __future__ import annotations

import dataclasses
import re
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from results import compared_result, search_result
from test_page import HOSTILE

from pvtsearch.report.bars import Part, Row, Rows, dotted, stacked
from pvtsearch.report.drawing import STYLES, Drawing, document, shortened, style_of
from pvtsearch.report.drawn import drawn as figured
from pvtsearch.report.knobs import BINS, flows, knob_axes, knobs_figure, values_of
from pvtsearch.report.plane import Dots, Plane, Spot
from pvtsearch.report.plane import Path as Line
from pvtsearch.report.plane import drawn as placed
from pvtsearch.report.rows import ReportRows, report_rows
from pvtsearch.report.static_figures import static_figures
from pvtsearch.report.templates import asset
from pvtsearch.report.ticks import around, from_zero, logarithmic, short

SVG = "{http://www.w3.org/2000/svg}"
POSITIVE = st.lists(st.floats(1e-3, 1e12), min_size=1, max_size=6)


def parsed(drawn: Drawing) -> ET.Element:
    return ET.fromstring(document(drawn))  # noqa: S314  our own text


@pytest.fixture(scope="module")
def rows() -> ReportRows:
    return figured(report_rows(compared_result(120)))


# ---- colours

# Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as it is seen without one kind of cones.
SEEN = {
    "all cones": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.95047, 1, 1.08883])


def lab(colour: str, seen: Any) -> Any:
    """A colour as it is seen, in CIE L*a*b*."""
    share = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    x, y, z = np.cbrt(np.maximum(XYZ @ np.clip(np.array(seen) @ linear, 0, 1) / WHITE, 0.008856))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("seen", SEEN)
@pytest.mark.parametrize("family", ["c", "p"], ids=["curves", "parts"])
@pytest.mark.parametrize("place", [0, 1, 2], ids=["light", "dark", "print"])
def test_colours_are_told_apart(place: int, family: str, seen: str) -> None:
    """Any two colours of a figure are 20 apart (CIE 1976, where 2.3 is just seen), without one kind of cones too."""
    block = asset("palette.css").split("@media")[place]
    colours = re.findall(rf"--{family}\d: (#\w{{6}})", block)
    assert len(colours) == STYLES + 1
    apart = [np.linalg.norm(lab(a, SEEN[seen]) - lab(b, SEEN[seen])) for a, b in combinations(colours, 2)]
    assert min(apart) > 20


# ---- axes


@given(POSITIVE)
def test_axes_hold_their_values_between_round_ends(values: list[float]) -> None:
    """From 0 or around them, ticks rise by one step from end to end, and no value is outside."""
    for axis in (from_zero("x", values), around("x", values)):
        assert axis.low <= min(values) * (1 + 1e-9)
        assert axis.high >= max(values) * (1 - 1e-9)
        steps = [b - a for a, b in pairwise(axis.ticks)]
        assert steps == pytest.approx([steps[0]] * len(steps))
        assert 1 <= len(steps) <= 7
        assert axis.share(axis.low) == 0
        assert axis.share(axis.high) == 1
    assert from_zero("x", values).low == 0


@given(POSITIVE)
def test_logarithmic_axes_have_ticks_inside(values: list[float]) -> None:
    """Values far apart and values alike: at least two ticks, all of them on the axis."""
    axis = logarithmic("x", values)
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)
    assert axis.low < min(values) <= max(values) < axis.high


def test_ticks_are_short() -> None:
    """With the prefix that leaves few digits."""
    assert [short(v) for v in (0, 0.25, 20, 1500, 2e7, 4e9)] == ["0", "0.25", "20", "1.5k", "20M", "4G"]


# ---- bars and dots


def test_bars_stand_end_to_end() -> None:
    """Each begins where the one before ends, and together they are as long as their sum on the axis."""
    parts = (Part(1, 10, "ten"), Part(2, 30, "thirty"), Part(0, 20, "twenty"))
    root = parsed(stacked(Rows("x", "X", "", "ones", [Row("a", parts, "60"), Row("b", parts[:1], "10")])))
    bars = [each for each in root.iter(f"{SVG}rect") if each.find(f"{SVG}title") is not None]
    spans = [(float(each.get("x", "")), float(each.get("width", ""))) for each in bars]
    assert len(bars) == 4
    for (x, width), (after, _) in pairwise(spans[:3]):
        assert x + width == pytest.approx(after, abs=0.11)
    assert sum(width for _x, width in spans[:3]) == pytest.approx(6 * spans[3][1], abs=0.4)


def test_dots_and_intervals_stand_on_the_axis() -> None:
    """The interval of a median holds its dot."""
    root = parsed(dotted(Rows("x", "X", "", "ms", [Row("a", (Part(1, 10, "10 ms"),), "10", (9.0, 12.0))])))
    dot = next(each for each in root.iter(f"{SVG}circle"))
    interval = next(each for each in root.iter(f"{SVG}path") if "interval" in (each.get("class") or ""))
    low, high = map(float, re.findall(r"M([\d.]+) [\d.]+H([\d.]+)", interval.get("d", ""))[0])
    assert low < float(dot.get("cx", "")) < high


# ---- planes


def test_labels_meet_nothing() -> None:
    """No label lies on a dot or on another label; where there is no room there is none."""
    spots = [Spot(x, y, "", f"network {x}") for x in range(12) for y in (5, 5.2)]
    plane = Plane("p", "P", "", "", around("x", [0, 12]), around("y", [0, 10]), dots=[Dots("d", 1, spots)])
    root = parsed(placed(plane))
    shown = [each for each in root.iter(f"{SVG}text") if (each.text or "").startswith("network")]
    assert 0 < len(shown) < len(spots)
    places = [(each.get("x"), each.get("y")) for each in shown]
    assert len(set(places)) == len(places)


def test_what_lies_beyond_a_limit_is_shaded() -> None:
    """From the limit to the frame, on the axes that have one."""
    plane = Plane("p", "P", "", "", around("x", [0, 10]), around("y", [0, 10]), paths=[Line("", 1, [(0, 0), (10, 10)])])
    shaded = [len(re.findall('class="beyond"', document(placed(dataclasses.replace(plane, **limits))))) for limits in
              ({}, {"x_limit": 8.0}, {"x_limit": 8.0, "y_limit": 5.0}, {"x_limit": 99.0})]  # fmt: skip
    assert shaded == [0, 1, 2, 0]


# ---- a search's


def test_every_figure_of_a_search_is_a_document(rows: ReportRows) -> None:
    """With and without anything in it; the same rows, the same text."""
    drawn = static_figures(rows)
    assert drawn.keys() == {"front", "progress", "knobs"}
    for each in drawn.values():
        assert parsed(each).tag == f"{SVG}svg"
        assert each.description
    assert static_figures(figured(report_rows(search_result(0)))) == {}
    assert static_figures(rows) == drawn


def test_the_front_is_drawn_with_every_network_of_it(rows: ReportRows) -> None:
    """As many blue dots as the front has networks, and grey ones for the trials."""
    text = document(static_figures(rows)["front"])
    assert text.count('class="dot f1"') == len(rows.front) + 1  # one in the key
    assert text.count('class="dot f0 faint"') == len(rows.trials) + 1


def test_knobs_that_differ_are_axes(rows: ReportRows) -> None:
    """A knob with one value tells nothing; one with several has them all, in order; a line passes its own values."""
    networks = (*rows.front, *rows.trials)
    axes = knob_axes(networks)
    assert axes
    for axis in axes:
        assert len(axis.values) > 1
        assert list(axis.values) == sorted(axis.values)
    words = {"embed_dim": "width", "depth": "depth", "num_heads": "heads", "mlp_ratio": "MLP"}
    several = {w for knob, w in words.items() if len({getattr(n.stages[0], knob) for n in networks}) > 1}
    assert {axis.title for axis in axes if axis.stage == 1} == several
    figure = knobs_figure(rows)
    assert figure is not None
    lines = [each for each in parsed(figure).iter(f"{SVG}path") if each.get("class") == "line"]
    assert [line[0].text for line in lines] == [network.name for network in rows.front]
    ranks = [int(rank) for rank in (lines[0].get("data-ranks") or "").split(",")]
    assert [axis.values[rank] for axis, rank in zip(axes, ranks, strict=True)] == list(
        values_of(rows.front[0], axes, ())
    )


def test_flows_count_all_others(rows: ReportRows) -> None:
    """Between two axes the strongest has strength 1; however many networks, no more lines than pairs of values."""
    more = figured(report_rows(search_result(2000)))
    axes = knob_axes((*more.front, *more.trials))
    found = flows(axes, [values_of(network, axes, ()) for network in more.trials])
    for left in range(len(axes) - 1):
        between = [strength for at, _begin, _end, strength in found if at == left]
        assert max(between) == 1
        assert len(between) <= len(axes[left].values) * len(axes[left + 1].values) <= BINS**2


# ---- names


@given(st.text(min_size=1, max_size=80), st.integers(8, 40))
def test_shortened_keeps_both_ends(text: str, length: int) -> None:
    """What fits stays; what does not has its first and last letters."""
    short_text = shortened(text, length)
    assert len(short_text) <= max(length, 1)
    assert short_text == text or (short_text[0] == text[0] and short_text[-1] == text[-1])


def test_colours_come_again() -> None:
    """Seven curves have six colours, the seventh the first's."""
    assert [style_of(place) for place in range(7)] == [1, 2, 3, 4, 5, 6, 1]


def test_hostile_names_are_text(tmp_path: Path) -> None:
    """In every kind of figure."""
    rows = [Row(HOSTILE, (Part(1, 1, HOSTILE),), HOSTILE)]
    plane = Plane("p", HOSTILE, HOSTILE, HOSTILE, around(HOSTILE, [0, 1]), around("y", [0, 1]),
                  dots=[Dots(HOSTILE, 1, [Spot(0.5, 0.5, HOSTILE, "label")])])  # fmt: skip
    for drawn in (stacked(Rows("x", HOSTILE, HOSTILE, HOSTILE, rows)), placed(plane)):
        root = parsed(drawn)
        assert not [each for each in root.iter() if each.tag.endswith(("script", "img"))]
        assert HOSTILE in {each.text for each in root.iter(f"{SVG}title")}
