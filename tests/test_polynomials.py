"""Laws of polynomials: what is done to them is done to their values, and proofs prove."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvtsearch.analysis.polynomials import (
    HEIGHT,
    WIDTH,
    Maximum,
    Polynomial,
    collected,
    each,
    maximum,
    polynomial,
    possible_largest,
)

SIDES = st.integers(1, 6)
SIZES = st.tuples(SIDES, SIDES)
EVERY_SIZE = [(height, width) for height in range(1, 8) for width in range(1, 8)]


def polynomials() -> st.SearchStrategy[Polynomial]:
    """Up to four terms of degree 2 in each side."""
    powers = st.tuples(st.integers(0, 2), st.integers(0, 2))
    return st.lists(st.tuples(powers, st.integers(-9, 9)), max_size=4).map(collected)


def value(one: Maximum | Polynomial, size: tuple[int, int]) -> Fraction:
    return max(candidate.at(size) for candidate in each(one))


@given(one=polynomials(), two=polynomials(), number=st.integers(-5, 5), size=SIZES)
def test_arithmetic_is_that_of_values(one: Polynomial, two: Polynomial, number: int, size: tuple[int, int]) -> None:
    """Sums, differences, products and numbers on either side."""
    a, b = one.at(size), two.at(size)
    assert (one + two).at(size) == a + b
    assert (one - two).at(size) == a - b
    assert (one * two).at(size) == a * b
    assert ((number + one).at(size), (number - one).at(size), (number * one).at(size)) == (
        number + a,
        number - a,
        number * a,
    )
    assert (-one).at(size) == -a
    assert (one - one).terms == {}


@given(one=polynomials(), step=st.integers(1, 5), size=SIZES)
def test_other_units_give_the_same_values(one: Polynomial, step: int, size: tuple[int, int]) -> None:
    """In steps, or in sides that are multiples of it."""
    assert one.per(step).at((step * size[0], step * size[1])) == one.at(size)


@given(one=polynomials(), divisor=st.integers(1, 4), size=SIZES)
def test_a_quotient_is_exact_or_refused(one: Polynomial, divisor: int, size: tuple[int, int]) -> None:
    """Nothing rounds in silence."""
    assert (divisor * one // divisor).at(size) == one.at(size)
    try:
        quotient = one // divisor
    except ArithmeticError:
        assert any(coefficient % divisor for coefficient in one.terms.values())
    else:
        assert quotient.at(size) == one.at(size) // divisor


def test_what_depends_on_the_size_is_refused() -> None:
    """A comparison is answered where all but finitely many sizes agree."""
    assert HEIGHT * WIDTH + 1 > 10**9
    for unclear in (HEIGHT, HEIGHT * WIDTH - HEIGHT, polynomial(3)):
        with pytest.raises(ArithmeticError, match="depends on H and W"):
            bool(unclear > 1)


@given(one=polynomials(), two=polynomials())
def test_a_proof_proves(one: Polynomial, two: Polynomial) -> None:
    """What is proven never to be below is below at no size."""
    if one.never_below(two):
        assert all(one.at(size) >= two.at(size) for size in EVERY_SIZE)
    assert one.never_below(one)
    assert (one + HEIGHT * WIDTH - 1).never_below(one)


@given(values=st.lists(polynomials(), min_size=1, max_size=6))
def test_what_is_left_out_is_never_the_largest_alone(values: list[Polynomial]) -> None:
    """The largest of what is left == the largest of all, at every size, for maxima and for what a formula prints."""
    left = [values[place] for place in possible_largest(values)]
    for size in EVERY_SIZE:
        highest = max(one.at(size) for one in values)
        assert value(maximum(values), size) == highest
        assert max(one.at(size) for one in left) == highest


@given(
    ones=st.lists(polynomials(), min_size=1, max_size=3),
    twos=st.lists(polynomials(), min_size=1, max_size=3),
    more=polynomials(),
    times=st.integers(0, 3),
    size=SIZES,
)
def test_maxima_add_and_repeat(
    ones: list[Polynomial], twos: list[Polynomial], more: Polynomial, times: int, size: tuple[int, int]
) -> None:
    """The sum of maxima is the maximum of sums; a number or a polynomial may stand on either side."""
    one, two = maximum(ones), maximum(twos)
    a, b = value(one, size), value(two, size)
    assert value(one + two, size) == a + b
    assert value(more + one, size) == value(one + more, size) == a + more.at(size)
    assert value(7 + one, size) == a + 7
    assert value(times * one, size) == times * a


def test_the_mean_of_two_leaves_out_a_third() -> None:
    """Below the mean of two others it is below the larger of them."""
    area = HEIGHT * WIDTH
    assert possible_largest([8 * area, 2 * area * area + 3 * area, 4 * area * area]) == [0, 2]


def test_of_equal_ones_the_first_is_left() -> None:
    """As of two stages that peak alike."""
    assert possible_largest([HEIGHT, WIDTH, HEIGHT]) == [0, 1]


def test_polynomials_are_written_for_people() -> None:
    """Highest power first, signs between terms, fractions exact."""
    assert str((HEIGHT * HEIGHT * WIDTH - 3000 * WIDTH + 5).per(2)) == "1/8 H^2 W - 1,500 W + 5"
    assert str(Polynomial({})) == "0"
