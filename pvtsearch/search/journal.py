"""The lock of a journal file: the kernel's, so that it dies with its holder, who may have been killed while writing."""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path
from threading import Lock

from optuna.storages.journal import JournalFileOpenLock

from pvtsearch import locks


class JournalLock(JournalFileOpenLock):
    """Holds a journal file for one writer at a time, and cuts off a record that a killed writer left half-written.

    Optuna's own locks are files that a killed process leaves behind: all others wait 30 s, then several take it at
    once. And a record without its end would be glued to the next one: the journal could never be read again.
    """

    def __init__(self, filepath: str) -> None:
        super().__init__(filepath)
        self._journal, self._threads, self._held = Path(filepath), Lock(), ExitStack()

    def acquire(self) -> bool:
        """Hold the lock, after those who hold it."""
        self._threads.acquire()
        try:
            self._held.enter_context(locks.held(self._journal.with_name(f"{self._journal.name}.lock")))
            cut_torn(self._journal)
        except BaseException:
            self.release()
            raise
        return True

    def release(self) -> None:
        """Let the next one in."""
        self._held.close()
        self._threads.release()


def cut_torn(path: Path) -> None:
    """Cut a last line that has no end off a file; nobody was told that it was written."""
    with path.open("r+b") as file:
        end = whole = file.seek(0, os.SEEK_END)
        while whole:
            start = max(0, whole - 4096)
            file.seek(start)
            newline = file.read(whole - start).rfind(b"\n")
            if newline >= 0:
                whole = start + newline + 1
                break
            whole = start
        if whole < end:
            file.truncate(whole)
