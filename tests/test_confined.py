"""Laws of evaluations within limits, of workers' places, and of what a terminal shows of them."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any

import pytest
from crew import plan_of

from pvtsearch.cli.crew import environment, seat
from pvtsearch.cli.live import Glance, Watched, words
from pvtsearch.errors import EvaluationFailed, ScoreError
from pvtsearch.records import Objective
from pvtsearch.search.confined import Confined, Limits
from pvtsearch.search.decode import Decoded
from pvtsearch.search.plan import Evaluate
from pvtsearch.search.stored import open_study
from pvtsearch.search.study import run_study
from pvtsearch.trainings import Epoch, OnEpoch, unheard


def evaluator(what: str) -> Evaluate:
    """Evaluations that end in some way, made in the process that runs them."""

    def evaluate(_decoded: Decoded, on_epoch: OnEpoch) -> dict[str, float]:
        match what:
            case "hangs":
                time.sleep(600)
            case "grows":
                held: list[bytearray] = []
                while True:
                    held.append(bytearray(20 * 2**20))
                    time.sleep(0.01)
            case "dies":
                os._exit(9)
            case "refuses":
                raise ScoreError("no score of this")
            case "breaks":
                raise RuntimeError("CUDA error:\nillegal")
        on_epoch(Epoch(1, 0.5, 25.0))
        return {"accuracy": float(os.getpid())}

    return evaluate


DECODED: Any = "any configuration"


@pytest.mark.parametrize(
    ("what", "limits", "told"),
    [
        ("hangs", Limits(seconds=0.5), "it took longer than 0.5 s"),
        (
            "grows",
            Limits(memory_bytes=400 * 2**20),
            r"it held 4\d\d,\d\d\d,\d\d\d bytes of memory, more than 419,430,400",
        ),
        ("dies", Limits(seconds=60), "its process died with status 9"),
        ("refuses", Limits(seconds=60), "^no score of this$"),
        ("breaks", Limits(seconds=60), "^RuntimeError: CUDA error: illegal$"),
    ],
)
def test_an_evaluation_that_fails_is_ended_with_its_reason(what: str, limits: Limits, told: str) -> None:
    """Whatever an evaluation does, the worker lives, knows why, and leaves no process behind."""
    confined = Confined(partial(evaluator, what), limits)
    with pytest.raises(EvaluationFailed, match=told):
        confined(DECODED, unheard)
    confined.end()
    assert confined._running is None


def test_evaluations_share_a_process_until_one_is_ended() -> None:
    """What is made once serves all that come, epochs are heard, and what a listener raises ends the evaluation."""
    confined = Confined(partial(evaluator, "works"), Limits(seconds=60))
    heard: list[Epoch] = []
    first, second = (confined(DECODED, heard.append)["accuracy"] for _ in range(2))
    assert first == second != os.getpid()
    assert heard == [Epoch(1, 0.5, 25.0)] * 2

    def object_to(_epoch: Epoch) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        confined(DECODED, object_to)
    assert confined(DECODED, unheard)["accuracy"] != first
    confined.end()


def test_each_worker_has_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA devices in turn, of those that a scheduler left visible; threads in equal shares, unless somebody chose."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    assert [seat(number, 3, "cuda") for number in range(3)] == [{"CUDA_VISIBLE_DEVICES": name} for name in "353"]
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr("pvtsearch.cli.crew.cores", lambda: 8)
    assert [seat(0, workers, "cpu")["OMP_NUM_THREADS"] for workers in (1, 3, 16)] == ["8", "2", "1"]
    with environment({"OMP_NUM_THREADS": "2"}):
        assert os.environ["OMP_NUM_THREADS"] == "2"
        assert seat(0, 2, "cpu") == {}
    assert "OMP_NUM_THREADS" not in os.environ


def test_a_search_under_way_in_words() -> None:
    """What is done, how fast, how long it takes, what runs and failed; then the front, and the best by objective."""
    glance = Glance(done=312, total=1000, running=4, failed=2, pruned=0, front=14,
                    best=(("prior", 5184.0), ("macs", 2.1e9), ("accuracy", 61.25)), rate=28.1)  # fmt: skip
    assert words(glance) == [
        "312/1,000 · 24 s left",
        "28.1 trials/s · 4 running · 2 failed",
        "front 14 · best prior 5,184 · best macs 2.10 G · best accuracy 61.25",
    ]
    slow = Glance(done=3, total=40, running=8, failed=0, pruned=1, front=1, best=(("accuracy", 40.0),), rate=0.002)
    assert words(slow)[:2] == ["3/40 · 5 h 08 min left", "7.2 trials/h · 8 running · 1 pruned"]
    assert words(Glance(0, 9, 0, 0, 0, 0, (), None)) == ["0/9", "", "nothing evaluated yet"]


def test_what_is_watched_is_what_the_study_holds() -> None:
    """Front and best values are those of all records, whoever evaluated them; the rate is of the last minute."""
    from optuna.storages import InMemoryStorage

    plan, now = plan_of(12, 0.0), [0.0]
    study = open_study(InMemoryStorage(), "watched", plan)
    objectives = (Objective("params", "minimize"), Objective("macs", "minimize"))
    watched = Watched(study, objectives, 12, lambda: now[0])
    assert watched.glance() == Glance(0, 12, 0, 0, 0, 0, (), None)
    records = run_study(study, plan)
    now[0] = 6.0
    glance = watched.glance()
    assert (glance.done, glance.rate, glance.left_seconds) == (12, 2.0, 0.0)
    assert dict(glance.best) == {name: min(record.value(name) for record in records) for name in ("params", "macs")}
