"""Values as people write them on the command line: sizes, lists, numbers with units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, NoReturn, TypeAlias, get_args

import typer

from pvtsearch.config import ImageSize, Task, check_task
from pvtsearch.errors import ConfigError, InputError
from pvtsearch.shown import short

BILLIONS = {"": 10**9}
COUNT_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
BYTE_UNITS = {
    "": 1,
    **{f"{prefix}B": 10 ** (3 * power) for power, prefix in enumerate(("", "k", "M", "G", "T"))},
    **{f"{prefix}iB": 2 ** (10 * power) for power, prefix in enumerate(("K", "M", "G", "T"), start=1)},
}
TIME_UNITS = {"": 10**6, "s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}  # to nanoseconds, milliseconds without a unit
SECOND_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
MAX_SIDE = 10**6

_NUMBER = re.compile(r"((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?)\s*([A-Za-z]*)", re.ASCII)
_SIZE = re.compile(r"(\d{1,9})(?:x(\d{1,9}))?", re.ASCII)


def task(text: str) -> str:
    """The name of a task as it is; of one that is not built, why."""
    try:
        check_task(text)
    except ConfigError as error:
        raise typer.BadParameter(str(error)) from None
    return text


TaskOption: TypeAlias = Annotated[
    Task, typer.Option(help="What the network is built for.", parser=task, metavar="|".join(get_args(Task)))
]


def image_size(text: str | None) -> ImageSize | None:
    """`224` or `HxW` as (height, width)."""
    if text is None:
        return None
    found = _SIZE.fullmatch(text)
    if not found:
        raise InputError(f"--image-size must be a side such as 224 or HxW such as 800x1344, got {short(text)}")
    height, width = int(found[1]), int(found[2] or found[1])
    if not (1 <= height <= MAX_SIDE and 1 <= width <= MAX_SIDE):
        raise InputError(f"--image-size must have sides of 1 to {MAX_SIDE:,}, got {short(text)}")
    return height, width


def names(text: str) -> tuple[str, ...]:
    """A list separated by commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def number(option: str, text: str, units: Mapping[str, int]) -> int:
    """A number with a unit, exactly, rounded down to an integer: `25.6M` is 25,600,000."""
    found = _NUMBER.fullmatch(text.strip()) if len(text) <= 40 else None
    if not found or found[2] not in units:
        _refuse(option, text, units)
    value = int(Fraction(found[1]) * units[found[2]])
    if value < 1:
        _refuse(option, text, units)
    return value


def seconds(option: str, text: str) -> float:
    """A time in seconds: `90m` is 5,400."""
    return float(number(option, text, SECOND_UNITS))


def _refuse(option: str, text: str, units: Mapping[str, Any]) -> NoReturn:
    known = ", ".join(unit for unit in units if unit)
    law = (
        f"a number above 0 and below 1e100, with a unit ({known}) or without"
        if known
        else "a number above 0 and below 1e100"
    )
    raise InputError(f"{option} must be {law}, got {short(text)}")
