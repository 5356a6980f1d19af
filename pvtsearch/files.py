"""Files: YAML read with its place in every complaint, and text written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

from pvtsearch.errors import InputError

MAX_FILE_BYTES = 1_000_000


def write_whole(path: Path, text: str) -> None:
    """Write text so that path holds all of it or what it held before, whatever happens on the way."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
