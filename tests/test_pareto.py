"""Laws of fronts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.records import Objective, TrialRecord
from pvtsearch.search.pareto import front_of, nondominated, reached, undominated

large = st.tuples(st.integers(1, 5), st.integers(97, 400), st.integers(2, 60), st.integers(0, 2**32))
tables = st.integers(0, 4).flatmap(
    lambda columns: st.lists(st.lists(st.integers(0, 6), min_size=columns, max_size=columns), max_size=30).map(
        lambda rows: np.array(rows, dtype=np.int64).reshape(len(rows), columns)
    )
)


@given(points=tables)
def test_nondominated_equals_the_definition(points: np.ndarray) -> None:
    """Kept is what no other row dominates, and of equal rows the first."""
    untouched = points.copy()
    kept = nondominated(points)
    for row, point in enumerate(points):
        no_worse = (points <= point).all(axis=1)
        dominated = (no_worse & (points < point).any(axis=1)).any()
        repeated = any((points[other] == point).all() for other in range(row))
        assert kept[row] == (not dominated and not repeated)
    assert (points == untouched).all()


@pytest.mark.parametrize("largest", [5, 1000])
def test_nondominated_equals_the_definition_in_large_tables(largest: int) -> None:
    """The same beyond what is compared at once."""
    points = np.random.default_rng(largest).integers(largest, size=(1000, 3))
    dominated = np.array([((points <= p).all(axis=1) & (points < p).any(axis=1)).any() for p in points])
    _distinct, first = np.unique(points, axis=0, return_index=True)
    assert set(np.flatnonzero(nondominated(points))) == set(first) - set(np.flatnonzero(dominated))


@given(points=tables, data=st.data())
def test_columns_that_order_rows_alike_change_nothing(points: np.ndarray, data: st.DataObject) -> None:
    """A column again in other units, or one that is the same in all rows, decides nothing."""
    constant = np.full((len(points), 1), 3)
    wider = np.concatenate([points, 4 * points + 1, constant], axis=1)
    columns = data.draw(st.permutations(range(wider.shape[1])))
    expected = nondominated(points)
    found = nondominated(wider[:, columns])
    assert {tuple(row) for row in points[expected]} == {tuple(row) for row in points[found]}
    assert expected.sum() == found.sum()


@given(points=tables, strict=st.integers(0, 4))
def test_undominated_equals_the_definition(points: np.ndarray, strict: int) -> None:
    """Dropped is what another row beats: nowhere worse, and better in one of the strict columns."""
    kept = undominated(points, strict)
    assert kept.tolist() == [not beaten(points, point, strict) for point in points]


def beaten(points: np.ndarray, point: np.ndarray, strict: int) -> bool:
    better = (points[:, :strict] < point[:strict]).any(axis=1)
    return bool(((points <= point).all(axis=1) & better).any())


@given(drawn=large)
def test_large_tables_equal_the_definition_too(drawn: tuple[int, int, int, int]) -> None:
    """Where tables are halved and archives are bits, whatever the number of columns and of ties."""
    columns, rows, values, seed = drawn
    rng = np.random.default_rng(seed)
    points = rng.integers(0, values, size=(rows, columns))
    points[:, 0] -= points[:, 1:].sum(axis=1) // 2  # a table of which much stays
    for strict in range(columns + 1):
        assert undominated(points, strict).tolist() == [not beaten(points, point, strict) for point in points]
    kept = nondominated(points)
    assert {tuple(p) for p in points[kept]} == {tuple(p) for p in points[undominated(points, columns)]}
    assert len({tuple(p) for p in points[kept]}) == kept.sum()
    archive, queries = points[::2], points[1::2] + rng.integers(-2, 2, size=columns)
    assert reached(archive, queries).tolist() == [bool((archive <= query).all(axis=1).any()) for query in queries]


def test_archives_of_many_blocks() -> None:
    """Four columns and thousands of rows that all stay: equal to comparing each with all."""
    rng = np.random.default_rng(0)
    points = rng.integers(0, 1000, size=(3000, 4))
    points[:, 0] = 3000 - points[:, 1:].sum(axis=1) + rng.integers(0, 3, size=3000)
    kept = nondominated(points)
    assert kept.sum() > 1024
    assert kept.tolist() == [not beaten(points, point, 4) for point in points]


def record(trial: int, prior: int, macs: int, *, head_dim: int = 64) -> TrialRecord:
    stage = StageConfig(4, 128, 1, 128 // head_dim, 4)
    return TrialRecord(trial, PVTConfig(stages=(stage,)), {"macs": macs}, {"prior": prior})


def test_a_tie_is_represented_by_the_head_dim_nearest_64_then_the_earliest() -> None:
    """Of records equal in all objectives one stands for them, by a rule and not by chance."""
    objectives = (Objective("prior", "maximize"), Objective("macs", "minimize"))
    ties = [record(0, 5, 9, head_dim=16), record(1, 5, 9), record(2, 5, 9), record(3, 4, 9), record(4, 7, 12)]
    assert [r.trial for r in front_of(ties, objectives)] == [4, 1]
    assert [r.trial for r in front_of(ties[::-1], objectives)] == [4, 1]
    assert front_of([], objectives) == ()
