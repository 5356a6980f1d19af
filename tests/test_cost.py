"""Laws of budgets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvtsearch.cost import Budget
from pvtsearch.errors import BudgetError

limits = st.dictionaries(st.sampled_from(("params", "macs")), st.integers(1, 10**15))
costs = st.fixed_dictionaries({"params": st.integers(0, 10**15), "macs": st.integers(0, 10**15)})


@given(limits=limits, cost=costs)
def test_admitted_is_exactly_without_violation(limits: dict[str, int], cost: dict[str, int]) -> None:
    """What a budget admits and what it calls a violation are the same comparison, on integers."""
    budget = Budget(limits)
    assert budget.admits(cost) == all(value <= 0 for value in budget.violations(cost).values())


@given(first=limits, second=limits, cost=costs)
def test_tightened_admits_what_both_admit(first: dict[str, int], second: dict[str, int], cost: dict[str, int]) -> None:
    """Where two limits meet on a metric the smaller wins."""
    both = Budget(first, "a").tightened(second, "b")
    assert both.admits(cost) == (Budget(first).admits(cost) and Budget(second).admits(cost))


@pytest.mark.parametrize("limit", [0, -5, 1.5, True, "5"])
def test_limits_are_positive_integers(limit: object) -> None:
    """Anything else is refused when made."""
    with pytest.raises(BudgetError, match="limit of params"):
        Budget({"params": limit})  # type: ignore[dict-item]
