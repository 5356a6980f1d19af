"""The end that a scheduler asks for: SIGTERM stops an evaluation, and all that is stored stays whole."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from pvtsearch.errors import Ended

ENDED = 128 + signal.SIGTERM  # the exit status
WITHIN_SECONDS = 20.0  # then the process is gone, whatever it was at; schedulers give 30 s and more


class Ending:
    """Whether this process was told to end. An evaluation is broken off; what is being stored is stored first."""

    def __init__(self) -> None:
        self.requested = False
        self._interruptible = False

    @contextmanager
    def interrupts(self) -> Iterator[None]:
        """Here the request raises `Ended`; elsewhere it waits to be asked for."""
        self._interruptible = True
        try:
            if self.requested:
                raise Ended
            yield
        finally:
            self._interruptible = False

    def _told(self, _signal: int, _frame: FrameType | None) -> None:
        if not self.requested:
            self.requested = True
            last = threading.Timer(WITHIN_SECONDS, os._exit, (ENDED,))
            last.daemon = True
            last.start()
        if self._interruptible:
            self._interruptible = False
            raise Ended


@contextmanager
def graceful() -> Iterator[Ending]:
    """Listen for SIGTERM, in the main thread of a process that is about to end anyway."""
    ending = Ending()
    before = signal.signal(signal.SIGTERM, ending._told)
    try:
        yield ending
        if ending.requested:
            raise Ended
    finally:
        signal.signal(signal.SIGTERM, before)
