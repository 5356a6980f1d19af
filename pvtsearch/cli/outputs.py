"""Where a command writes: names of files, the claim on a folder, and the command itself as it goes with the results."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
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
    """Hold folder, or what name stands for in it, for this process; the claim ends with it, however it ends.

    Folders that were made for it and hold nothing in the end are gone again.
    """
    with _entered(folder, locks.claimed(folder / name)):
        yield


@contextmanager
def shared(folder: Path, study: str, name: str = ".lock") -> Iterator[None]:
    """Hold folder together with the other workers of a study, and with nobody else."""
    with _entered(folder, _joined(folder, folder / name, study)):
        yield


@contextmanager
def _joined(folder: Path, path: Path, study: str) -> Iterator[None]:
    with locks.joined(path, when_alone=lambda: _say(path, study)):
        if sys.platform != "win32" and (found := path.read_text(encoding="utf-8")) != study:
            raise StudyError(f"--out {folder}: another search is writing there ({found}); give another --out")
        yield


def _say(path: Path, study: str) -> None:
    path.write_text(study, encoding="utf-8")


@contextmanager
def _entered(folder: Path, lock: AbstractContextManager[None]) -> Iterator[None]:
    """Hold lock in folder; only what fails before it is held is blamed on the folder."""
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    with ExitStack() as stack:
        stack.callback(_remove_empty, made)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(lock)
        except BlockingIOError as error:
            raise StudyError(f"--out {folder}: another command is writing there; give another --out") from error
        except OSError as error:
            raise InputError(f"--out {folder}: cannot be written: {error.strerror or error}") from error
        yield


def _remove_empty(folders: Sequence[Path]) -> None:
    """Remove folders, the innermost first, as far as they hold nothing."""
    with suppress(OSError):
        for folder in folders:
            folder.rmdir()


def written_once(folder: Path) -> AbstractContextManager[None]:
    """One worker after the other: all write the same, since they have read the same study."""
    return locks.held(folder / ".writing")
