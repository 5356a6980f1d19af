"""Workers whose evaluations are simulated, as processes that can be killed, and what a study has come to with them.

python tests/crew.py URL TRIALS SECONDS LOG [WORKERS]: workers whose evaluations take so long, by default one,
which beats fast, so that tests of its death are; several beat as in real searches.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pvtsearch.analysis.metrics import analytic_cost
from pvtsearch.cost import Budget
from pvtsearch.records import TrialRecord
from pvtsearch.search.decode import Decoded
from pvtsearch.search.plan import StudyPlan
from pvtsearch.search.pulse import Liveness
from pvtsearch.search.run import plan_search
from pvtsearch.search.storages import opened
from pvtsearch.search.stored import open_study
from pvtsearch.search.study import run_study
from pvtsearch.search.trials import hash_of, standing
from pvtsearch.trainings import OnEpoch

BUDGET = Budget({"params": 400_000, "macs": 12_000_000})
LIVENESS = Liveness(pulse_seconds=0.5, grace_seconds=3.0)
STUDY = "crew"


def plan_of(trials: int, seconds: float, log: Path | None = None, liveness: Liveness = LIVENESS) -> StudyPlan:
    """A search whose evaluations sleep, and are logged when they begin and when they are through."""
    plan = plan_search("tiny", budget=BUDGET, objectives=("params", "macs"), image_size=None, task="classification",
                       sampler="random", trials=trials, seed=0, extrapolate=True)  # fmt: skip

    def evaluate(decoded: Decoded, _on_epoch: OnEpoch) -> dict[str, float]:
        note(log, "began", decoded)
        time.sleep(seconds)
        note(log, "through", decoded)
        return {}

    return replace(plan, evaluate=evaluate, liveness=liveness)


def note(log: Path | None, what: str, decoded: Decoded) -> None:
    """Append a line whole, from whatever process."""
    if log is not None:
        line = f"{what} {os.getpid()} {time.monotonic():.4f} {decoded.config.stages}\n".encode()
        handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(handle, line)
        os.close(handle)


def started(url: str, trials: int, seconds: float, log: Path, *workers: int) -> subprocess.Popen[bytes]:
    """A worker in a process of its own, or so many."""
    command = [sys.executable, __file__, url, str(trials), str(seconds), str(log), *map(str, workers)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent.parent)}
    return subprocess.Popen(command, env=environment)


@dataclass(frozen=True)
class Fate:
    """What became of a crew: how many were killed, their exit statuses in the end, and the seconds it took."""

    kills: int
    statuses: tuple[int, ...]
    seconds: float


def faulty_run(
    start: Callable[[], subprocess.Popen[bytes]],
    *,
    workers: int,
    kills: int,
    between: tuple[float, float],
    seed: int,
    log: Path,
    faults: Sequence[tuple[int, Callable[[], None]]] = (),
    limit_seconds: float,
) -> Fate:
    """Keep so many workers going, kill one with -9 at random moments and put another in its place, until all are done.

    log: of the workers; only those are killed that have begun an evaluation, the others are still coming up.
    faults: what else is done after so many kills. Raises `TimeoutError` where a worker hangs.
    """
    rng, began, killed = random.Random(seed), time.monotonic(), 0
    crew, pending = [start() for _ in range(workers)], list(faults)
    next_kill = time.monotonic() + rng.uniform(*between)
    while any(worker.poll() is None for worker in crew):
        if time.monotonic() - began > limit_seconds:
            for worker in crew:
                worker.kill()
            raise TimeoutError(f"a worker hangs after {killed} kills")
        if killed < kills and time.monotonic() > next_kill and (running := at_work(crew, log)):
            place = rng.choice(running)
            crew[place].send_signal(signal.SIGKILL)
            crew[place].wait()
            killed += 1
            crew[place] = start()
            next_kill = time.monotonic() + rng.uniform(*between)
            while pending and pending[0][0] <= killed:
                pending.pop(0)[1]()
        time.sleep(0.02)
    return Fate(killed, tuple(worker.wait() for worker in crew), time.monotonic() - began)


def at_work(crew: Sequence[subprocess.Popen[bytes]], log: Path) -> list[int]:
    """The places of those that run, and have begun an evaluation."""
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    began = {int(line.split()[1]) for line in lines}
    return [place for place, worker in enumerate(crew) if worker.poll() is None and worker.pid in began]


@dataclass(frozen=True)
class Outcome:
    """What a study holds: trials by standing, distinct configurations of the finished ones, and those out of budget."""

    standings: dict[str, int]
    distinct: int
    outside: int


def outcome(url: str, trials: int) -> Outcome:
    """Read a study anew and judge it, each configuration costed from what is stored."""
    with opened(url) as storage:
        study = open_study(storage, STUDY, plan_of(trials, 0.0))
        stored = study.stored.get_trials(deepcopy=False)
        records = study.records()
    found = [standing(trial) for trial in stored]
    finished = [trial for trial in stored if standing(trial) == "complete"]
    assert len({record.config for record in records}) == len({hash_of(trial) for trial in finished})
    return Outcome(
        {name: found.count(name) for name in sorted(set(found))},
        len({record.config for record in records}),
        sum(not BUDGET.admits(analytic_cost(record.config, (64, 64))) for record in records),
    )


def work(url: str, plan: StudyPlan) -> list[TrialRecord]:
    """Work on the study until it is done; what it has found."""
    with opened(url) as storage:
        return run_study(open_study(storage, STUDY, plan), plan)


def forked(url: str, plan: StudyPlan, workers: int) -> int:
    """So many workers in processes that share what was imported; how many of them failed."""
    children = []
    for _ in range(workers):
        child = os.fork()
        if child == 0:
            work(url, plan)
            os._exit(0)
        children.append(child)
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


if __name__ == "__main__":
    asked = plan_of(int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4]))
    if sys.argv[5:]:
        sys.exit(forked(sys.argv[1], replace(asked, liveness=Liveness()), int(sys.argv[5])))
    work(sys.argv[1], asked)
