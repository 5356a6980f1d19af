"""Charts: scales, labels that do not cover each other, and a document that is well-formed whatever the text."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvtsearch.report.chart import LABEL_GAP, Chart, Frame, Line, Mark, Point, labels, last_inside, path, spread, svg

SVG = "{http://www.w3.org/2000/svg}"
CHART = Chart(
    title="A < B & C",
    subtitle="of 'this' and \"that\"",
    x_title="x",
    y_title="y",
    x_ticks=(0, 5, 10),
    y_ticks=(0, 100),
    lines=(
        Line("inside", 1, (Point(0, 0), Point(10, 50))),
        Line("near", 2, (Point(0, 40), Point(10, 51))),
        Line("leaves", 3, (Point(0, 0), Point(10, 200))),
    ),
    marks=(Mark(Point(5, 25), "one <over> another"),),
)


def test_the_document_is_well_formed_and_holds_everything() -> None:
    """A path per curve, a ring per mark; titles and captions are text, not markup; the same chart, the same bytes."""
    text = svg(CHART)
    assert text == svg(CHART)
    root = ET.fromstring(text)  # noqa: S314  our own text
    assert root.tag == f"{SVG}svg"
    curves = [each for each in root.iter(f"{SVG}path") if (each.get("class") or "").startswith("curve")]
    assert len(curves) == 3
    assert len(list(root.iter(f"{SVG}circle"))) == 1
    texts = ["".join(each.itertext()) for each in root.iter(f"{SVG}text")]
    assert {"A < B & C", "inside", "near", "leaves", "1one <over> another", "0", "5", "10", "100"} <= set(texts)
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_scales() -> None:
    """Origin at the lower left, the last ticks at the upper right."""
    frame = Frame(10, 100)
    assert frame.pixels(Point(0, 0)) == (76, 516)
    assert frame.pixels(Point(10, 100)) == (812, 96)
    assert path(frame, (Point(0, 0), Point(10, 100))) == "M76.0 516.0 L812.0 96.0"


def test_a_curve_that_leaves_the_frame_ends_at_its_top() -> None:
    """Half way up to 200 is 100; one that stays ends at its end."""
    frame = Frame(10, 100)
    inside, near, leaves = CHART.lines
    assert last_inside(frame, leaves.points) == (5, 100)
    assert last_inside(frame, inside.points) == (10, 50)
    found = {label.text: label for label in labels(frame, CHART.lines)}
    assert [found[line.label].leaves for line in (inside, near, leaves)] == [False, False, True]
    assert found["inside"].y - found["near"].y == LABEL_GAP


@given(st.lists(st.floats(0, 500), max_size=8).map(sorted))
def test_labels_keep_their_distance_and_their_order(heights: list[float]) -> None:
    """Neighbours are a label apart; those that were keep their places; together they keep their mean."""
    moved = spread(heights)
    assert all(after - before >= LABEL_GAP - 0.11 for before, after in pairwise(moved))
    assert sum(moved) == pytest.approx(sum(heights), abs=0.1 * len(heights) + 1e-6)
    if all(after - before >= LABEL_GAP for before, after in pairwise(heights)):
        assert moved == pytest.approx(heights, abs=0.051)
