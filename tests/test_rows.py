"""The report's rows are what its figures and tables say: pure values, held against the search's result."""

from __future__ import annotations

import dataclasses

import pytest
from results import PRIOR_AND_MACS, RESNET50, compared_result, pyramid, result_of, search_result

from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.metrics import analytic_cost, costing_with
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import PooledReduction, StageConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError
from pvtsearch.presets import PRESETS
from pvtsearch.records import Certificate, Finalist, Objective, Prediction, Quality, SearchResult
from pvtsearch.report.landmarks import landmark_rows
from pvtsearch.report.quantities import Quantity, exact_with_unit, magnitude, percent, readable
from pvtsearch.report.rows import (
    NetworkRow,
    ProgressRow,
    StageRow,
    beside_in_words,
    chosen,
    chosen_networks,
    exact_rows,
    front_rows,
    progress_rows,
    report_rows,
    stage_row,
    trial_rows,
)
from pvtsearch.report.shown import cards, quantities
from pvtsearch.report.wording import FactRow, certificate_in_words, fact_rows, headline, quality_in_words

SMALL = pyramid((64, 128, 320, 512), (3, 4, 6, 3), (8, 8, 4, 4))
TINY = pyramid((64, 128, 320, 512), (2, 2, 2, 2), (8, 8, 4, 4))
EARLY = pyramid((96, 128, 320, 416), (2, 2, 2, 2), (8, 8, 4, 4))  # wide where MACs are dear: TINY beats it
LOOSE = Budget({"params": 100_000_000}, source="by hand")


def test_a_front_row_holds_values_shares_and_stages() -> None:
    """Front rows are named by position and hold exact values, shares of the limits and every stage's settings."""
    row = front_rows(result_of([SMALL, TINY], budget=LOOSE))[1]
    cost = network_cost(SMALL, (224, 224)).total
    assert row == NetworkRow(
        name="front_002",
        trial=0,
        values={"prior": 4284, "macs": cost.macs, "params": cost.params},
        shares={"params": cost.params / 100_000_000},
        stages=(
            StageRow(4, 64, 3, 2, 8, "sr 8"),
            StageRow(2, 128, 4, 4, 8, "sr 4"),
            StageRow(2, 320, 6, 10, 4, "sr 2"),
            StageRow(2, 512, 3, 16, 4, "sr 1"),
        ),
    )


def test_trials_and_front_share_the_records() -> None:
    """Every record is a front row or a trial row, and none is both."""
    result = search_result(60)
    front, trials = ({row.trial for row in rows} for rows in (front_rows(result), trial_rows(result)))
    assert front | trials == {record.trial for record in result.records}
    assert not front & trials
    assert [row.name for row in trial_rows(result_of([SMALL, TINY, EARLY], budget=LOOSE))] == ["trial 2"]


def test_pooled_reduction_is_named() -> None:
    """A stage with linear SRA says what it pools to."""
    stage = StageConfig(2, 64, 1, 2, 4, PooledReduction(7))
    assert stage_row(stage) == StageRow(2, 64, 1, 2, 4, "pool 7")


def test_landmarks_have_real_costs_and_only_pyramids_have_a_prior() -> None:
    """A landmark's cost is its closed form at the run's input; a ResNet has no prior score."""
    rows = {row.name: row for row in landmark_rows(search_result(5))}
    assert rows.keys() == PRESETS.keys()
    assert rows["resnet50"].values == RESNET50.limits
    assert rows["resnet50"].within_budget
    assert rows["pvt_small"].values["prior"] == 4284
    assert rows["pvt_small"].published == PRESETS["pvt_small"].published
    assert not rows["pvt_medium"].within_budget


def test_landmarks_follow_the_input_size() -> None:
    """At another input the MACs are those of that input, and what does not fit it is left out."""
    small = dataclasses.replace(search_result(3), image_size=(64, 64))
    rows = {row.name: row for row in landmark_rows(small)}
    assert rows["resnet50"].values["macs"] == network_cost(PRESETS["resnet50"].config, (64, 64)).total.macs
    tiny = dataclasses.replace(search_result(0), image_size=(16, 16))
    assert "pvt_small" not in {row.name for row in landmark_rows(tiny)}
    assert [each.name for each in chosen_networks(tiny).networks] == ["resnet50"]


