"""Polynomials in an input's height H and width W, and maxima of them: the numbers that make a closed form a formula.

They know what the closed forms ask of numbers and no more, exactly, and refuse what is no polynomial. H and W stand for
integers of at least 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, product
from math import comb
from typing import TypeAlias

from pvtsearch.config import ImageSize

Rational: TypeAlias = int | Fraction
Powers: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Polynomial:
    """Coefficients by (power of H, power of W), exact, none of them 0."""

    terms: Mapping[Powers, Rational]

    def __add__(self, other: Polynomial | Rational) -> Polynomial:
        if isinstance(other, Maximum):
            return NotImplemented
        return collected((*self.terms.items(), *polynomial(other).terms.items()))

    def __mul__(self, other: Polynomial | Rational) -> Polynomial:
        pairs = product(self.terms.items(), polynomial(other).terms.items())
        return collected(((h1 + h2, w1 + w2), one * two) for ((h1, w1), one), ((h2, w2), two) in pairs)

    __radd__ = __add__
    __rmul__ = __mul__

    def __neg__(self) -> Polynomial:
        return -1 * self

    def __sub__(self, other: Polynomial | Rational) -> Polynomial:
        return self + -1 * polynomial(other)

    def __rsub__(self, other: Rational) -> Polynomial:
        return other + -self

    def __floordiv__(self, divisor: int) -> Polynomial:
        """The quotient, where no coefficient leaves a remainder; `ArithmeticError` elsewhere."""
        if any(coefficient % divisor for coefficient in self.terms.values()):
            raise ArithmeticError(f"({self}) // {divisor} rounds for some H and W: it is no polynomial")
        return collected((powers, coefficient // divisor) for powers, coefficient in self.terms.items())

    def __gt__(self, bound: int) -> bool:
        """Whether it is above bound for all H and W but finitely many; `ArithmeticError` where that is not plain."""
        if any(h and w for h, w in self.terms) and min(self.terms.values()) > 0:
            return True
        raise ArithmeticError(f"whether {self} > {bound} depends on H and W")

    def at(self, image_size: ImageSize) -> Fraction:
        """The value at an input of (height, width)."""
        height, width = image_size
        return sum((c * height**h * width**w for (h, w), c in self.terms.items()), start=Fraction(0))

    def per(self, step: int) -> Polynomial:
        """The same values as a polynomial in `step` times H and `step` times W."""
        return collected(((h, w), Fraction(c) / step ** (h + w)) for (h, w), c in self.terms.items())

    def never_below(self, other: Polynomial) -> bool:
        """Whether it is at least other for all H, W >= 1, by a proof that suffices: False may mean not proven.

        Written in H - 1 and W - 1, the difference has no coefficient below 0.
        """
        difference = self - other
        shifted = collected(
            ((i, j), coefficient * comb(h, i) * comb(w, j))
            for (h, w), coefficient in difference.terms.items()
            for i, j in product(range(h + 1), range(w + 1))
        )
        return all(coefficient > 0 for coefficient in shifted.terms.values())

    def __str__(self) -> str:
        written = [_term(self.terms[powers], *powers) for powers in sorted(self.terms, reverse=True)]
        return " + ".join(written).replace("+ -", "- ") or "0"


@dataclass(frozen=True)
class Maximum:
    """The largest of several polynomials; which one that is depends on H and W."""

    of: tuple[Polynomial, ...]

    def __add__(self, other: Maximum | Polynomial | Rational) -> Maximum | Polynomial:
        return maximum(one + two for one, two in product(self.of, each(other)))

    __radd__ = __add__

    def __rmul__(self, times: int) -> Maximum | Polynomial:
        """The maximum, `times` as large; times is at least 0."""
        return maximum(times * one for one in self.of)


Formulaic: TypeAlias = Maximum | Polynomial | Rational

HEIGHT = Polynomial({(1, 0): 1})
WIDTH = Polynomial({(0, 1): 1})


def polynomial(value: Polynomial | Rational) -> Polynomial:
    """A number as a polynomial; a polynomial as it is."""
    return value if isinstance(value, Polynomial) else collected([((0, 0), value)])


def collected(terms: Iterable[tuple[Powers, Rational]]) -> Polynomial:
    """The sum of terms, those of equal powers together."""
    sums: dict[Powers, Rational] = {}
    for powers, coefficient in terms:
        sums[powers] = sums.get(powers, 0) + coefficient
    return Polynomial({powers: coefficient for powers, coefficient in sums.items() if coefficient})


def each(value: Formulaic) -> tuple[Polynomial, ...]:
    """The polynomials of a maximum; any other value as the only one."""
    return value.of if isinstance(value, Maximum) else (polynomial(value),)


def maximum(values: Iterable[Formulaic]) -> Maximum | Polynomial:
    """The largest of some values: a polynomial where one is proven to be it for all H, W >= 1."""
    candidates = tuple(one for value in values for one in each(value))
    found = tuple(candidates[index] for index in undominated(candidates))
    return found[0] if len(found) == 1 else Maximum(found)


def undominated(candidates: Sequence[Polynomial]) -> list[int]:
    """Places of the polynomials that no other is proven to reach everywhere; of equal ones the first."""
    kept: list[int] = []
    for place, candidate in enumerate(candidates):
        if not any(candidates[other].never_below(candidate) for other in kept):
            kept = [other for other in kept if not candidate.never_below(candidates[other])] + [place]
    return kept


def possible_largest(candidates: Sequence[Polynomial]) -> list[int]:
    """Places of the polynomials that may be the largest alone: neither another, nor the mean of two, is above it."""
    kept = undominated(candidates)
    for place in tuple(kept):
        pairs = combinations((candidates[other] for other in kept if other != place), 2)
        if any((one + two).never_below(2 * candidates[place]) for one, two in pairs):
            kept.remove(place)
    return kept


def _term(coefficient: Rational, height: int, width: int) -> str:
    powers = [f"{name}^{power}" if power > 1 else name for name, power in (("H", height), ("W", width)) if power]
    return " ".join([_number(Fraction(coefficient)), *powers])


def _number(value: Fraction) -> str:
    return f"{value.numerator:,}" if value.denominator == 1 else f"{value.numerator:,}/{value.denominator:,}"
