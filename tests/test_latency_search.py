"""Laws of predicted latency as a metric: it adds over stages in integers, and every search holds its limit."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from small_spaces import every_config
from synthetic_device import calibrated

from pvtsearch.analysis.calibration import Calibration
from pvtsearch.analysis.calibration_document import read_calibration
from pvtsearch.analysis.metrics import Costing, analytic_cost, costing_with
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.sweep import Sweep
from pvtsearch.cli import run
from pvtsearch.cost import Budget
from pvtsearch.errors import BudgetError, InputError
from pvtsearch.knobs import ShareRule, StageKnobs
from pvtsearch.presets import PRESETS
from pvtsearch.report.recheck import recheck
from pvtsearch.search import draws
from pvtsearch.search.counting import take_stock
from pvtsearch.search.draws import estimate_feasible, uniform_draws
from pvtsearch.search.exact import exact_front
from pvtsearch.search.limits import baseline_budget
from pvtsearch.search.pareto import nondominated
from pvtsearch.search.problem import Problem
from pvtsearch.search.run import run_search
from pvtsearch.serialize_space import load_space
from pvtsearch.space import SearchSpace

TINY = load_space("tiny")
SIZE = (64, 64)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration of the synthetic device, with some noise, so that every part of the model is at work."""
    path = tmp_path_factory.mktemp("devices") / "latency-one.json"
    calibrated(TINY, SIZE, path, noise=0.03)
    return path


@pytest.fixture(scope="module")
def calibration(file: Path) -> Calibration:
    return read_calibration(file)


@st.composite
def parts_of_tiny(draw: st.DrawFn) -> SearchSpace:
    """A space with some of the values of `tiny`."""

    def some(knobs: StageKnobs) -> StageKnobs:
        kept = {name: draw(st.lists(st.sampled_from(v), min_size=1, max_size=2, unique=True).map(tuple))
                for name, v in knobs.by_name().items()}  # fmt: skip
        return replace(knobs, **kept)

    return replace(TINY, stages=tuple(some(knobs) for knobs in TINY.stages))


@given(parts_of_tiny(), st.data())
@settings(max_examples=25, deadline=None)
def test_the_exact_front_under_a_latency_limit_is_that_of_brute_force(
    calibration: Calibration, space: SearchSpace, data: st.DataObject
) -> None:
    """Points, and how many tie, with latency limited and an objective."""
    configs = every_config(space, SIZE)
    assume(0 < len(configs) <= 300)
    costing = Costing(("params", "macs", "latency_ns"), MemorySetting(), calibration)
    costs = [analytic_cost(config, SIZE, costing=costing) for config in configs]
    limit = data.draw(st.sampled_from([cost["latency_ns"] for cost in costs]))
    inside = np.array([[c["params"], c["latency_ns"]] for c in costs if c["latency_ns"] <= limit])
    best = np.unique(inside[nondominated(inside)], axis=0)
    result = exact_front(space, ["params", "latency"], Budget({"latency_ns": limit}), calibration=calibration)
    found = np.array([[r.cost["params"], r.cost["latency_ns"]] for r in result.front])
    assert (found == best).all()
    assert result.certificate is not None
    assert list(result.certificate.ties) == [int((inside == point).all(axis=1).sum()) for point in found]


def test_stages_and_head_add_up_to_the_network(calibration: Calibration) -> None:
    """What tables of all options add up to is what one network is predicted alone, to the nanosecond."""
    costing = costing_with(["latency_ns"], MemorySetting(), calibration)
    sweep = Sweep(TINY, SIZE, costing=costing)
    points, costs = next(sweep.sample(1000, seed=1))
    column = costing.metrics.index("latency_ns")
    for point, cost in zip(points[:300], costs[:, column], strict=False):
        assert calibration.model.network_ns(sweep.config(point)) == cost


