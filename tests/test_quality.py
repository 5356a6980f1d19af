"""Laws of a search's distance to the exact front: brute force over unit cells and ratios; what further trials do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError
from pvtsearch.records import Objective, Quality, TrialRecord
from pvtsearch.search.exact import exact_front
from pvtsearch.search.pareto import front_of
from pvtsearch.search.quality import quality_of, reference_point
from pvtsearch.search.run import run_search

CONFIG = PVTConfig(stages=(StageConfig(4, 64, 1, 1, 4),))
LIMITS = Budget({"params": 400_000, "macs": 12_000_000})
few = settings(max_examples=60, deadline=None)


class Case:
    """Objectives, limits on some of them, all networks that there are, and those that were evaluated, in order."""

    def __init__(
        self, directions: Sequence[str], limits: dict[str, int], every: Sequence[Sequence[int]], order: list[int]
    ) -> None:
        self.objectives = tuple(
            Objective(f"{direction} {i}", direction)  # type: ignore[arg-type]
            for i, direction in enumerate(directions)
        )
        self.budget = Budget(limits)
        self.every = [self._record(trial, values) for trial, values in enumerate(every)]
        self.exact = front_of(self.every, self.objectives)
        self.evaluated = [self.every[place] for place in order]

    def _record(self, trial: int, values: Sequence[int]) -> TrialRecord:
        named = {objective.name: value for objective, value in zip(self.objectives, values, strict=True)}
        scores = {name: float(value) for name, value in named.items() if name.startswith("maximize")}
        return TrialRecord(trial, CONFIG, {n: v for n, v in named.items() if n not in scores}, scores)

    def quality(self, records: Iterable[TrialRecord]) -> Quality:
        return quality_of(list(records), self.exact, self.objectives, self.budget)

    def volume(self, records: Iterable[TrialRecord]) -> int:
        """Unit cells between some record and the reference point, counted one by one."""
        reference = reference_point(self.exact, self.objectives, self.budget)
        signs = [1 if objective.direction == "minimize" else -1 for objective in self.objectives]
        ends = [sign * int(reference[o.name]) for sign, o in zip(signs, self.objectives, strict=True)]
        cells = np.stack(np.meshgrid(*(np.arange(min(0, end) - 5, end) for end in ends)), axis=-1).reshape(
            -1, len(ends)
        )
        points = [[s * r.value(o.name) for s, o in zip(signs, self.objectives, strict=True)] for r in records]
        return int(np.any([(cells >= point).all(axis=1) for point in points], axis=0).sum())

    def times_better(self, one: TrialRecord, other: TrialRecord) -> Fraction:
        """By how much one is better than other in the objective where it is most."""
        return max(
            Fraction(int(other.value(o.name)), int(one.value(o.name))) ** (1 if o.direction == "minimize" else -1)
            for o in self.objectives
        )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    directions = draw(st.lists(st.sampled_from(("minimize", "maximize")), min_size=1, max_size=3))
    names = [f"{direction} {i}" for i, direction in enumerate(directions)]
    limited = draw(st.sets(st.sampled_from(names)))
    values = st.tuples(*(st.integers(1, 4) for _ in directions))
    every = draw(st.lists(values, min_size=1, max_size=12))
    order = draw(st.permutations(range(len(every))))
    return Case(
        directions,
        {name: 4 for name in limited if name.startswith("minimize")},
        every,
        order[: draw(st.integers(1, len(every)))],
    )


@few
@given(case=cases())
def test_share_and_factor_are_those_of_brute_force(case: Case) -> None:
    """The share by counting unit cells, after every trial; the factor by comparing all networks with all."""
    found, whole = case.quality(case.evaluated), case.volume(case.exact)
    assert found.share == case.volume(case.evaluated) / whole
    shares = [case.volume(case.evaluated[:count]) / whole for count in range(1, len(case.evaluated) + 1)]
    rising = [(count, share) for count, share in enumerate(shares, start=1) if share > max([0.0, *shares[: count - 1]])]
    assert list(found.history) == rising
    nearest = max(min(case.times_better(each, e) for e in case.evaluated) for each in case.every)
    assert found.factor == pytest.approx(float(nearest), rel=1e-15)
    values = {tuple(record.value(o.name) for o in case.objectives) for record in case.evaluated}
    exact = {tuple(record.value(o.name) for o in case.objectives) for record in case.exact}
    assert found.found == len(values & exact)


@few
@given(case=cases(), data=st.data())
def test_further_trials_never_make_it_worse_and_their_order_does_not_matter(case: Case, data: st.DataObject) -> None:
    """One more record lowers no share, raises no factor and loses no point; only the way there depends on the order."""
    before, after = case.quality(case.evaluated[:-1] or case.evaluated), case.quality(case.evaluated)
    assert before.share <= after.share <= 1
    assert before.factor >= after.factor >= 1
    assert before.found <= after.found <= len(case.exact)
    assert before.reference == after.reference
    again = case.quality(data.draw(st.permutations(case.evaluated)))
    assert (again.share, again.factor, again.found) == (after.share, after.factor, after.found)
    shares = [share for _count, share in after.history]
    assert shares == sorted(set(shares))


@few
@given(case=cases())
def test_the_exact_front_is_at_no_distance_from_itself(case: Case) -> None:
    """All of the hypervolume, all of the points, and a factor of 1; and nothing less than all points has both."""
    itself = case.quality(case.every)
    assert (itself.share, itself.factor, itself.found) == (1, 1, len(case.exact))
    other = case.quality(case.evaluated)
    assert (other.found == len(case.exact)) == (other.factor == 1) == (other.share == 1)


def test_the_reference_point_is_of_the_question_alone() -> None:
    """One more than a limit, 0 for a score, twice the most of the exact front elsewhere."""
    case = Case(["minimize", "maximize", "minimize"], {"minimize 0": 9}, [(1, 3, 4), (2, 4, 3), (9, 1, 50)], [2])
    assert len(case.exact) == 2
    assert case.quality(case.evaluated).reference == {"minimize 0": 10, "maximize 1": 0, "minimize 2": 8}
    assert case.quality(case.evaluated).share == 0
    assert case.quality(case.evaluated).history == ()


def test_what_is_not_above_0_has_no_factor() -> None:
    """A score of 0 is refused, not divided by."""
    case = Case(["maximize"], {}, [(0,), (2,)], [0])
    with pytest.raises(InputError, match="maximize 0 is 0 somewhere: shares and factors need values above 0"):
        case.quality(case.evaluated)


@pytest.mark.parametrize("objectives", [["params", "macs"], ["prior"], ["inference_memory", "prior", "macs"]], ids=str)
def test_a_study_is_held_against_the_exact_answer_of_its_question(objectives: list[str]) -> None:
    """The exact front is `exact_front`'s; with few trials it is not reached, and found points are on it."""
    asked = {"budget": LIMITS, "objectives": objectives, "extrapolate": True}
    result, proven = run_search("tiny", **asked, trials=10, sampler="random"), exact_front("tiny", **asked)
    assert result.quality is not None
    assert result.quality.exact == proven.front
    assert 0 < result.quality.share < 1 < result.quality.factor
    whole = quality_of(proven.records, proven.front, proven.objectives, LIMITS)
    assert (whole.share, whole.factor, whole.found) == (1, 1, len(proven.front))


def test_a_front_that_needs_too_much_is_left_out_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """The study stands; why it has no distance is a circumstance, without advice for another method."""
    monkeypatch.setattr("pvtsearch.search.stagewise.solve.__kwdefaults__", {"most": 5})
    result = run_search("tiny", budget=LIMITS, objectives=["params", "macs"], trials=3)
    assert result.quality is None
    assert result.circumstances["not_compared"] == "the exact front needs more than 5 partial networks of 1 stages"
