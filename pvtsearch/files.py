"""Files: YAML read with its place in every complaint, and text written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pvtsearch.errors import InputError

MAX_FILE_BYTES = 1_000_000


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


def read_yaml(path: Path) -> Any:
    """Parse a YAML 1.2 file into plain values; raises `InputError` naming file, line and column."""
    from ruamel.yaml import YAML

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{path}: larger than {MAX_FILE_BYTES:,} bytes, which no configuration needs")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not UTF-8 text"
        raise InputError(f"{path}: cannot be read: {reason}") from error
    try:
        return YAML(typ="safe", pure=True).load(text)
    except Exception as error:  # a file of any content: the reader raises what it stumbles over
        raise InputError(f"{path}: {_yaml_problem(error)}") from error


def _yaml_problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or "not valid YAML"
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}not valid YAML: {' '.join(str(problem).split())}".removesuffix(": not valid YAML")
