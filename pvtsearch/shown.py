"""Text that people are shown: printable, in one line, and no longer than they read."""

from __future__ import annotations

import reprlib
from typing import Any

LONGEST = 60  # of a value in an error


class _Brief(reprlib.Repr):
    """Looks at the first values of a few levels only, whatever there is below."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxstring, self.maxother = 4, 4 * LONGEST, 4 * LONGEST
        self.maxlist = self.maxtuple = self.maxset = self.maxdict = 20

    def repr_int(self, value: int, _level: int) -> str:
        return repr(value) if value.bit_length() <= 64 else f"a number of {value.bit_length()} bits"


_BRIEF = _Brief()


def short(value: Any) -> str:
    """Value as it is shown in an error."""
    text = _BRIEF.repr(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def printable(text: str) -> str:
    """Text in one line, with what would steer a terminal, or hide from a reader, as escapes."""
    line = " ".join(text.split())
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)
