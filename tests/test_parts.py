"""Laws of parts: concatenation is associative and monotone, and a peak within a limit is plain comparisons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pvtsearch.analysis.parts import Algebra, Combine, Parts, to_columns
from pvtsearch.analysis.spans import Tape, allocate, release, sequence

algebras = st.lists(st.sampled_from(("sum", "peak", "round_trip")), max_size=3).map(
    lambda combines: Algebra(tuple(combines))
)
steps = st.lists(st.integers(0, 9).map(allocate) | st.integers(0, 9).map(release), max_size=4)
stretches = st.builds(Tape, steps.map(sequence), steps.map(sequence), st.integers(0, 9), st.integers(0, 9))


@st.composite
def rows(draw: st.DrawFn, algebra: Algebra, count: int) -> Parts:
    """Parts of `count` stretches."""
    table = np.zeros((count, algebra.width), dtype=np.int64)
    for row in table:
        for combine, columns in zip(algebra.combines, algebra.columns, strict=True):
            row[columns] = draw(st.integers(0, 9)) if combine == "sum" else to_columns(draw(stretches), combine)
    return table


@st.composite
def three(draw: st.DrawFn) -> tuple[Algebra, Parts, Parts, Parts]:
    """An algebra, and three tables of as many stretches."""
    algebra, count = draw(algebras), draw(st.integers(1, 4))
    return algebra, *(draw(rows(algebra, count)) for _ in range(3))


def at_or_below(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    return (one <= other).all(axis=-1)


@given(drawn=three())
def test_concatenation_is_a_monoid(drawn: tuple[Algebra, Parts, Parts, Parts]) -> None:
    """(a b) c == a (b c), and nothing changes nothing; inputs stay as they are."""
    algebra, a, b, c = drawn
    before = a.copy()
    left, right = algebra.concatenate(algebra.concatenate(a, b), c), algebra.concatenate(a, algebra.concatenate(b, c))
    assert (left == right).all()
    assert (algebra.concatenate(a, algebra.nothing()) == a).all()
    assert (algebra.concatenate(algebra.nothing(), a) == a).all()
    assert (a == before).all()


@given(stages=st.lists(stretches, min_size=1, max_size=4))
def test_a_peak_is_that_of_the_spans_in_their_order(stages: list[Tape]) -> None:
    """Stage by stage on columns == in, in, in, turn, back, back, back as one sequence; a pass has no way back."""
    there = [stage.forward for stage in stages]
    back = [stage.backward for stage in reversed(stages)]
    own = sum(stage.throughout for stage in stages)
    assert total("peak", stages) == own + sequence(there).peak
    turn = [release(sum(stage.turn for stage in stages))]
    assert total("round_trip", stages) == own + sequence(there + turn + back).peak


def total(combine: Combine, stages: list[Tape]) -> int:
    """The peak of stages that are concatenated as columns."""
    algebra = Algebra((combine,))
    parts = algebra.nothing()
    for stage in stages:
        parts = algebra.concatenate(parts, np.array(to_columns(stage, combine)))
    return int(algebra.total(parts)[0])


@given(stages=st.lists(st.integers(0, 9), max_size=4))
def test_a_sum_is_a_sum(stages: list[int]) -> None:
    """A metric that sums has one column, which is its total."""
    algebra = Algebra(("sum",))
    parts = algebra.nothing()
    for stage in stages:
        parts = algebra.concatenate(parts, np.array([stage]))
    assert algebra.total(parts).tolist() == parts.tolist() == [sum(stages)]


@given(drawn=three(), data=st.data())
def test_a_rest_fits_where_its_demand_meets_the_room(
    drawn: tuple[Algebra, Parts, Parts, Parts], data: st.DataObject
) -> None:
    """demand(rest) <= room(beginning, limits) exactly where the whole is within the limits."""
    algebra, beginning, rest, _ = drawn
    whole = algebra.total(algebra.concatenate(beginning, rest))
    slack = st.lists(st.integers(-2, 2), min_size=whole.shape[1], max_size=whole.shape[1])
    limits = whole[0] + np.array(data.draw(slack), dtype=np.int64)
    fits = at_or_below(algebra.demand(rest), algebra.room(beginning, limits))
    assert (fits == at_or_below(whole, limits)).all()


@given(drawn=three(), other=st.data())
def test_dominance_survives_whatever_comes_before_and_after(
    drawn: tuple[Algebra, Parts, Parts, Parts], other: st.DataObject
) -> None:
    """At or below in levels anywhere, or in demand at the end, is at or below in every total."""
    algebra, a, b, c = drawn
    d = other.draw(rows(algebra, len(a)))
    totals = [algebra.total(algebra.concatenate(algebra.concatenate(a, middle), d)) for middle in (b, c)]
    better = at_or_below(algebra.levels(b), algebra.levels(c))
    assert at_or_below(totals[0], totals[1])[better].all()
    ends = [algebra.total(algebra.concatenate(a, rest)) for rest in (b, c)]
    better = at_or_below(algebra.demand(b), algebra.demand(c))
    assert at_or_below(ends[0], ends[1])[better].all()


@pytest.mark.parametrize(("combine", "columns"), [("sum", 1), ("peak", 3), ("round_trip", 6)])
def test_rows_broadcast(combine: Combine, columns: int) -> None:
    """One stretch before many, and many before many, by numpy's rules."""
    algebra = Algebra((combine,))
    one = np.arange(columns)
    many = np.stack([one, one])
    pairs = algebra.concatenate(many[:, None], many[None, :])
    assert pairs.shape == (2, 2, columns)
    assert (pairs == algebra.concatenate(one, one)).all()
