"""Laws of many workers on one study: each configuration once, the total kept, nothing lost, no waiting for the dead."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from crew import BUDGET, STUDY, faulty_run, outcome, plan_of, started, work
from hypothesis import given
from hypothesis import strategies as st
from optuna.exceptions import StorageInternalError
from optuna.trial import TrialState
from postgres import MISSING, binaries, server
from sqlalchemy.exc import InvalidRequestError, OperationalError, PendingRollbackError

from pvtsearch.cli.outputs import shared
from pvtsearch.cost import Budget
from pvtsearch.errors import EvaluationFailed, StorageLost, StudyError
from pvtsearch.search.claims import Claim, verdict
from pvtsearch.search.decode import Decoded
from pvtsearch.search.plan import StudyPlan
from pvtsearch.search.pulse import Liveness, Pulse, Watch
from pvtsearch.search.run import plan_search
from pvtsearch.search.storages import open_storage, patiently
from pvtsearch.search.stored import MOST_DEATHS, open_study
from pvtsearch.search.study import MOST_FAILURES, run_study
from pvtsearch.search.trials import FAILED, RECORD, config_hash, standing
from pvtsearch.trainings import OnEpoch

needs_postgres = pytest.mark.skipif(binaries() is None, reason=MISSING)
FILES = ("sqlite:///{0}/study.db", "journal:{0}/study.log")
KINDS = ("sqlite", "journal", pytest.param("postgresql", marks=needs_postgres))


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A storage of the kind that a test names."""
    match request.param:
        case "sqlite":
            yield f"sqlite:///{tmp_path / 'study.db'}"
        case "journal":
            yield f"journal:{tmp_path / 'study.log'}"
        case _:
            with server("fsync=off") as running:
                yield running.url


@given(st.lists(st.sampled_from("abcdef"), max_size=20), st.integers(1, 8))
def test_the_rule_admits_the_first_claim_on_each_of_the_first_configurations(hashes: list[str], total: int) -> None:
    """Those that evaluate are, for each of the first `total` configurations, the lowest number; all others give way."""
    claims = [Claim(number, key) for number, key in enumerate(hashes)]
    admitted = [claim for claim in claims if verdict(claims, claim, total) == "evaluate"]
    firsts = [Claim(hashes.index(key), key) for key in dict.fromkeys(hashes)]
    assert admitted == firsts[:total]
    assert all(verdict(claims, claim, total) == "duplicate" for claim in claims if claim not in firsts)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcd"), st.booleans()), max_size=60), st.integers(1, 4))
def test_the_rule_holds_in_every_order_of_events(events: list[tuple[int, str, bool]], total: int) -> None:
    """Whatever workers do in whatever order, and whoever dies: no configuration twice, and no more than the total.

    A worker's next event writes a claim, then reads and decides, then finishes; or it dies, which ends its trial.
    """
    trials: list[tuple[str, str]] = []  # configuration and state, by number
    held: dict[int, tuple[int, str]] = {}  # by worker: its trial, and how far it is
    for worker, key, dies in events:
        if worker not in held:
            trials.append((key, "live"))
            held[worker] = len(trials) - 1, "written"
            continue
        number, stage = held.pop(worker)
        mine = trials[number][0]
        claims = [Claim(n, k) for n, (k, state) in enumerate(trials) if state != "void"]
        if dies:
            trials[number] = mine, "void"
        elif stage == "admitted":
            trials[number] = mine, "finished"
        elif verdict(claims, Claim(number, mine), total) == "evaluate":
            held[worker] = number, "admitted"
        else:
            trials[number] = mine, "void"
        finished = [key for key, state in trials if state == "finished"]
        assert len(set(finished)) == len(finished) <= total


