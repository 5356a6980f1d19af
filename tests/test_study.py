"""Laws of studies: only feasible trials, each once, and a killed run goes on as if it had not been."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from small_spaces import every_config

from pvtsearch.analysis.metrics import analytic_cost, costing_with
from pvtsearch.analysis.peak import inference_memory
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import PVTConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError, NothingFeasible, StudyError
from pvtsearch.reading import hide_password
from pvtsearch.records import SearchResult, TrialRecord
from pvtsearch.search.run import answered, plan_search, run_search
from pvtsearch.search.samplers import SAMPLERS
from pvtsearch.search.storages import sqlite_storage
from pvtsearch.search.stored import open_study
from pvtsearch.search.study import run_study
from pvtsearch.serialize import load_config
from pvtsearch.serialize_space import load_space

TINY_BUDGET = Budget({"params": 400_000, "macs": 12_000_000})
TINY = {"budget": TINY_BUDGET, "extrapolate": True}


def evaluated(result: SearchResult) -> list[tuple[PVTConfig, dict[str, float]]]:
    return [(record.config, dict(record.scores)) for record in result.records]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_trial_is_inside_the_budget_and_no_configuration_comes_twice(sampler: str) -> None:
    """Contract of every sampler: N distinct configurations, all within the limits, costs equal to the closed form."""
    result = run_search("tiny", **TINY, sampler=sampler, trials=60)
    configs = [record.config for record in result.records]
    assert len(set(configs)) == len(configs) == 60
    for record in result.records:
        assert record.cost == analytic_cost(record.config, (64, 64))
        assert TINY_BUDGET.admits(record.cost)
    assert all(record.trial == number for number, record in enumerate(result.records))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_memory_is_computed_where_it_is_asked_for(sampler: str) -> None:
    """A matched network's peak is a limit in the circumstances given, and no trial is outside; else it is absent."""
    costing = costing_with(["inference_peak_bytes"], MemorySetting(batch_size=4, attention="explicit"))
    limits = {"macs": 12_000_000, "inference_peak_bytes": 4_000_000}
    result = run_search("tiny", budget=Budget(limits), objectives=["inference_memory", "prior"], extrapolate=True,
                        batch_size=4, attention="explicit", sampler=sampler, trials=50)  # fmt: skip
    assert result.memory == {"batch_size": 4, "dtype": "float32", "attention": "explicit"}
    for record in result.records:
        assert record.cost == analytic_cost(record.config, (64, 64), costing=costing)
        assert result.budget.admits(record.cost)
    without = run_search("tiny", **TINY, sampler=sampler, trials=3)
    assert without.memory is None
    assert list(without.records[0].cost) == ["params", "macs"]


def test_a_network_is_matched_in_its_memory() -> None:
    """`match` names the metrics of a network that are limits; memory is that of the circumstances."""
    result = run_search(
        "tiny", budget="resnet18", match=["inference_memory"], objectives=["macs"], trials=2, batch_size=3
    )
    setting = MemorySetting(batch_size=3)
    peak = inference_memory(load_config("resnet18"), (64, 64), "classification", setting).peak_bytes
    assert result.budget.limits == {"inference_peak_bytes": peak}
    assert "batch size 3, dtype float32, attention fused" in result.budget.source


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_interrupted_equals_uninterrupted(sampler: str, tmp_path: Path) -> None:
    """Contract of every sampler: broken off after any trial and taken up again, a run has the same trials."""
    whole = run_search("tiny", **TINY, sampler=sampler, trials=70, seed=3)
    plan = plan_search("tiny", **TINY, sampler=sampler, trials=70, seed=3, objectives=("prior", "macs"),
                       image_size=None, task="classification")  # fmt: skip

    class Broken(Exception):
        pass

    def breaking_after(count: int):
        def on_record(record: TrialRecord) -> None:
            if record.trial == count:
                raise Broken

        return on_record

    for stop in (0, 7, 29):
        study = open_study(sqlite_storage(tmp_path / "study.db"), "s", plan)
        study.stored.ask()  # what another program may leave behind: a trial that runs for ever
        with pytest.raises(Broken):
            run_study(study, plan, breaking_after(stop))
        study.take()  # what a kill leaves behind while it evaluates: a claim
    resumed = answered(plan, open_study(sqlite_storage(tmp_path / "study.db"), "s", plan))
    assert evaluated(resumed) == evaluated(whole)
    assert resumed.front == whole.front
    assert resumed.quality == whole.quality is not None


