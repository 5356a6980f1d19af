"""Local workers: a process each, on a device of its own, begun anew where it was killed; one view of them all."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING

from pvtsearch.cli.exits import ENDED, status_of
from pvtsearch.cli.trials import Work, plan_of, study_of, worked
from pvtsearch.errors import Ended, Failure

if TYPE_CHECKING:
    from pvtsearch.search.ending import Ending
    from pvtsearch.search.stored import StoredStudy

LOOK_SECONDS = 0.5
ENDING_SECONDS = 18.0  # for workers to end, within the time that a command takes to
MOST_DEATHS = 3  # of a worker, one after the other, in which nothing was evaluated


def supervised(
    work: Work, study: StoredStudy, workers: int, ending: Ending, changed: Callable[[], None] = lambda: None
) -> None:
    """Have so many workers evaluate until the study is done. Raises `Failure` where one cannot.

    changed: told whenever the study was read.
    """
    crew = Crew(work, workers)
    try:
        while crew.tended(study.count("complete", "pruned", "failed")):
            with ending.interrupts():
                time.sleep(LOOK_SECONDS)
            study.read()
            changed()
    finally:
        crew.end()


class Crew:
    """Workers in processes."""

    def __init__(self, work: Work, workers: int) -> None:
        self._work, self._workers = work, workers
        self._deaths, self._done = 0, -1
        self._running = {number: self._started(number) for number in range(workers)}

    def tended(self, done: int) -> bool:
        """Whether any worker is at work; one that was killed is begun anew. done: trials that are evaluated so far."""
        if done > self._done:
            self._deaths, self._done = 0, done
        for number, process in list(self._running.items()):
            match process.exitcode:
                case None:
                    pass
                case 0:
                    del self._running[number]
                case status if status < 0 and self._deaths < MOST_DEATHS * self._workers:
                    self._deaths += 1
                    self._running[number] = self._started(number)
                case status:
                    raise Failure(f"worker {number} ended with status {status}; the same command goes on")
        return bool(self._running)

    def end(self) -> None:
        """End what is at work: asked first, and killed when that takes too long."""
        deadline = time.monotonic() + ENDING_SECONDS
        for process in self._running.values():
            process.terminate()
        for process in self._running.values():
            process.join(max(0.0, deadline - time.monotonic()))
            process.kill()
            process.join()

    def _started(self, number: int) -> BaseProcess:
        with environment(seat(number, self._workers, self._work.training.device)):
            process = multiprocessing.get_context("spawn").Process(
                target=_work, args=(self._work,), name=f"pvtsearch worker {number}"
            )
            process.start()
        return process


def seat(number: int, workers: int, device: str) -> dict[str, str]:
    """What a worker's environment says of its place: a CUDA device, or a share of the processor's threads."""
    if not device.startswith("cuda"):
        return {} if "OMP_NUM_THREADS" in os.environ else {"OMP_NUM_THREADS": str(max(1, cores() // workers))}
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    if not visible:
        from pvtsearch.analysis.device import cuda_devices

        visible = [str(index) for index in range(cuda_devices())]
    return {"CUDA_VISIBLE_DEVICES": visible[number % len(visible)]} if visible else {}


def cores() -> int:
    """Of the processor, as far as this process may use them."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Processes that are started here have these values in their environment."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _work(work: Work) -> None:
    """A worker's life."""
    from pvtsearch.search.ending import graceful

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: whoever started this worker ends it
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def call() -> None:
        plan = plan_of(work)
        try:
            with graceful() as ending, study_of(work, plan) as study:
                worked(work, plan, study, ending)
        except Ended:  # quietly: whoever started this worker says it once
            sys.exit(ENDED)

    sys.exit(status_of(call))


def _end_with_parent() -> None:
    """Ask this process to end when the one that started it is gone, however it went."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
