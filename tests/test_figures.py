"""Figures are drawn from rows alone; what a view says must agree with the rows."""

from __future__ import annotations

import dataclasses

import pytest
from results import compared_result, search_result

from pvtsearch.cost import Budget
from pvtsearch.records import Objective, Prediction, TrialRecord
from pvtsearch.report.axes import axis_range, limit_shapes
from pvtsearch.report.drawn import drawn
from pvtsearch.report.figures import FIGURES
from pvtsearch.report.front_figure import BOTTOM_TICKS, EXACT, FRONT, LANDMARKS, SIDE_TICKS, TRIALS
from pvtsearch.report.front_lines import front_line
from pvtsearch.report.quantities import Quantity
from pvtsearch.report.rows import ReportRows, report_rows


@pytest.fixture(scope="module")
def rows() -> ReportRows:
    return report_rows(search_result(120))


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("trials", [0, 1, 40])
def test_every_figure_is_drawn_from_any_number_of_trials(name: str, trials: int) -> None:
    """No figure needs a front."""
    assert FIGURES[name](report_rows(search_result(trials))).to_json()


def test_every_network_is_one_point(rows: ReportRows) -> None:
    """Front and trials together are drawn once each, the trials in WebGL; each knows its number on the page."""
    figure = FIGURES["front"](rows)
    assert len(figure.data[TRIALS].x) == len(rows.trials)
    assert len(figure.data[FRONT].x) == len(rows.front)
    assert figure.data[TRIALS].type == "scattergl"
    number = len(rows.quantities) + 1
    numbers = [values[number] for trace in (FRONT, TRIALS) for values in figure.data[trace].customdata]
    assert sorted(numbers) == list(range(len(rows.front) + len(rows.trials)))
    assert {values[number + 1]: values[number] for values in figure.data[FRONT].customdata} == {
        row.name: place for place, row in enumerate(rows.front)
    }


def test_a_pair_of_axes_is_a_view(rows: ReportRows) -> None:
    """Any two of the quantities make a view, both ways round, and a score is up at first."""
    meta = FIGURES["front"](rows).layout.meta
    assert len(meta["views"]) == 6
    assert meta["first"] == "macs|prior"


def test_landmarks_without_a_score_are_ticks(rows: ReportRows) -> None:
    """On a score's axis a ResNet is a tick on the other axis, at its cost; on two costs it is a point like others."""
    views = FIGURES["front"](rows).layout.meta["views"]
    for pair, ticks, place in (("macs|prior", BOTTOM_TICKS, "x"), ("prior|macs", SIDE_TICKS, "y")):
        trace = views[pair]["traces"][str(ticks)]
        assert trace[place][trace["text"].index("resnet50")] == 4_089_184_256
        assert "resnet50" not in views[pair]["traces"][str(LANDMARKS)]["text"]
    assert "resnet50" in views["macs|params"]["traces"][str(LANDMARKS)]["text"]
    assert views["macs|params"]["traces"][str(BOTTOM_TICKS)]["x"] == []


@pytest.mark.parametrize(
    ("directions", "shapes"),
    [
        (("maximize", "minimize"), {"macs|prior": "hv", "prior|macs": "vh"}),
        (("minimize", "minimize"), {"macs|prior": "vh", "prior|macs": "hv"}),
    ],
)
def test_the_front_is_a_staircase_of_what_is_reached(
    rows: ReportRows, directions: tuple[str, str], shapes: dict[str, str]
) -> None:
    """Steps are drawn to the side of the networks that exist: no step promises what none reaches."""
    turned = dataclasses.replace(rows, objectives=dict(zip(("prior", "macs"), directions, strict=True)))
    if directions == ("minimize", "minimize"):  # a front of two costs falls: turn the rising one over
        flipped = tuple(
            dataclasses.replace(row, values={**row.values, "macs": -row.values["macs"]}) for row in rows.front
        )
        turned = dataclasses.replace(turned, front=flipped)
    for pair, shape in shapes.items():
        assert front_line(turned, *pair.split("|"))["line"]["shape"] == shape
    assert front_line(turned, "params", "prior") == {"mode": "markers"}


def test_the_exact_front_is_a_line_on_the_two_objectives_alone() -> None:
    """It has the front's shape and all of its own points, inside the axes; elsewhere, and without it, there is none."""
    rows = report_rows(compared_result(60))
    views = FIGURES["front"](rows).layout.meta["views"]
    line = views["macs|prior"]["traces"][str(EXACT)]
    assert line["x"] == [point["macs"] for point in rows.exact]
    assert line["y"] == [point["prior"] for point in rows.exact]
    assert line["line"]["shape"] == views["macs|prior"]["traces"][str(FRONT)]["line"]["shape"]
    assert views["macs|prior"]["layout"]["yaxis"]["range"][1] > max(line["y"])
    assert views["macs|params"]["traces"][str(EXACT)]["x"] == []
    alone = FIGURES["front"](report_rows(search_result(60)))
    assert not alone.data[EXACT].x
    assert not alone.data[EXACT].showlegend


def test_progress_is_drawn_from_its_rows() -> None:
    """A step at every rise of the share."""
    rows = report_rows(compared_result(60))
    (line,) = FIGURES["progress"](rows).data
    assert list(zip(line.x, line.y, strict=True)) == [(row.evaluated, row.share) for row in rows.progress]