def test_a_budget_on_an_unknown_metric_leaves_a_landmark_undecided() -> None:
    """Where a limited cost of a landmark is not known, it is neither within nor beyond the budget."""
    result = dataclasses.replace(search_result(0), budget=Budget({"latency_ns": 5_000_000}))
    assert {row.within_budget for row in landmark_rows(result)} == {None}


def test_chosen_networks_stand_beside_published_ones() -> None:
    """A few of the front under their names of the front, then the references, for the search's input and memory."""
    result = dataclasses.replace(search_result(200), memory={"batch_size": 2, "dtype": "float16", "attention": "fused"})
    found = chosen_networks(result)
    names = [row.name for row in front_rows(result)]
    assert [each.name for each in found.networks] == [
        *(names[place] for place in chosen(result)),
        "pvt_small",
        "resnet50",
    ]
    assert [each.name for each in found.references] == ["pvt_small", "resnet50"]
    assert (found.about.batch_size, found.about.dtype, found.about.image_size) == (2, "float16", (224, 224))


def test_the_best_is_held_against_the_network_of_the_budget() -> None:
    """Its shares of that network's parameters and MACs, and of its latency where both were measured."""
    result = search_result(100)
    best = max(result.front, key=lambda record: record.value("prior"))
    place = result.front.index(best)
    params, macs = best.cost["params"] / 25_557_032, best.cost["macs"] / 4_089_184_256
    said = beside_in_words(result)
    assert said.startswith(f"Beside resnet50, {front_rows(result)[place].name}, the best of the front by prior, has ")
    assert said.endswith(f"{params:.2f} of its parameters and {macs:.2f} of its MACs.")
    prediction = Prediction("a.json", "", {}, {}, {"resnet50": 100}, None)
    measured = dataclasses.replace(result, prediction=prediction, finalists=(Finalist(place, 70, 81),))
    assert beside_in_words(measured).endswith("and 0.81 of its latency, measured.")
    assert beside_in_words(dataclasses.replace(result, budget=Budget({"macs": 10**10}, "limits given by hand"))) == ""
    assert beside_in_words(search_result(0)) == ""


def test_chosen_networks_span_the_front() -> None:
    """The networks of the breakdown are distinct and hold both ends of the front; a short front is all of them."""
    result = search_result(300)
    positions = chosen(result)
    assert len(set(positions)) == 4
    assert {0, len(result.front) - 1} <= set(positions)
    assert chosen(search_result(1)) == (0,)
    assert chosen(search_result(0)) == ()


def test_quantities_say_what_is_a_score_and_what_is_limited() -> None:
    """Objectives come first; a score knows that it is one, a limited metric its limit."""
    result = dataclasses.replace(search_result(3), extrapolated=True)
    assert quantities(result) == (
        Quantity("prior", is_score=True, extrapolated=True),
        Quantity("macs", limit=RESNET50.limits["macs"]),
        Quantity("params", limit=RESNET50.limits["params"]),
    )
    assert quantities(result)[0].title == "Prior (extrapolated)"


def test_no_score_without_its_card() -> None:
    """Scores are shown where they are objectives, always with their card; a signal without a card is refused."""
    result = search_result(3)
    assert cards(result) == (SIGNALS["prior"].card,)
    without = dataclasses.replace(result, objectives=(Objective("macs", "minimize"), Objective("params", "minimize")))
    rows = report_rows(without)
    assert rows.cards == ()
    values = [row.values for row in (*rows.front, *rows.trials)] + [row.values for row in rows.landmarks]
    assert all("prior" not in known for known in values)
    unknown = dataclasses.replace(result, objectives=(Objective("vibes", "maximize"),))
    with pytest.raises(InputError, match="vibes: a score is not shown without a card"):
        report_rows(unknown)


def test_the_headline_says_what_was_found() -> None:
    """The headline counts the front and states the best of the first objective; an empty front has one too."""
    shown = ("prior", "macs", "params")
    cost = network_cost(SMALL, (224, 224)).total
    assert headline(result_of([SMALL, TINY], budget=LOOSE), shown) == (
        "Of 2 networks evaluated within 100.00 M parameters, drawn from the 1.2 × 10¹⁴ networks of pvt_v1, "
        "2 are Pareto-best. The highest prior among them, 4,284, comes with "
        f"{readable('macs', cost.macs)} MACs and {readable('params', cost.params)} parameters."
    )
    assert headline(result_of([], budget=LOOSE), shown) == (
        "None of the 1.2 × 10¹⁴ networks of pvt_v1 was evaluated within 100.00 M parameters."
    )


