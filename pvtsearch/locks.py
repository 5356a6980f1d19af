"""Files that one process at a time holds, gone when nobody does.

Windows has no such locks: there it is the user who sees to it that one process writes.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform != "win32":
    import fcntl

ALONE_SECONDS = 30.0  # at most, before whoever was the first to join lets others in


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
def joined(path: Path, when_alone: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold path together with others who join it. when_alone: called first where nobody does, while nobody can.

    Raises `BlockingIOError` where another claims it.
    """
    if sys.platform == "win32":
        yield
        return
    try:
        handle = _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle = _joined(path)
    else:
        when_alone()
        fcntl.flock(handle, fcntl.LOCK_SH)
    try:
        yield
    finally:
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)  # by the last one, while it is held
        os.close(handle)


def _joined(path: Path) -> int:
    """A descriptor that is held with others, after one who is alone for a moment before it joins."""
    for _attempt in range(round(ALONE_SECONDS / 0.05)):
        try:
            return _locked(path, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.05)
    return _locked(path, fcntl.LOCK_SH | fcntl.LOCK_NB)


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