def test_a_search_ends_when_everything_feasible_is_evaluated() -> None:
    """Where fewer configurations exist than trials were asked for, all are evaluated, and the result says so."""
    space = load_space("tiny")
    budget = Budget({"params": 200_000, "macs": 5_000_000})
    feasible = [c for c in every_config(space, (64, 64)) if budget.admits(analytic_cost(c, (64, 64)))]
    assert 20 < len(feasible) < 500
    result = run_search(space, budget=budget, extrapolate=True, trials=1000)
    assert {record.config for record in result.records} == set(feasible)
    assert result.circumstances["exhausted"] is True


def test_nothing_feasible_is_said_not_searched() -> None:
    """An impossible budget, or an envelope the space cannot meet, is a failure that names the cause."""
    with pytest.raises(NothingFeasible, match="raise the budget"):
        run_search("tiny", budget=Budget({"macs": 1000}), extrapolate=True)
    with pytest.raises(InputError, match="--extrapolate"):
        run_search("tiny", budget=Budget({"macs": 12_000_000}))


def test_another_search_may_not_join(tmp_path: Path) -> None:
    """A stored study goes on with its own definition only, and the error names what differs."""
    storage = sqlite_storage(tmp_path / "study.db")
    run_search("tiny", **TINY, trials=3, storage=storage)
    with pytest.raises(StudyError, match="its seed is 0, this command's 1"):
        run_search("tiny", **TINY, trials=3, seed=1, storage=storage)
    limit = {"budget": Budget({"inference_peak_bytes": 10**7}), "objectives": ["macs"], "study_name": "memory"}
    run_search("tiny", **limit, trials=3, storage=storage)
    with pytest.raises(StudyError, match=r"its memory batch_size is 1, this command's 2"):
        run_search("tiny", **limit, batch_size=2, trials=3, storage=storage)
    with pytest.raises(StudyError, match="its objectives"):
        run_search("tiny", **TINY, trials=3, objectives=("params", "macs"), storage=storage)
    assert len(run_search("tiny", **TINY, trials=5, storage=storage).records) == 5  # more trials of the same search


def test_passwords_are_hidden() -> None:
    """A storage URL is shown without its password."""
    assert hide_password("postgresql+psycopg://me:s3cr@t@host/db") == "postgresql+psycopg://me:***@host/db"
    assert hide_password("sqlite:///study.db") == "sqlite:///study.db"


def test_killed_twice_ends_like_uninterrupted(tmp_path: Path) -> None:
    """Killed with -9 twice on the way, the same command loses no finished trial, repeats none, and ends the same."""
    command = [sys.executable, "-m", "pvtsearch", "search", "tiny", "--max-params", "400k", "--max-gmacs", "0.012",
               "--extrapolate", "--trials", "120", "--out"]  # fmt: skip
    for floor in (10, 60):
        process = subprocess.Popen([*command, str(tmp_path / "killed")], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while finished(tmp_path / "killed" / "study.db") < floor and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.poll() is None
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "killed" / "trials.csv").exists()
    subprocess.run([*command, str(tmp_path / "killed")], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*command, str(tmp_path / "whole")], check=True, stdout=subprocess.DEVNULL)
    for name in ("trials.csv", "front.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    killed, whole = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("killed", "whole"))
    assert killed.pop("command") != whole.pop("command")
    assert killed == whole
    assert killed["quality"]["hypervolume_share"] > 0
    trials = pd.read_csv(tmp_path / "killed" / "trials.csv")
    assert len(trials) == trials["config"].nunique() == 120


def finished(database: Path) -> int:
    """How many trials a study file holds as complete; 0 while there is no study yet."""
    import sqlite3
    from contextlib import closing

    if not database.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return int(connection.execute("select count(*) from trials where state = 'COMPLETE'").fetchone()[0])
    except sqlite3.OperationalError:  # its tables are being made
        return 0