def test_the_facts_say_how_it_was_made() -> None:
    """Every circumstance of the run becomes a fact, with every digit; what there is not, is left out."""
    result = search_result(2)
    facts = fact_rows(result)
    for fact in (
        FactRow("Size of the space", "123,456,789,012,345 legal, distinct networks"),
        FactRow("Budget", "params at most 25,557,032, macs at most 4,089,184,256"),
        FactRow("Source of the budget", "resnet50"),
        FactRow("Objectives", "maximize prior, minimize macs"),
        FactRow("Seed", "7"),
        FactRow("Command", result.circumstances["command"]),
        FactRow("Versions", "pvtsearch 0.1.0, optuna 5.0.0"),
        FactRow("Dropped", "1,234"),
    ):
        assert fact in facts
    bare = dataclasses.replace(result, sampler="", budget=Budget(), objectives=PRIOR_AND_MACS)
    assert {"Sampler", "Source of the budget"}.isdisjoint(fact.label for fact in fact_rows(bare))


def test_the_way_to_the_exact_front_is_rows() -> None:
    """From nothing, through every rise of the share, to the last trial; and the exact front's points in its order."""
    result = compared_result(60)
    assert result.quality is not None
    rows = progress_rows(result)
    assert rows[0] == ProgressRow(0, 0.0)
    assert rows[-1] == ProgressRow(60, result.quality.share)
    assert {(row.evaluated, row.share) for row in rows[1:]} >= set(result.quality.history)
    points = exact_rows(result)
    assert points == tuple({"prior": r.scores["prior"], "macs": r.cost["macs"]} for r in result.quality.exact)
    assert (progress_rows(search_result(60)), exact_rows(search_result(60))) == ((), ())


def near(found: int, *, prior_alone: bool = False, limits: bool = True) -> SearchResult:
    """A result of one trial beside an exact front of two points, or of one with a single objective."""
    result = result_of([SMALL], budget=RESNET50 if limits else LOOSE)
    if prior_alone:
        quality = Quality({"prior": 0}, result.records, found, 1.25, ((1, 0.8),))
        return dataclasses.replace(result, quality=quality, objectives=PRIOR_AND_MACS[:1])
    quality = Quality({"prior": 0, "macs": 8 * 10**9}, result.records * 2, found, 1.0311, ((1, 0.9999),))
    return dataclasses.replace(result, quality=quality)


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (
            near(1),
            "Solved exactly, the same question has 2 Pareto-best points: the evaluated networks hold 1 of them and "
            "reach 99.9 % of the exact front's hypervolume, measured from prior 0 and the limit of 4.09 G MACs. "
            "Every network within the limits is at most a factor of 1.032 better than some evaluated one, in every "
            "objective at once.",
        ),
        (
            near(0, limits=False),
            "Solved exactly, the same question has 2 Pareto-best points: the evaluated networks hold none of them "
            "and reach 99.9 % of the exact front's hypervolume, measured from prior 0 and 8.00 G MACs (twice the "
            "most on the exact front). Every network within the limits is at most a factor of 1.032 better than some "
            "evaluated one, in every objective at once.",
        ),
        (
            near(2),
            "Solved exactly, the same question has 2 Pareto-best points: the search found all of them. Nothing within "
            "the limits is better.",
        ),
        (
            near(0, prior_alone=True),
            "Solved exactly, the same question has the answer prior 4,284: a factor of 1.250 better than the best "
            "evaluated network, which comes 80.0 % of the way to it from prior 0.",
        ),
        (
            near(1, prior_alone=True),
            "Solved exactly, the same question has the answer prior 4,284: the search found it. Nothing within the "
            "limits is better.",
        ),
        (search_result(3), ""),
    ],
)
def test_the_distance_in_words(result: SearchResult, words: str) -> None:
    """What is known of the distance, never rounded to more than was reached."""
    assert quality_in_words(result) == words


