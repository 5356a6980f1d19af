"""Files of text, written whole or not at all."""

from __future__ import annotations

import os
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
            with _named(path), temporary.open("rb") as file:
                os.fsync(file.fileno())
        for path, temporary in written.items():
            with _named(path):
                os.replace(temporary, path)
    finally:
        for temporary in written.values():
            temporary.unlink(missing_ok=True)


def _write_beside(path: Path, text: str) -> Path:
    """A new file with text, in the folder of path."""
    with _named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(name, 0o644)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    return Path(name)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turns what the system refuses into an error that names path."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