@pytest.mark.parametrize("url", KINDS[:2], indirect=True)
def test_threads_evaluate_each_configuration_once(url: str) -> None:
    """Workers that run into each other all the time, in a space of few networks: each once, as many as asked for."""
    limits = Budget({"params": 200_000, "macs": 5_000_000})
    plan = plan_search("tiny", budget=limits, objectives=("params", "macs"), image_size=None, task="classification",
                       sampler="random", trials=25, seed=0, extrapolate=True)  # fmt: skip
    evaluated: list[str] = []

    def evaluate(decoded: Decoded, _on_epoch: OnEpoch) -> dict[str, float]:
        evaluated.append(config_hash(decoded.config))
        time.sleep(0.005)
        return {}

    own = replace(plan, evaluate=evaluate)
    threads = [threading.Thread(target=work, args=(url, own)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    records = work(url, plan)
    assert len(evaluated) == len(set(evaluated)) == len(records) == 25
    assert {config_hash(record.config) for record in records} == set(evaluated)


@pytest.mark.parametrize("url", KINDS, indirect=True)
def test_killed_at_random_moments_nothing_is_lost(url: str, tmp_path: Path) -> None:
    """Workers killed with -9 and replaced, here three of them: all trials finished, each once, none out of budget."""
    log = tmp_path / "log"
    fate = faulty_run(lambda: started(url, 40, 0.1, log), workers=2, kills=3, between=(0.4, 0.9), seed=3, log=log,
                      limit_seconds=300)  # fmt: skip
    assert fate.kills == 3
    assert set(fate.statuses) == {0}
    found = outcome(url, 40)
    assert found.standings["complete"] == found.distinct == 40
    assert found.outside == 0
    assert "live" not in found.standings


def claimed_by_the_dead(url: str, plan: StudyPlan) -> str:
    """Leave a claim behind, as a worker does that is killed while it evaluates; the hash of its configuration."""
    taken = open_study(open_storage(url), STUDY, plan).take()
    assert taken is not None
    return config_hash(taken.decoded.config)


@pytest.mark.parametrize("file", FILES)
def test_what_a_killed_worker_was_at_is_evaluated_first(file: str, tmp_path: Path) -> None:
    """Whoever is alone on a file knows that all claims are of the dead, at once, and takes them over in their order."""
    url, plan = file.format(tmp_path), plan_of(5, 0.0)
    left = claimed_by_the_dead(url, plan)
    began = time.monotonic()
    study = open_study(open_storage(url), STUDY, plan)
    records = run_study(study, plan)
    assert time.monotonic() - began < plan.liveness.grace_seconds
    assert config_hash(records[0].config) == left
    assert len({record.config for record in records}) == 5


def test_the_silent_are_taken_over_by_the_living(tmp_path: Path) -> None:
    """Beside a living worker a claim that does not beat is nobody's after the grace time, and is evaluated."""
    url = f"sqlite:///{tmp_path / 'study.db'}"
    plan = replace(plan_of(4, 0.0), liveness=Liveness(pulse_seconds=0.1, grace_seconds=0.6))
    living = open_study(open_storage(url), STUDY, plan)
    with living.joined():
        left = claimed_by_the_dead(url, plan)
        records = run_study(open_study(open_storage(url), STUDY, plan), plan)
    assert left in {config_hash(record.config) for record in records}
    assert len(records) == 4


def test_who_was_taken_for_dead_stores_nothing(tmp_path: Path) -> None:
    """A worker that comes back after others took over finds its claim ended: its result does not count twice."""
    url, plan = f"sqlite:///{tmp_path / 'study.db'}", plan_of(3, 0.0)
    slow = open_study(open_storage(url), STUDY, plan)
    taken = slow.take()
    assert taken is not None
    records = run_study(open_study(open_storage(url), STUDY, plan), plan)
    assert slow.finish(taken, {}) is None
    assert open_study(open_storage(url), STUDY, plan).records() == records


def test_a_failing_evaluation_is_recorded_and_stops_nobody(tmp_path: Path) -> None:
    """It counts as evaluated, its reason is stored, nobody tries it again; where the first all fail, that is said."""
    url, plan = f"sqlite:///{tmp_path / 'study.db'}", plan_of(12, 0.0)
    tried = []

    def every_third_fails(decoded: Decoded, _on_epoch: OnEpoch) -> dict[str, float]:
        tried.append(decoded.config)
        if len(tried) % 3 == 0:
            raise RuntimeError("CUDA error:\nout of luck")
        return {}

    failing = replace(plan, evaluate=every_third_fails)
    study = open_study(open_storage(url), STUDY, failing)
    assert len(run_study(study, failing)) == 8
    assert study.failures() == ["RuntimeError: CUDA error: out of luck"] * 4
    assert len(set(tried)) == len(tried) == 12

    def all_fail(_decoded: Decoded, _on_epoch: OnEpoch) -> dict[str, float]:
        raise RuntimeError("no such device")

    hopeless = replace(plan, evaluate=all_fail)
    with pytest.raises(EvaluationFailed, match=f"all of {MOST_FAILURES} evaluations failed.*no such device"):
        run_study(open_study(open_storage(url), "hopeless", hopeless), hopeless)


def test_a_configuration_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    """After so many deaths over it a configuration is recorded as failed, and the study goes on."""
    url, plan = f"sqlite:///{tmp_path / 'study.db'}", plan_of(2, 0.0)
    for _ in range(MOST_DEATHS):
        study = open_study(open_storage(url), STUDY, plan)
        with study.joined():
            left = study.take()
    assert left is not None
    study = open_study(open_storage(url), STUDY, plan)
    records = run_study(study, plan)
    assert study.failures() == [f"{MOST_DEATHS} workers died over it"]
    assert len(records) == 1
    assert records[0].config != left.decoded.config


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_alive_is_what_is_seen_to_change() -> None:
    """Judged by one's own clock: what changed is alive, whatever its value; silence counts from when it was seen."""
    clock = Clock()
    watch = Watch(clock)
    assert watch.unchanged_since({1: None, 2: 7}) == {1: 0.0, 2: 0.0}
    clock.now = 5.0
    assert watch.unchanged_since({1: 1, 2: 7, 3: None}) == {1: 5.0, 2: 0.0, 3: 5.0}
    clock.now = 9.0
    assert watch.unchanged_since({2: 7, 3: None}) == {2: 0.0, 3: 5.0}


def test_who_was_away_judges_nobody(tmp_path: Path) -> None:
    """After an outage of storage or process, silence counts anew: the others could not be heard either."""
    clock = Clock()
    pulse = Pulse(open_storage(f"sqlite:///{tmp_path / 'study.db'}"), Liveness(1.0, 6.0), clock)
    clock.now = 100.0
    assert pulse.judges(50.0)
    pulse.stumble()
    assert not pulse.judges(50.0)
    clock.now = 107.0
    assert pulse.judges(50.0)


def test_a_torn_record_of_a_journal_is_cut_off(tmp_path: Path) -> None:
    """A writer that was killed half-way leaves a line without an end: the next one cuts it off, and all can read."""
    path, plan = tmp_path / "study.log", plan_of(6, 0.0)
    run_study(open_study(open_storage(str(path)), STUDY, plan), replace(plan, trials=3))
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"op_code":4,"worker_id":"' + b"x" * 5000)
    records = run_study(open_study(open_storage(str(path)), STUDY, plan), plan)
    assert len(records) == 6
    assert path.read_bytes().startswith(whole + b'{"op_code"')
    assert all(json.loads(line) for line in path.read_bytes().splitlines())


def test_studies_say_what_they_are(tmp_path: Path) -> None:
    """Definition, hash, versions and schema are stored; another definition is refused naming each difference."""
    url, plan = f"sqlite:///{tmp_path / 'study.db'}", plan_of(2, 0.0)
    stored = open_study(open_storage(url), STUDY, plan).stored.user_attrs
    assert stored["schema_version"] == 2
    assert len(stored["definition_hash"]) == 16
    assert set(stored["versions"]) == {"python", "pvtsearch", "numpy", "optuna"}
    assert stored["definition"]["budget"] == dict(BUDGET.limits)
    other = replace(plan, definition=plan.definition | {"seed": 7, "task": "backbone"})
    with pytest.raises(StudyError, match=r"its task is .*, this command's .*; its seed is 0, this command's 7"):
        open_study(open_storage(url), STUDY, other)


def test_older_schemas_are_read_and_newer_ones_refused(tmp_path: Path) -> None:
    """A study of schema 1 goes on without evaluating anything again; one of the future is refused in words."""
    url, plan = f"sqlite:///{tmp_path / 'study.db'}", plan_of(4, 0.0)
    made = open_study(open_storage(url), "made", plan)
    run_study(made, plan)
    import optuna

    old = optuna.create_study(storage=open_storage(url), study_name="old", directions=["minimize", "minimize"])
    old.set_user_attr("definition", plan.definition)
    for trial in made.stored.get_trials(deepcopy=True):
        held = trial.user_attrs[RECORD]
        trial.user_attrs = {RECORD: {"config": held["config"], "cost": held["cost"], "scores": {}}}
        old.add_trial(trial)
    goes_on = replace(plan, trials=6)
    records = run_study(open_study(open_storage(url), "old", goes_on), goes_on)
    assert [record.config for record in records[:4]] == [record.config for record in made.records()]
    assert len({record.config for record in records}) == 6
    assert old.user_attrs["schema_version"] == 2
    old.set_user_attr("schema_version", 3)
    with pytest.raises(StudyError, match="has schema 3; this version of pvtsearch reads 1 to 2"):
        open_study(open_storage(url), "old", goes_on)


COMMAND = [sys.executable, "-m", "pvtsearch", "search", "tiny", "--max-params", "400k", "--max-gmacs", "0.012",
           "--extrapolate", "--objectives", "params,macs"]  # fmt: skip


def test_local_workers_find_what_is_asked_for(tmp_path: Path) -> None:
    """Two processes, one study, one report, nothing on a pipe but the summary; the same command again has it all."""
    command = [*COMMAND, "--trials", "30", "--workers", "2", "--out", str(tmp_path)]
    first = subprocess.run(command, capture_output=True, check=True, text=True)
    assert first.stderr == ""
    again = subprocess.run(command, capture_output=True, check=True, text=True)
    assert again.stdout == first.stdout
    rows = (tmp_path / "trials.csv").read_text().splitlines()[1:]
    assert len(rows) == len({row.split(",", 4)[4] for row in rows}) == 30
    assert {path.name for path in tmp_path.glob(".*")} == set()


def test_a_worker_that_is_told_to_end_leaves_its_work_to_others(tmp_path: Path) -> None:
    """SIGTERM ends a command within seconds with 143, says so, and what it was at is released, not lost."""
    command = [*COMMAND, "--trials", "4000", "--out", str(tmp_path), "--storage", f"sqlite:///{tmp_path / 'study.db'}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for_trials(tmp_path / "study.db", 5)
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert time.monotonic() - told < 20
    assert said.startswith("pvtsearch: ended as asked; with the same command trials")
    assert said.count("\n") == 1
    import optuna

    study = optuna.load_study(storage=open_storage(f"sqlite:///{tmp_path / 'study.db'}"), study_name="pvtsearch")
    assert {standing(trial) for trial in study.get_trials()} <= {"complete", "released"}
    subprocess.run([*command[:-5], str(study.trials[-1].number + 3), *command[-4:]], check=True, capture_output=True)


def test_another_search_may_not_write_into_the_same_folder(tmp_path: Path) -> None:
    """Workers of one study share a folder; a study of another storage is refused there while they work."""
    with shared(tmp_path, "a"), shared(tmp_path, "a"):
        other = shared(tmp_path, "b")
        with pytest.raises(StudyError, match="another search is writing there"):
            other.__enter__()
    (tmp_path / ".lock").write_text("left by one that was killed")
    with shared(tmp_path, "b"):
        assert (tmp_path / ".lock").exists()
    assert not (tmp_path / ".lock").exists()


def wait_for_trials(database: Path, count: int) -> None:
    """Until a study file holds so many trials."""
    import sqlite3
    from contextlib import closing, suppress

    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with (
            suppress(sqlite3.OperationalError),
            closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection,
        ):
            if connection.execute("select count(*) from trials").fetchone()[0] >= count:
                return
        time.sleep(0.05)
    raise TimeoutError(database)


def test_claims_are_ended_with_their_reason(tmp_path: Path) -> None:
    """The storage alone tells the standings apart: what dashboards show is what workers go by."""
    url, plan = f"journal:{tmp_path / 'j.log'}", plan_of(9, 0.0)
    study = open_study(open_storage(url), STUDY, plan)
    with study.joined():
        for end in (lambda t: study.finish(t, {}), study.prune, lambda t: study.fail(t, "why"), study.release):
            taken = study.take()
            assert taken is not None
            end(taken)
    trials = open_study(open_storage(url), STUDY, plan).stored.get_trials()
    assert [standing(trial) for trial in trials] == ["complete", "pruned", "failed", "released"]
    assert [trial.state for trial in trials[2:]] == [TrialState.FAIL] * 2
    assert trials[2].user_attrs[FAILED] == "why"
    assert os.getpid() == int(trials[0].user_attrs[RECORD]["worker"].split(":")[1])


def test_a_transaction_that_a_cut_connection_left_is_waited_out() -> None:
    """SQLAlchemy tells of it by another error than of the cut itself: tried again, the call goes through."""
    left: list[Exception] = [StorageInternalError(), StorageInternalError()]
    left[0].__cause__ = PendingRollbackError("Can't reconnect until invalid transaction is rolled back")
    left[1].__cause__ = OperationalError("SELECT 1", None, Exception("server closed the connection unexpectedly"))

    def call() -> str:
        if left:
            raise left.pop()
        return "through"

    assert patiently(call) == "through"
    broken = StorageInternalError()
    broken.__cause__ = InvalidRequestError("nothing that passes")
    left.append(broken)
    with pytest.raises(StorageLost, match="nothing that passes"):
        patiently(call)