def test_more_blocks_never_take_less(calibration: Calibration) -> None:
    """A network with a block more in any stage is predicted to take longer."""
    for row in calibration.of_role("held_out"):
        config = row.subject.part.config
        for place, stage in enumerate(config.stages):
            stages = list(config.stages)
            stages[place] = replace(stage, depth=stage.depth + 1)
            deeper = replace(config, stages=tuple(stages))
            assert calibration.model.network_ns(deeper) > calibration.model.network_ns(config)


def test_trials_and_draws_hold_the_limit(calibration: Calibration) -> None:
    """Each sampler's trials, the structured one's among them, and uniform draws are within the limit."""
    limit = sorted(h.predicted_ns for h in calibration.held_out)[4]
    budget = Budget({"latency_ns": limit})
    for sampler in ("structured", "random"):
        result = run_search(
            TINY,
            budget=budget,
            objectives=["params", "latency"],
            calibration=calibration,
            sampler=sampler,
            trials=20,
        )
        assert len(result.records) == 20
        assert all(record.cost["latency_ns"] <= limit for record in result.records)
        assert result.prediction is not None
        assert result.prediction.errors["count"] == 12
    problem = Problem(TINY, SIZE, budget=budget, costing=costing_with(budget.limits, MemorySetting(), calibration))
    drawn = uniform_draws(problem, 50, seed=0)
    assert all(calibration.model.network_ns(config) <= limit for config in drawn)
    estimate = estimate_feasible(problem, draws=2000)
    costs = np.concatenate([costs for _, costs in Sweep(TINY, SIZE, costing=problem.costing).every_point()])
    inside = (costs[:, problem.costing.metrics.index("latency_ns")] <= limit).sum()
    assert estimate.low <= inside <= estimate.high
    assert take_stock(problem).feasible == inside


def test_a_rule_bounds_the_latency_of_a_stage(calibration: Calibration) -> None:
    """`stage 1: latency <= 0.4 budget` is held by every network found."""
    limit = max(h.predicted_ns for h in calibration.held_out)
    space = replace(TINY, rules=(*TINY.rules, ShareRule(1, "latency", "<=", 0.4)))
    result = exact_front(space, ["params", "latency"], Budget({"latency_ns": limit}), calibration=calibration)
    costing = costing_with(["latency_ns"], MemorySetting(), calibration)
    problem = Problem(TINY, SIZE, costing=costing)
    column = costing.metrics.index("latency_ns")
    for record in result.front:
        stage = record.config.stages[0]
        first = [int(b.costs[list(b.rows).index(row), column])
                 for b in problem.branches(TINY.templates[0], 0, problem.start())
                 for row in b.rows if TINY.options[0].stages[row] == stage]  # fmt: skip
        assert first[0] <= 0.4 * limit
    with pytest.raises(BudgetError, match="needs a limit on latency"):
        exact_front(space, ["params"], Budget({"params": 10**6}))


def test_a_baseline_is_matched_as_measured(calibration: Calibration) -> None:
    """The limit is the measured latency of the network; one that was not measured is refused with the command."""
    budget = baseline_budget(PRESETS["resnet18"].config, SIZE, match=["latency"], calibration=calibration)
    assert budget.limits == {"latency_ns": calibration.references_ns["resnet18"]}
    assert "latency measured on Synthetic One" in budget.source
    with pytest.raises(BudgetError, match=r"measure it with: pvtsearch calibrate tiny .* --references resnet50"):
        baseline_budget(PRESETS["resnet50"].config, SIZE, match=["latency"], calibration=calibration)


def test_latency_needs_a_calibration_of_this_input(calibration: Calibration) -> None:
    """Without one, or with one of another input, nothing is predicted."""
    with pytest.raises(BudgetError, match="see 'pvtsearch calibrate'"):
        Costing(("latency_ns",))
    with pytest.raises(InputError, match="measured for classification at 64x64, asked for is classification at 96x96"):
        exact_front(TINY, ["latency"], image_size=96, calibration=calibration)
    with pytest.raises(BudgetError, match="resnet18: latency is predicted for PVT only"):
        analytic_cost(PRESETS["resnet18"].config, SIZE, costing=Costing(("latency_ns",), calibration=calibration))


