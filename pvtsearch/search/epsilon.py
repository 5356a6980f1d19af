"""Cells of values that differ by a stated factor at most: what a front is rounded to where all of it is too much."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pvtsearch.errors import InputError

SMALLEST, LARGEST = Fraction(1, 1000), Fraction(1)

_UNIT = 2**20
_END = 2**62


def read_epsilon(value: float | str | Fraction) -> Fraction:
    """Value as it is written: 0.01 is a hundredth. Raises `InputError` outside 0.001 to 1."""
    try:
        epsilon = Fraction(str(value))
    except (ValueError, ZeroDivisionError):
        epsilon = Fraction(0)
    if not SMALLEST <= epsilon <= LARGEST:
        raise InputError(f"epsilon must be a number from 0.001 to 1, got {value}")
    return epsilon


def cells(epsilon: Fraction, times: int) -> NDArray[np.int64]:
    """The first value of each cell, from 0 up. Values are rounded to cells `times` times in a row.

    One value of a cell is at most 1 + share times another of it, and (1 + share) ** times is at most 1 + epsilon.
    """
    share = _share(epsilon, times)
    starts = [0, 1]
    while starts[-1] < _END:
        starts.append(starts[-1] * (_UNIT + share) // _UNIT + 1)
    return np.array(starts[:-1], dtype=np.int64)


def _share(epsilon: Fraction, times: int) -> int:
    """The share in units of 2^-20."""
    share = int(((1 + float(epsilon)) ** (1 / times) - 1) * _UNIT) + 1
    while Fraction(_UNIT + share, _UNIT) ** times > 1 + epsilon:
        share -= 1
    return share


def cell_of(starts: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.int64]:
    """The cell of each value; that of a negated score is negated, so that less stays better."""
    numbers: NDArray[np.int64] = np.searchsorted(starts, np.abs(column), side="right") - 1
    return np.where(column < 0, -numbers, numbers)
