"""Laws of counting points below corners: equal to comparing each with all."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pvtsearch.search.dominance import last_at_most, order_of, places_of, point_below, weight_below

sizes = st.tuples(st.integers(0, 40), st.integers(1, 30), st.integers(1, 50), st.integers(0, 2**32))


def drawn_plane(drawn: tuple[int, int, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points, their weights, and corners some of which have nothing below."""
    count, queries, values, seed = drawn
    rng = np.random.default_rng(seed)
    points = rng.integers(0, values, size=(count, 2))
    return points, rng.integers(1, 4, size=count), rng.integers(-2, values + 2, size=(queries, 2))


@settings(deadline=None)
@given(drawn=sizes)
def test_weights_below_equal_the_definition(drawn: tuple[int, int, int, int]) -> None:
    """The sum over all points that are at most the corner in both columns."""
    points, weights, corners = drawn_plane(drawn)
    expected = [int(weights[(points <= corner).all(axis=1)].sum()) for corner in corners]
    assert weight_below(points, weights, corners).tolist() == expected


@settings(deadline=None)
@given(drawn=sizes)
def test_targets_fall_on_every_point_below_as_often_as_it_weighs(drawn: tuple[int, int, int, int]) -> None:
    """All targets of a corner, one after the other, meet each point below it exactly its weight's number of times."""
    points, weights, corners = drawn_plane(drawn)
    for corner in corners:
        below = (points <= corner).all(axis=1)
        targets = np.arange(weights[below].sum())
        found = point_below(points, weights, np.tile(corner, (len(targets), 1)), targets)
        assert np.bincount(found, minlength=len(points)).tolist() == np.where(below, weights, 0).tolist()


@settings(deadline=None)
@given(drawn=sizes)
def test_the_last_place_in_bounds_equals_the_definition(drawn: tuple[int, int, int, int]) -> None:
    """Before its end, and -1 where no value is in bounds."""
    points, _weights, corners = drawn_plane(drawn)
    values = points[:, 0]
    ends = np.clip(corners[:, 0], 0, len(values))
    expected = [
        max((place for place in range(end) if values[place] <= bound), default=-1)
        for end, bound in zip(ends, corners[:, 1], strict=True)
    ]
    assert last_at_most(values, ends, corners[:, 1]).tolist() == expected


@settings(deadline=None)
@given(drawn=sizes)
def test_orders_and_places_equal_the_definition(drawn: tuple[int, int, int, int]) -> None:
    """Whether a value and its place fit 64 bits together or not; equal values in their order."""
    points, _weights, corners = drawn_plane(drawn)
    for scale in (1, 2**55):
        values = points[:, 0] * scale
        assert order_of(values).tolist() == sorted(range(len(values)), key=lambda place: values[place])
        places = places_of(np.sort(values), corners[:, 0] * scale)
        assert places.tolist() == [int((values <= corner * scale).sum()) for corner in corners[:, 0]]