def search(file: Path, out: Path, *options: str) -> int:
    return run(["search", "tiny", "--objectives", "params,latency", "--calibrations", str(file.parent),
                "--out", str(out), *options])  # fmt: skip


def test_what_a_search_writes_says_that_latency_is_predicted(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Limit, prediction, its errors, and why nothing was measured, in all files; a second look agrees."""
    assert search(file, tmp_path, "--max-latency", "1.5ms") == 0
    said = capsys.readouterr().out
    assert "Latency is predicted, as a sum over stages, from measurements on Synthetic One" in said
    assert "No network of the front was measured: device name is" in said
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["budget"]["limits"] == {"latency_ns": 1_500_000}
    assert summary["latency"]["is"] == "predicted"
    assert summary["latency"]["errors"]["count"] == 12
    low, high = summary["latency"]["range_ns"]
    tested = [h.measured_ns for h in read_calibration(file).held_out]
    assert low <= min(tested) < max(tested) <= high
    fronts = list(csv.DictReader((tmp_path / "front.csv").read_text().splitlines()))
    faster = sum(int(row["latency_ns"]) < low for row in fronts)
    assert faster
    assert f"of the {len(fronts)} of the front, by prediction, {faster} faster: extrapolated" in said
    rows = list(csv.DictReader((tmp_path / "front.csv").read_text().splitlines()))
    assert all(int(row["latency_ns"]) <= 1_500_000 for row in rows)
    page = (tmp_path / "report.html").read_text()
    assert "Predicted latency at most" in page
    assert '<option value="latency_ms">Predicted latency (ms)</option>' in page
    assert ">Measured latency<" in page
    assert recheck(tmp_path).differences == ()


def test_matching_a_measured_network(file: Path, calibration: Calibration, tmp_path: Path) -> None:
    """`--budget resnet18 --match latency` limits to what ResNet-18 took."""
    assert search(file, tmp_path, "--budget", "resnet18", "--match", "latency", "--measure", "0") == 0
    assert json.loads((tmp_path / "summary.json").read_text())["budget"]["limits"] == {
        "latency_ns": calibration.references_ns["resnet18"]
    }


def test_a_space_under_a_latency_limit(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`space` estimates how much of it is within the limit; with fewer draws here."""
    monkeypatch.setattr(draws, "estimate_feasible", partial(estimate_feasible, draws=500))
    assert run(["space", "tiny", "--max-latency", "1.2ms", "--calibrations", str(file), "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["budget"]["limits"] == {"latency_ns": 1_200_000}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--max-latency", "5ms", "--batch-size", "8"],
         "fits cpu, float32, batch 8, eager, classification at 64x64 for tiny; make one with: pvtsearch calibrate tiny "
         "--device cpu --dtype float32 --batch-size 8 --execution eager --image-size 64"),
        (["--max-latency", "5ms", "--device", "cuda"], "pvtsearch calibrate tiny --device cuda"),
        (["--max-latency", "5ms", "--device", "tpu"], "device must be cpu, cuda or cuda:N"),
        (["--max-latency", "5 parsecs"], "and below 1e100, with a unit (s, ms, us, ns)"),
        (["--budget", "resnet50", "--match", "latency"], "resnet50 was not measured (measured are resnet18)"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(
    options: list[str], said: str, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, one line, nothing written."""
    out = tmp_path / "out"
    assert search(file, out, *options) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not out.exists()


def test_options_of_latency_need_latency(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A device means nothing to parameters."""
    out = tmp_path / "out"
    assert (
        run(["search", "tiny", "--max-params", "1M", "--objectives", "params", "--device", "cpu", "--out", str(out)])
        == 2
    )
    assert "--device is of latency, which is not asked for" in capsys.readouterr().err
