"""Small readers of plain values. Each takes `where` it is, so that every refusal names file, key, value and law."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from pvtsearch.errors import ConfigError, InputError, SpaceError
from pvtsearch.shown import short

T = TypeVar("T")

HIDDEN = "***"
_OF_USER = re.compile(r"(?is)((?:://|\b(?:postgres|mysql|mariadb|oracle|mssql)[\w+]*:)[^:]*:).*(?=@)")  # slashes or not
_IN_QUERY = re.compile(r"(?i)([?&;][^=&;#]*(?:password|passwd|passphrase|pwd|secret|token)=)[^&;#]*")


def refuse(where: str, problem: str) -> NoReturn:
    """Raise `InputError` with where in front."""
    raise InputError(f"{where}: {problem}")


def read_mapping(value: Any, where: str, known: Sequence[str]) -> dict[str, Any]:
    """Value as a dict whose keys are all known; an unknown one is answered with the nearest known."""
    if not isinstance(value, Mapping):
        refuse(where.removesuffix(": "), f"must be a mapping of {', '.join(known)}, got {short(value)}")
    for key in value:
        if key not in known:
            close = difflib.get_close_matches(_short_key(key), known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
            separator = "" if where.endswith(": ") else "."
            raise InputError(f"{where}{separator}{_short_key(key)}: unknown field, {hint}")
    return dict(value)


def hide_password(url: str) -> str:
    """A storage URL that may be shown, without the passwords of its user and of its query; other text as it is."""
    return _IN_QUERY.sub(rf"\g<1>{HIDDEN}", _OF_USER.sub(rf"\g<1>{HIDDEN}", url))


def _short_key(key: Any) -> str:
    return short(key).removeprefix("'").removesuffix("'")


def read_sequence(value: Any, where: str, what: str) -> list[Any]:
    """Value as the list it has to be."""
    if not isinstance(value, list):
        refuse(where, f"must be a list of {what}, got {short(value)}")
    return value


def located(where: str, make: Callable[..., T], *values: Any, **named: Any) -> T:
    """make(*values, **named); where it refuses, where is put in front."""
    try:
        return make(*values, **named)
    except (ConfigError, SpaceError) as error:
        raise type(error)(f"{where.removesuffix(': ')}: {error}") from error


def required(values: Mapping[str, Any], where: str, keys: Sequence[str]) -> None:
    """Refuse values that lack one of keys."""
    for key in keys:
        if key not in values:
            refuse(at(where, key), "is missing")


def at(where: str, key: str) -> str:
    """The place of key at where: `file: key`, then `file: key.key`."""
    return f"{where}{key}" if where.endswith(": ") else f"{where}.{key}"
