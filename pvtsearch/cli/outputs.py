"""Where a command writes: names of files, the claim on a folder, and the command itself as it goes with the results."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from pvtsearch import locks
from pvtsearch.errors import InputError, StudyError
from pvtsearch.reading import hide_password


def file_name(name: str) -> str:
    """A name as a single file name: it leads nowhere else, whatever it holds."""
    return re.sub(r"[^\w-]+", "_", name).strip("_") or "space"


def command_line() -> str:
    """This command as it can be pasted again, passwords hidden."""
    return shlex.join(["pvtsearch", *(hide_password(part) for part in sys.argv[1:])])


@contextmanager
def claimed(folder: Path, name: str = ".lock") -> Iterator[None]:
    """Hold folder, or what name stands for in it, for this process; the claim ends with it, however it ends."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locks.claimed(folder / name):
            yield
    except BlockingIOError as error:
        raise StudyError(f"--out {folder}: another command is writing there; give another --out") from error
    except OSError as error:
        raise InputError(f"--out {folder}: cannot be written: {error.strerror or error}") from error


@contextmanager
def shared(folder: Path, study: str, name: str = ".lock") -> Iterator[None]:
    """Hold folder together with the other workers of a study, and with nobody else."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name

        def say() -> None:
            path.write_text(study, encoding="utf-8")

        with locks.joined(path, when_alone=say):
            if sys.platform != "win32" and (found := path.read_text(encoding="utf-8")) != study:
                raise StudyError(f"--out {folder}: another search is writing there ({found}); give another --out")
            yield
    except BlockingIOError as error:
        raise StudyError(f"--out {folder}: another command is writing there; give another --out") from error
    except OSError as error:
        raise InputError(f"--out {folder}: cannot be written: {error.strerror or error}") from error


def written_once(folder: Path) -> AbstractContextManager[None]:
    """One worker after the other: all write the same, since they have read the same study."""
    return locks.held(folder / ".writing")