@pytest.mark.parametrize(
    ("objectives", "certificate", "words"),
    [
        (
            PRIOR_AND_MACS,
            Certificate(1200, (2, 5), None),
            "This is proven, not sampled: each of the 1,200 networks within the limits was taken into account. Any "
            "that is better in prior than a network of this front is worse in MACs, and the other way round. 7 "
            "networks reach these 2 points: of those that tie, the one whose head dims are nearest 64 is shown.",
        ),
        (
            (*PRIOR_AND_MACS, Objective("params", "minimize")),
            Certificate(None, (1, 1), None),
            "This is proven, not sampled: every network within the limits was taken into account. Any that is better "
            "than a network of this front in one objective is worse than it in another. No two networks of the "
            "front tie.",
        ),
        (
            (Objective("params", "minimize"),),
            Certificate(None, (), "0.05"),
            "This is proven, not sampled: every network within the limits was taken into account. Each is at most a "
            "factor of 1.05 better than some network of this front, in every objective at once.",
        ),
    ],
)
def test_the_certificate_in_words(objectives: tuple[Objective, ...], certificate: Certificate, words: str) -> None:
    """What is proven, of how many, and what of ties."""
    result = result_of([SMALL, TINY], budget=LOOSE)
    assert certificate_in_words(dataclasses.replace(result, objectives=objectives, certificate=certificate)) == words


def test_the_certificate_of_one_objective() -> None:
    """The best value, and whether others share it."""
    result = result_of([SMALL], budget=LOOSE)
    for objective, word in (
        (Objective("prior", "maximize"), "higher in prior"),
        (Objective("macs", "minimize"), "lower in MACs"),
    ):
        for ties, said in ((1, "No other network ties with it."), (4, "4 networks reach this point: of those")):
            proven = dataclasses.replace(result, objectives=(objective,), certificate=Certificate(9, (ties,), None))
            assert f"None is {word}. {said}" in certificate_in_words(proven)


@pytest.mark.parametrize(
    ("name", "value", "short", "full"),
    [
        ("params", 24_494_848, "24.49 M", "24,494,848 parameters"),
        ("macs", 3_820_000_000, "3.82 G", "3,820,000,000 MACs"),
        ("prior", 4160.0, "4,160", "4,160"),
        ("zero_cost", 0.12345678, "0.123457", "0.123457"),
        ("inference_peak_bytes", 101_921_587, "97.2 MiB", "101,921,587 bytes"),
        ("latency_ns", 4_710_000, "4.71 ms", "4,710,000 ns"),
    ],
)
def test_numbers_are_written_for_people(name: str, value: float, short: str, full: str) -> None:
    """A number has a short form and an exact one."""
    assert (readable(name, value), exact_with_unit(name, value)) == (short, full)


def test_only_the_limit_itself_reads_as_100_percent() -> None:
    """A share just below its limit never reads 100 %, nor does one just above."""
    assert [percent(share) for share in (0.0, 0.9999999 - 1e-4, 1.0, 1.00001)] == [
        "0.0 %",
        "99.9 %",
        "100.0 %",
        "100.1 %",
    ]
    assert (magnitude(999), magnitude(12 * 10**12)) == ("999", "1.2 × 10¹³")


def test_landmarks_have_the_memory_that_the_search_computed() -> None:
    """Where trials have peak memory, published networks have it in the same circumstances, and a verdict with it."""
    memory = {"batch_size": 2, "dtype": "float16", "attention": "explicit"}
    costing = costing_with(["inference_peak_bytes"], MemorySetting(batch_size=2, dtype="float16", attention="explicit"))
    result = search_result(3)
    peaks = [analytic_cost(r.config, (224, 224), costing=costing) for r in result.records]
    records = tuple(dataclasses.replace(r, cost=c) for r, c in zip(result.records, peaks, strict=True))
    budget = Budget({"inference_peak_bytes": 60 * 2**20})
    known = dataclasses.replace(result, records=records, front=records[:1], budget=budget, memory=memory)
    rows = {row.name: row for row in landmark_rows(known)}
    for name in ("resnet50", "pvt_tiny"):
        peak = analytic_cost(PRESETS[name].config, (224, 224), costing=costing)["inference_peak_bytes"]
        assert rows[name].values["inference_peak_bytes"] == peak
        assert rows[name].within_budget is (peak <= 60 * 2**20)
    assert all("inference_peak_bytes" not in row.values for row in landmark_rows(result))
