"""Trials per second by number of workers and time of an evaluation, and what a trial costs the server.

    python tests/benchmarks/worker_scaling.py postgresql 1,2,4,8 0,0.1,1,10

Evaluations sleep; workers are processes that start together, timed from the first claim to the last result. Prints rows
of reports/workers/README.md: trials per second, efficiency against one worker, share of claims that gave way; for each
trial transactions, and milliseconds of processor time of the workers and of the server.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import psutil
import psycopg
from crew import STUDY, plan_of, started
from postgres import Server, server

from pvtsearch.search.storages import opened
from pvtsearch.search.stored import open_study
from pvtsearch.search.trials import standing

PER_WORKER = {0.0: 60, 0.1: 40, 1.0: 12, 10.0: 3}  # trials, so that a row takes a minute at most


@contextmanager
def storage(kind: str) -> Iterator[tuple[str, Server | None]]:
    """A storage's URL, and its server."""
    if kind == "postgresql":
        with server("max_connections=1000") as running:
            yield running.url, running
        return
    with tempfile.TemporaryDirectory() as name:
        yield {"sqlite": f"sqlite:///{name}/study.db", "journal": f"journal:{name}/study.log"}[kind], None


def row(kind: str, workers: int, seconds: float, alone: float | None) -> tuple[str, float]:
    """A row, and its trials per second."""
    trials = PER_WORKER[seconds] * workers
    with storage(kind) as (url, running), tempfile.TemporaryDirectory() as folder:
        with opened(url) as opening:
            open_study(opening, STUDY, plan_of(trials, seconds))  # tables and study, so that none waits for them
        worked, served, committed = used(), spent(running), transactions(url)
        assert started(url, trials, seconds, Path(folder) / "log", workers).wait() == 0
        worked, served, committed = used() - worked, spent(running) - served, transactions(url) - committed
        with opened(url) as closing:
            stored = open_study(closing, STUDY, plan_of(trials, seconds)).stored.get_trials(deepcopy=False)
    complete = [trial for trial in stored if standing(trial) == "complete"]
    assert len(complete) == trials
    took = max(t.datetime_complete.timestamp() for t in complete) - min(t.datetime_start.timestamp() for t in complete)
    rate = trials / took
    cells = (
        kind, f"{seconds:g}", workers, trials, f"{rate:.2f}", f"{rate / workers / (alone or rate):.2f}",
        f"{(len(stored) - trials) / len(stored):.3f}", f"{committed / trials:.1f}" if running else "-",
        f"{1000 * (worked - IMPORTING_SECONDS) / trials:.0f}", f"{1000 * served / trials:.1f}" if running else "-",
    )  # fmt: skip
    return "| " + " | ".join(str(cell) for cell in cells) + " |", rate


def used() -> float:
    """Processor time of the processes that this one has waited for."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def spent(running: Server | None) -> float:
    """Processor time of a server, in sessions that have ended."""
    if running is None:
        return 0.0
    pid = int((running.folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    times = psutil.Process(pid).cpu_times()
    return float(times.children_user + times.children_system)


def transactions(url: str) -> int:
    """What a server has committed so far; 0 where there is none."""
    if not url.startswith("postgresql"):
        return 0
    time.sleep(1.2)  # its statistics come late
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        found = connection.execute("select xact_commit from pg_stat_database where datname = current_database()")
        return int((found.fetchone() or [0])[0])


def importing_seconds() -> float:
    """Processor time that workers take, together, to come up."""
    with tempfile.TemporaryDirectory() as name:
        url, log = f"journal:{name}/study.log", Path(name) / "log"
        started(url, 1, 0.0, log).wait()
        before = used()
        started(url, 1, 0.0, log).wait()
        return used() - before


if __name__ == "__main__":
    kind, workers, times = sys.argv[1], *(part.split(",") for part in sys.argv[2:4])
    IMPORTING_SECONDS = importing_seconds()
    for seconds in map(float, times):
        alone = None
        for count in map(int, workers):
            text, rate = row(kind, count, seconds, alone)
            alone = alone or rate / count
            print(text, flush=True)
