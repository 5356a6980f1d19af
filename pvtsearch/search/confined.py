"""Evaluations within limits on time and memory: in a process of their own, which is ended where it breaks one."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from pvtsearch.errors import EvaluationFailed, reason
from pvtsearch.search.decode import Decoded
from pvtsearch.search.plan import Evaluate
from pvtsearch.trainings import OnEpoch

LOOK_SECONDS = 0.2  # how often memory is looked at: what is taken and given back in between is not seen


@dataclass(frozen=True)
class Limits:
    """What one evaluation may take; None: no limit. Memory is that of its process and of those it started."""

    seconds: float | None = None
    memory_bytes: int | None = None

    @property
    def given(self) -> bool:
        """Whether there is any."""
        return self.seconds is not None or self.memory_bytes is not None


class Confined:
    """An `Evaluate` whose process is made once, by make, and anew after it was ended; then the clock starts."""

    def __init__(self, make: Callable[[], Evaluate], limits: Limits) -> None:
        self._make, self._limits = make, limits
        self._running: tuple[BaseProcess, Connection] | None = None

    def __call__(self, decoded: Decoded, on_epoch: OnEpoch) -> dict[str, float]:
        """The scores of a configuration. Raises `EvaluationFailed` where it broke a limit, or the process died."""
        process, connection = self._started()
        try:
            connection.send(decoded)
            what, found = self._answer(process, connection, on_epoch)
        except BaseException as error:
            self.end()
            if isinstance(error, EOFError | OSError):
                raise EvaluationFailed(f"its process died with status {process.exitcode}") from error
            raise
        if what == "failed":
            raise EvaluationFailed(found)
        scores: dict[str, float] = found
        return scores

    def end(self) -> None:
        """End the process, whatever it is at."""
        if self._running is not None:
            process, connection = self._running
            self._running = None
            process.kill()
            process.join()
            connection.close()

    def _started(self) -> tuple[BaseProcess, Connection]:
        if self._running is None:
            spawn = multiprocessing.get_context("spawn")
            here, there = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(self._make, there))
            process.start()
            there.close()
            self._running = process, here
            with suppress(EOFError):
                here.recv()  # it is made
        return self._running

    def _answer(self, process: BaseProcess, connection: Connection, on_epoch: OnEpoch) -> tuple[str, Any]:
        """What comes of an evaluation; within the limits, or it raises."""
        deadline = None if self._limits.seconds is None else time.monotonic() + self._limits.seconds
        while True:
            if connection.poll(LOOK_SECONDS):
                what, found = connection.recv()
                if what != "epoch":
                    return what, found
                on_epoch(found)
            if deadline is not None and time.monotonic() > deadline:
                raise EvaluationFailed(f"it took longer than {self._limits.seconds:g} s")
            if self._limits.memory_bytes is not None and (held := memory_bytes(process)) > self._limits.memory_bytes:
                raise EvaluationFailed(f"it held {held:,} bytes of memory, more than {self._limits.memory_bytes:,}")


def memory_bytes(process: BaseProcess) -> int:
    """What a process and those that it started hold in memory."""
    import psutil

    total = 0
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        for each in (parent, *parent.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                total += each.memory_info().rss
    return total


def _serve(make: Callable[[], Evaluate], connection: Connection) -> None:
    """Evaluate what comes, until nobody is there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal: whoever started this process ends it
    evaluate = make()
    with suppress(EOFError, BrokenPipeError):
        connection.send(("made", None))
        while True:
            decoded = connection.recv()
            connection.send(_answer(evaluate, decoded, connection))


def _answer(evaluate: Evaluate, decoded: Decoded, connection: Connection) -> tuple[str, Any]:
    try:
        return "scores", evaluate(decoded, lambda epoch: connection.send(("epoch", epoch)))
    except BrokenPipeError:
        raise
    except Exception as error:  # told to the one who asked
        return "failed", reason(error)
