"""Files that one process at a time holds, gone when nobody does.

Windows has no such locks: there it is the user who sees to it that one process writes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if sys.platform != "win32":
    import fcntl


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold path, after those who hold it; a process that ends holds nothing, however it ends."""
    if sys.platform == "win32":
        yield
    else:
        with _held(path, fcntl.LOCK_EX):
            yield


@contextmanager
def claimed(path: Path) -> Iterator[None]:
    """Hold path. Raises `BlockingIOError` where another does."""
    if sys.platform == "win32":
        yield
    else:
        with _held(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield


@contextmanager
def _held(path: Path, operation: int) -> Iterator[None]:
    handle = _locked(path, operation)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is held: whoever waits for it sees that it has no name, and starts anew
        os.close(handle)


def _locked(path: Path, operation: int) -> int:
    """The descriptor of a locked file that path still names."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if sys.platform != "win32":
                fcntl.flock(handle, operation)
            if _is_named(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _is_named(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False
