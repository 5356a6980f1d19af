"""Memory over time as values that compose: how much a span of a computation leaves behind, and its highest point.

Plain arithmetic, so ints, numpy integer arrays and polynomials go through the same spelling. All numbers are bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

from pvtsearch.analysis.polynomials import Maximum, Polynomial, maximum
from pvtsearch.geometry import Number


def largest(one: Number, other: Number) -> Number:
    """The larger of two numbers, of two arrays place by place, or of two polynomials, left open where that depends."""
    if isinstance(one, int) and isinstance(other, int):
        return max(one, other)
    if isinstance(one, Polynomial | Maximum) or isinstance(other, Polynomial | Maximum):
        return maximum((one, other))
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
class Tape:
    """A stretch of a network over time: a span of the forward pass, one of the backward, and bytes there throughout.

    The backward pass runs in reverse: `a + b` is a, b, b backward, a backward. turn: bytes that the forward pass leaves
    and that go before the backward pass begins. The sum is associative, its zero is `Tape()`. Inference has nothing on
    the way back.
    """

    __array_ufunc__ = None  # numpy arrays leave `array * tape` to __rmul__

    forward: Span = Span()
    backward: Span = Span()
    throughout: Number = 0
    turn: Number = 0

    def __add__(self, inner: Tape) -> Tape:
        return Tape(
            self.forward + inner.forward,
            inner.backward + self.backward,
            self.throughout + inner.throughout,
            self.turn + inner.turn,
        )

    def __rmul__(self, times: Number) -> Tape:
        """The stretch `times` in a row; none of it at 0."""
        return Tape(times * self.forward, times * self.backward, times * self.throughout, times * self.turn)

    @property
    def closed(self) -> Span:
        """Both ways as one span: what it is to whatever surrounds it once nothing more comes inside."""
        return self.forward + release(self.turn) + self.backward

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
