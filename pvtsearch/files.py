"""Files written whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pvtsearch.errors import InputError


def write_whole(path: Path, text: str) -> None:
    """Write text so that path holds all of it or what it held before, whatever happens on the way."""
    write_all({path: text})


def write_all(texts: Mapping[Path, str]) -> None:
    """Write many files, each as `write_whole` does. None is put in its place before all are on the disk.

    A file at a time would wait for the disk thousands of times; written first, they wait together.
    """
    written: dict[Path, Path] = {}
    try:
        for path, text in texts.items():
            written[path] = _write_beside(path, text)
        for path, temporary in written.items():
            with named(path):
                _flush(temporary)
        for path, temporary in written.items():
            with named(path):
                os.replace(temporary, _place(path))
    finally:
        for temporary in written.values():
            temporary.unlink(missing_ok=True)


def _write_beside(path: Path, text: str) -> Path:
    """A new file with text, in the folder of path."""
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        place = _place(path)
        handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(name, 0o644)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    return Path(name)


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """Another path, of the same ending, to write to: path is the file there when all went well, else as it was.

    Raises `InputError` that names path for what the system refuses.
    """
    with named(path):
        place = _place(path)
        temporary = place.with_name(f".{place.stem}.{os.getpid()}{place.suffix}")
        try:
            yield temporary
            _flush(temporary)
            os.replace(temporary, place)
        finally:
            temporary.unlink(missing_ok=True)


def _place(path: Path) -> Path:
    """Where links lead. Raises `OSError` for what is no file: a device would be replaced by one."""
    place = Path(os.path.realpath(path))
    if place.exists() and not stat.S_ISREG(place.stat().st_mode):
        raise OSError("Is a directory" if place.is_dir() else "not a regular file")
    return place


def _flush(path: Path) -> None:
    """Wait until the file is on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Turns what the system refuses into an error that names path."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
