"""Laws of prediction errors."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvtsearch.analysis.prediction_errors import prediction_errors

series = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=2, max_size=12)


def test_figures_of_a_small_table() -> None:
    """By hand: errors of +10 %, -4 %, 0 and +20 %."""
    found = prediction_errors([110, 192, 300, 480], [100, 200, 300, 400])
    assert found.mape == pytest.approx(0.085)
    assert found.bias == pytest.approx(0.065)
    assert found.worst == pytest.approx(0.2)
    assert found.within_5_percent == 0.5
    assert (found.count, found.kendall, found.spearman) == (4, 1.0, pytest.approx(1.0))


@given(series)
def test_kendall_counts_pairs(pairs: list[tuple[int, int]]) -> None:
    """tau-b is pairs in order less pairs out of order, over the geometric mean of the pairs that each does not tie."""

    def sign(number: int) -> int:
        return (number > 0) - (number < 0)

    signs = [(sign(a[0] - b[0]), sign(a[1] - b[1])) for a, b in combinations(pairs, 2)]
    untied = [sum(abs(s[side]) for s in signs) for side in (0, 1)]
    expected = sum(a * b for a, b in signs) / (untied[0] * untied[1]) ** 0.5 if all(untied) else 0.0
    assert prediction_errors(*zip(*pairs, strict=True)).kendall == pytest.approx(expected)


@given(series)
def test_order_is_all_that_rank_correlations_see(pairs: list[tuple[int, int]]) -> None:
    """Any rising function of one series leaves both correlations, and the series' turning round turns their signs."""
    ours, truth = zip(*pairs, strict=True)
    found = prediction_errors(ours, truth)
    cubed = prediction_errors([each**3 for each in ours], truth)
    turned = prediction_errors([7 - each for each in ours], truth)
    assert cubed.spearman == pytest.approx(found.spearman)
    assert cubed.kendall == found.kendall
    assert (turned.kendall, turned.spearman) == (pytest.approx(-found.kendall), pytest.approx(-found.spearman))
