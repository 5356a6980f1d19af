"""Memory over time as values that compose: how much a span of a computation leaves behind, and its highest point.

Plain arithmetic, so ints and numpy integer arrays go through the same spelling. All numbers are bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from pvtsearch.geometry import Number


def largest(one: Number, other: Number) -> Number:
    """The larger of two numbers, or of two arrays place by place."""
    if isinstance(one, int) and isinstance(other, int):
        return max(one, other)
    import numpy as np  # late: one network in closed form needs no numpy

    return np.maximum(one, other)


@dataclass(frozen=True)
class Span:
    """Bytes held at the end, and at most, both counted from what is held at the start. `a + b` is a, then b.

    A sum of spans is associative and its zero is `Span()`; it does not commute.
    """

    __array_ufunc__ = None  # numpy arrays leave `array * span` to __rmul__

    held: Number = 0
    peak: Number = 0

    def __add__(self, after: Span) -> Span:
        return Span(self.held + after.held, largest(self.peak, self.held + after.peak))

    def __rmul__(self, times: Number) -> Span:
        """The span `times` in a row; none of it at 0."""
        again = largest(0 * self.held, (times - 1) * self.held)
        return Span(times * self.held, (times > 0) * (self.peak + again))


@dataclass(frozen=True)
class Sandwich:
    """A stretch of a network over time: a span on the way in, one on the way back, and bytes there throughout.

    Stretches are run first to last, then back: `a + b` is a, b, b back, a back. Their sum is associative, its zero is
    `Sandwich()`. A forward pass alone has nothing on the way back.
    """

    before: Span = Span()
    after: Span = Span()
    throughout: Number = 0

    def __add__(self, inner: Sandwich) -> Sandwich:
        return Sandwich(self.before + inner.before, inner.after + self.after, self.throughout + inner.throughout)

    @property
    def closed(self) -> Span:
        """Both ways as one span: what it is to whatever surrounds it once nothing more comes inside."""
        return self.before + self.after

    @property
    def peak(self) -> Number:
        """The highest point, all that is there throughout counted."""
        return self.throughout + self.closed.peak


def sequence(spans: Iterable[Span]) -> Span:
    """One span after the other."""
    return reduce(Span.__add__, spans, Span())


def allocate(nbytes: Number) -> Span:
    """A storage that stays."""
    return Span(nbytes, nbytes)


def release(nbytes: Number) -> Span:
    """A storage that goes."""
    return Span(-nbytes, 0)


def passing(nbytes: Number) -> Span:
    """A storage that is gone at the end."""
    return Span(0, nbytes)