def test_three_objectives_make_no_line() -> None:
    """A front of three objectives is a cloud on any two of them."""
    result = search_result(30)
    three = dataclasses.replace(result, objectives=(*result.objectives, Objective("params", "minimize")))
    rows = report_rows(three)
    assert front_line(rows, "macs", "prior") == {"mode": "markers"}


def test_a_front_is_seen_beside_its_peers() -> None:
    """Published networks just outside what was found are inside the axes; far ones do not squeeze it into a corner."""
    result = search_result(60)
    best = max(result.front, key=lambda record: record.scores["prior"])
    few = dataclasses.replace(result, records=(best, result.front[0]), front=(best, result.front[0]))
    rows = report_rows(few)
    layout = FIGURES["front"](rows).layout.meta["views"]["macs|prior"]["layout"]
    drawn = {
        row.name
        for row in rows.landmarks
        if all(
            layout[axis]["range"][0] < row.values.get(name, -1) < layout[axis]["range"][1]
            for axis, name in (("xaxis", "macs"), ("yaxis", "prior"))
        )
    }
    values = [row.values for row in rows.front]
    spans = {name: sorted(value[name] for value in values) for name in ("macs", "prior")}
    for row in rows.landmarks:
        near = all(
            low - (high - low) / 2 <= row.values.get(name, -1e99) <= high + (high - low) / 2
            for name, (low, high) in spans.items()
        )
        assert not near or row.name in drawn
    assert "pvt_large" not in drawn


def test_a_limit_is_a_line_with_shade_beyond() -> None:
    """The budget's line stands at its limit, and the shade begins there."""
    span = axis_range([1.0, 9.0], [], 10)
    shapes, annotations = limit_shapes(Quantity("macs", limit=10), Quantity("params"), span, span)
    assert [(shape["type"], shape["x0"]) for shape in shapes] == [("rect", 10), ("line", 10)]
    assert [note["text"] for note in annotations] == ["budget 10"]


def test_axes_show_all_values_and_the_limit() -> None:
    """A range holds everything it should, is never empty, and is logarithmic only for values far apart."""
    for values, limit in (([5.0, 6.0], 8), ([5.0], None), ([], None), ([1.0, 1000.0], 2000), ([0.0], None)):
        span = axis_range(values, [], limit)
        shown = [*values, *([limit] if limit else [])] or [0.5]
        assert span.low < min(shown)
        assert span.high > max(shown)
        assert span.log == (values == [1.0, 1000.0])


def test_without_a_budget_nothing_is_shaded() -> None:
    """No limits: no lines and no shade."""
    figure = FIGURES["front"](report_rows(dataclasses.replace(search_result(10), budget=Budget())))
    assert not figure.layout.shapes
    assert not figure.layout.annotations


def test_a_metric_that_no_published_network_has_is_an_axis_too() -> None:
    """Memory or latency, known for the trials alone, is drawn with its limit; landmarks stand on the other axis."""
    result = search_result(12)

    def with_memory(records: tuple[TrialRecord, ...]) -> tuple[TrialRecord, ...]:
        return tuple(
            dataclasses.replace(r, cost={**r.cost, "inference_peak_bytes": r.cost["macs"] // 40}) for r in records
        )

    budget = Budget({"inference_peak_bytes": 2**27}, source="by hand")
    known = dataclasses.replace(
        result, budget=budget, records=with_memory(result.records), front=with_memory(result.front)
    )
    rows = report_rows(known)
    view = FIGURES["front"](rows).layout.meta["views"]["inference_peak_bytes|macs"]
    assert view["traces"][str(LANDMARKS)]["x"] == []
    assert len(view["traces"][str(SIDE_TICKS)]["y"]) == len(rows.landmarks)
    assert [note["text"] for note in view["layout"]["annotations"]] == ["budget 128.0 MiB"]


def test_latency_is_drawn_in_milliseconds() -> None:
    """Points, landmarks, limit and title; an axis would write 5M for five million nanoseconds."""
    result = search_result(12)

    def with_latency(records: tuple[TrialRecord, ...]) -> tuple[TrialRecord, ...]:
        return tuple(dataclasses.replace(r, cost={**r.cost, "latency_ns": r.cost["macs"] // 1000}) for r in records)

    known = dataclasses.replace(
        result,
        budget=Budget({"latency_ns": 4_000_000}, source="by hand"),
        records=with_latency(result.records),
        front=with_latency(result.front),
        prediction=Prediction("c.json", "", {"device_name": "One", "dtype": "float32", "batch_size": 1,
                                             "execution": "eager"}, {}, {"pvt_small": 3_900_000}),
    )  # fmt: skip
    rows = drawn(report_rows(known))
    figure = FIGURES["front"](rows)
    view = figure.layout.meta["views"]["latency_ms|macs"]
    assert [note["text"] for note in view["layout"]["annotations"]] == ["budget 4.00 ms"]
    assert view["layout"]["xaxis"]["title"]["text"] == "Predicted latency (ms)"
    assert view["traces"][str(LANDMARKS)]["x"] == [3.9]
    for network, before in zip(rows.front, report_rows(known).front, strict=True):
        assert network.values["latency_ms"] == before.values["latency_ns"] / 1e6
        assert "latency_ns" not in network.values
