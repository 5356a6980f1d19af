"""Laws of exact results: what is claimed of them holds, and the same question has the same answer, byte for byte."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pvtsearch import exact_front, run_search
from pvtsearch.accuracy.prior import prior_score
from pvtsearch.analysis.metrics import analytic_cost
from pvtsearch.cli import run
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError, NothingFeasible
from pvtsearch.records import Objective
from pvtsearch.report.recheck import recheck
from pvtsearch.report.wording import headline
from pvtsearch.search.composition import Composition
from pvtsearch.search.decode import Decoder
from pvtsearch.search.limits import baseline_budget, objectives_of, prior_limits
from pvtsearch.search.problem import Problem
from pvtsearch.search.stagewise import solve
from pvtsearch.serialize import load_config
from pvtsearch.serialize_space import load_space
from pvtsearch.space import SearchSpace

LIMITS = Budget({"params": 200_000, "macs": 6_000_000})
SEARCH = ["search", "tiny", "--max-params", "200k", "--max-gmacs", "0.006", "--extrapolate"]


def everything_within(problem: Problem) -> list[tuple[int, int, int]]:
    """Negated prior, MACs and parameters of every configuration within a problem's limits, by walking all of them."""
    decoder = Decoder(problem)
    walked = [decoder.decoded(path) for path in decoder.walk(np.random.default_rng(0))]
    return [(-prior_score(each.config, problem.frame), each.cost["macs"], each.cost["params"]) for each in walked]


def test_nothing_within_the_limits_scores_higher() -> None:
    """The claim for one objective, against all configurations there are; and the number that tie."""
    result = exact_front("tiny", ["prior"], LIMITS, extrapolate=True)
    scores = [-row[0] for row in everything_within(Problem(load_space("tiny"), (64, 64), budget=LIMITS))]
    assert result.front[0].scores["prior"] == max(scores)
    assert result.certificate is not None
    assert result.certificate.ties == (scores.count(max(scores)),)


def test_an_exact_front_holds_every_front_that_trials_find() -> None:
    """No trial beats it, and it is a result like any other: costs, names, objectives."""
    result = exact_front("tiny", ["prior", "macs"], LIMITS, extrapolate=True)
    tried = run_search("tiny", budget=LIMITS, objectives=["prior", "macs"], extrapolate=True, trials=200)
    for record in tried.records:
        assert any(
            each.scores["prior"] >= record.scores["prior"] and each.cost["macs"] <= record.cost["macs"]
            for each in result.front
        )
    assert [record.config.name for record in result.front[:2]] == ["front_001", "front_002"]
    assert all(record.cost == analytic_cost(record.config, (64, 64)) for record in result.front)
    assert (result.method, result.space_size, result.objectives) == ("exact", tried.space_size, tried.objectives)


@pytest.mark.parametrize("task", ["retinanet", "mask_rcnn", "semantic_fpn"])
def test_dense_tasks_as_brute_force(task: str) -> None:
    """Necks and heads are costs of the stages they belong to: the front of whole networks is that of all of them."""
    space = load_space("tiny")
    small = SearchSpace(space.stages, {**space.network, "pool": ("mean",)}, space.rules, image_size=64, name="small")
    limit = baseline_budget(
        small.decode(small.templates[0], tuple(o.stages[0] for o in small.options)), (64, 64), task=task
    )
    budget = Budget({name: int(value * 1.05) for name, value in limit.limits.items()})
    problem = Problem(small, (64, 64), task, budget)
    every = set(everything_within(problem))
    front = {
        row for row in every if not any(o != row and all(a <= b for a, b in zip(o, row, strict=True)) for o in every)
    }
    found = solve(Composition(problem, objectives_of(["prior", "macs", "params"])))
    assert len(every) > 10
    assert list(found.points) == sorted(front)


