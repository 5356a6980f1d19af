"""Files that anybody may have written, as text, YAML or JSON: a plain value comes out, or one line that refuses."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from pvtsearch.errors import InputError

MOST_BYTES = 1_000_000  # of a configuration or a space
MOST_BYTES_OF_JSON = 100_000_000  # measurements keep every duration
MOST_BITS = 1000  # a longer integer has no float


def read_text(path: Path, most_bytes: int = MOST_BYTES) -> str:
    """The text of a file, without a byte order mark.

    Raises `InputError` that names the file: where it is none (a pipe may wait for ever, a device never ends), is larger
    than most_bytes, is not UTF-8, or cannot be read.
    """
    with readable(path), path.open("rb") as file:
        content = file.read(most_bytes + 1)
    if len(content) > most_bytes:
        raise InputError(f"{path}: larger than {most_bytes:,} bytes, which nothing that belongs here needs")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: cannot be read: not UTF-8 text") from error


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Around the reading of a file: raises `InputError` that names path where it is none or cannot be read."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise OSError("Is a directory" if stat.S_ISDIR(mode) else "not a regular file")
        yield
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error


def read_yaml(path: Path) -> Any:
    """Parse a YAML 1.2 file into plain values; raises `InputError` naming file, line and column."""
    from ruamel.yaml import YAML

    text = read_text(path)
    try:
        value = YAML(typ="safe", pure=True).load(text)
    except Exception as error:  # a file of any content: the reader raises what it stumbles over
        raise InputError(f"{path}: {_yaml_problem(error)}") from error
    if _written_out(value, str(path), {}) > MOST_BYTES:
        raise InputError(f"{path}: its aliases, written out, make more than {MOST_BYTES:,} characters")
    return value


def _yaml_problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or "not valid YAML"
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}not valid YAML: {' '.join(str(problem).split())}".removesuffix(": not valid YAML")


def _written_out(value: Any, where: str, known: dict[int, int]) -> int:
    """How long value is with every alias written out; more than anything may be where it holds itself.

    Raises `InputError` for an integer beyond `MOST_BITS`.
    """
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, int):
        if value.bit_length() > MOST_BITS:
            raise InputError(f"{where}: holds a number of {value.bit_length():,} bits, {MOST_BITS:,} are the most")
        return 1
    if not isinstance(value, Iterable):
        return 1
    if id(value) not in known:
        known[id(value)] = MOST_BYTES + 1  # as long as it is not through: whoever meets it again is inside of it
        parts = chain(value.keys(), value.values()) if isinstance(value, Mapping) else value
        known[id(value)] = 1 + sum(_written_out(part, where, known) for part in parts)
    return known[id(value)]


def read_json(path: Path) -> Any:
    """Parse a JSON file into plain values; raises `InputError` naming the file."""
    return parse_json(read_text(path, MOST_BYTES_OF_JSON), str(path))


def parse_json(text: str, where: str) -> Any:
    """Plain values of JSON; raises `InputError` that names where."""
    try:
        return json.loads(text, parse_int=_integer)
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise InputError(f"{where}: not valid JSON: {reason}") from error


def _integer(text: str) -> int:
    if len(text) > MOST_BITS // 4:
        raise ValueError(f"a number of {len(text):,} digits")
    return int(text)


def read_csv(text: str, where: str) -> list[dict[str, str]]:
    """The rows of a CSV by its header, each as long as that; raises `InputError` that names where and the line."""
    lines = csv.DictReader(io.StringIO(text))
    try:
        rows = list(lines)
    except csv.Error as error:
        raise InputError(f"{where}: line {lines.line_num}: not valid CSV: {error}") from error
    for number, row in enumerate(rows, start=1):
        if None in row or None in row.values():
            raise InputError(f"{where}: row {number} has not as many cells as the header")
    return rows