def test_the_envelope_of_the_prior_is_kept() -> None:
    """As in a search by trials: inside it unless extrapolation is asked for, and then labelled."""
    inside = exact_front("pvt_v1", ["prior", "macs"], "resnet50")
    outside = exact_front("pvt_v1", ["prior"], "resnet50", extrapolate=True)
    budget = baseline_budget(load_config("resnet50"), (224, 224))
    limits = prior_limits(load_space("pvt_v1"), budget, (224, 224), "classification")
    widths = [limit for limit in limits if limit.quantity == "embed_dim"]
    for record in inside.front:
        assert all(limit.lower <= record.config.stages[limit.stage].embed_dim <= limit.upper for limit in widths)
    assert not inside.extrapolated
    assert "and inside the prior's envelope: proven." in headline(inside, ["prior", "macs"])
    assert "envelope" not in headline(outside, ["prior", "macs"])
    assert outside.extrapolated
    assert outside.front[0].scores["prior"] > inside.front[0].scores["prior"]


def test_what_does_not_combine_over_stages_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown objectives, and known ones that are no sum over stages."""
    with pytest.raises(InputError, match="objectives: acuracy: unknown"):
        exact_front("tiny", ["acuracy"], LIMITS)
    with pytest.raises(InputError, match="accuracy does not combine over stages"):
        exact_front("tiny", ["accuracy"], LIMITS)
    from pvtsearch.accuracy.signals import SIGNALS, Signal

    monkeypatch.setitem(SIGNALS, "trained", Signal(lambda _config, _frame: 0.5, SIGNALS["prior"].card))
    problem = Problem(load_space("tiny"), (64, 64))
    with pytest.raises(InputError, match="trained does not combine over stages"):
        Composition(problem, [Objective("trained", "maximize")])


def test_rules_that_leave_nothing_are_named() -> None:
    """Not the budget and not the input: the rule, where without it something would be left."""
    space = load_space("tiny")
    first = replace(space.stages[0], embed_dim=(96,))
    falling = replace(space, stages=(first, *space.stages[1:]))
    with pytest.raises(NothingFeasible, match="keeps the space's rules: embed_dim nondecreasing"):
        exact_front(falling, ["macs"], Budget({"macs": 10**12}))


def test_nothing_feasible_and_bad_epsilons_are_said() -> None:
    """Each with its own line."""
    with pytest.raises(InputError, match="must be a sequence of names"):
        exact_front("tiny", "macs", LIMITS)
    with pytest.raises(NothingFeasible, match="raise the budget"):
        exact_front("tiny", ["macs"], Budget({"params": 1000}))
    for epsilon in ("0", "2", "much", "0.0001"):
        with pytest.raises(InputError, match=r"epsilon must be a number from 0\.001 to 1"):
            exact_front("tiny", ["macs"], LIMITS, epsilon=epsilon)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def test_the_command_is_exact_by_default_and_repeats_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same bytes twice; files that agree with each other; the proof in words; and a front that can be rechecked."""
    assert run([*SEARCH, "--out", str(tmp_path)]) == 0
    first = files(tmp_path)
    assert run([*SEARCH, "--out", str(tmp_path)]) == 0
    assert files(tmp_path) == first
    assert "This is proven, not sampled: each of the" in capsys.readouterr().out
    summary = json.loads(first["summary.json"])
    feasible = everything_within(Problem(load_space("tiny"), (64, 64), budget=LIMITS))
    assert (summary["method"], summary["feasible"]) == ("exact", len(feasible))
    front = list(csv.DictReader(first["front.csv"].decode().splitlines()))
    assert list(front[0]) == ["name", "trial", "state", "params", "macs", "prior", "ties", "config"]
    assert summary["ties"] == sum(int(row["ties"]) for row in front)
    assert not {"sampler", "seed", "trials", "epsilon"} & summary.keys()
    points = [(-int(row["prior"]), int(row["macs"])) for row in front]
    assert [int(row["ties"]) for row in front] == [[f[:2] for f in feasible].count(point) for point in points]
    assert b'<p class="claim">This is proven, not sampled: ' in first["report.html"]
    assert recheck(tmp_path).networks == len(front)
    assert run(["verify", "--front", str(tmp_path)]) == 0
    assert f"{len(front)} networks of {tmp_path} costed anew, 0 differences." in capsys.readouterr().out


def test_a_front_that_was_tampered_with_is_found_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed network and a missing row each are named, with status 1; a folder of something else is bad input."""
    assert run([*SEARCH, "--out", str(tmp_path)]) == 0
    path = tmp_path / "front" / "front_001.yaml"
    path.write_text(path.read_text().replace("num_classes: 1000", "num_classes: 10"))
    assert run(["verify", "--front", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "front_001: the YAML is another configuration than front.csv's" in out
    assert "front_001: params is" in out
    lines = (tmp_path / "front.csv").read_text().splitlines()
    (tmp_path / "front.csv").write_text("\n".join(lines[:-1]) + "\n")
    assert f"front.csv has {len(lines) - 2:,} networks" in " ".join(recheck(tmp_path).differences)
    assert run(["verify", "--front", str(tmp_path / "front")]) == 2
    assert "must be the folder of a search" in capsys.readouterr().err


def test_a_front_within_epsilon_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the answer, the page and the summary; and it claims no ties."""
    assert run([*SEARCH, "--objectives", "prior,macs,params", "--epsilon", "0.05", "--out", str(tmp_path)]) == 0
    assert "Each is at most a factor of 1.05 better than some network of this front" in capsys.readouterr().out
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["epsilon"] == "0.05"
    assert "ties" not in summary
    assert "ties" not in (tmp_path / "front.csv").read_text().splitlines()[0]
    assert "at most a factor of 1.05 better" in (tmp_path / "report.html").read_text()
    assert summary["front_size"] < len(exact_front("tiny", ["prior", "macs", "params"], LIMITS, extrapolate=True).front)


def test_options_of_trials_choose_trials(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Any of them without --method means Optuna; with --method exact it is refused, as epsilon is with Optuna."""
    assert run([*SEARCH, "--trials", "3", "--out", str(tmp_path)]) == 0
    assert json.loads((tmp_path / "summary.json").read_text())["method"] == "optuna"
    for options, problem in (
        (["--method", "exact", "--sampler", "tpe"], "--sampler goes with --method optuna"),
        (["--method", "exact", "--seed", "0"], "--seed goes with --method optuna: the exact search makes no trials"),
        (["--seed", "1", "--epsilon", "0.1"], "--epsilon goes with --method exact, and without options of trials"),
        (["--trials", "3", "--epsilon", "0.1"], "--epsilon goes with --method exact"),
        (["--epsilon", "7"], "epsilon must be a number from 0.001 to 1, got 7"),
    ):
        assert run([*SEARCH, *options, "--out", str(tmp_path)]) == 2
        assert problem in capsys.readouterr().err


def test_space_counts_what_a_budget_leaves(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Size, number, share and ranges as brute force has them; an estimate is called one; nothing left is status 1."""
    command = ["space", "tiny", "--max-params", "200k", "--max-gmacs", "0.006"]
    every = everything_within(Problem(load_space("tiny"), (64, 64), budget=LIMITS))
    assert run([*command, "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["size"], facts["feasible"], facts["share"]) == (8192, len(every), len(every) / 8192)
    macs = {"least": min(row[1] for row in every), "largest": max(row[1] for row in every)}
    params = {"least": min(row[2] for row in every), "largest": max(row[2] for row in every)}
    assert facts["ranges"] == {"params": params, "macs": macs}
    assert run(command) == 0
    assert f"{len(every):,}" in capsys.readouterr().out
    assert run(["space", "tiny", "--max-params", "1k"]) == 1
    monkeypatch.setattr("pvtsearch.search.counting.take_stock.__kwdefaults__", {"most": 10})
    monkeypatch.setattr("pvtsearch.search.draws.estimate_feasible.__kwdefaults__", {"seed": 0, "draws": 5000})
    capsys.readouterr()
    assert run([*command, "--format", "json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert "feasible" not in facts
    assert facts["estimate"]["low"] <= len(every) <= facts["estimate"]["high"]
    assert run(command) == 0
    assert "within the budget, estimated" in capsys.readouterr().out
