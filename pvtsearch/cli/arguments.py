"""The command line as the system shows it to everybody on the machine, without passwords."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from pvtsearch.reading import hide_password

_BEGIN, _END = 45, 46  # arg_start and arg_end of proc(5)'s stat, counted behind the program's name


def cover_passwords(arguments: Sequence[str]) -> None:
    """Overwrite the passwords among this process's arguments in what `ps` and /proc show, where the system lets us.

    Only Linux does. The arguments themselves, which Python has copied, stay as they are. A password was visible from
    the start of the process until here, so it is better kept in a file or in the environment.
    """
    telling = [argument for argument in arguments if hide_password(argument) != argument]
    if not telling or sys.platform != "linux":
        return
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        begin, end = int(fields[_BEGIN]), int(fields[_END])
    except (OSError, ValueError, IndexError):
        return
    shown = ctypes.string_at(begin, end - begin)
    for argument in telling:
        text = os.fsencode(argument)
        covered = os.fsencode(hide_password(argument)).ljust(len(text))[: len(text)]
        if (place := shown.find(text)) >= 0:
            ctypes.memmove(begin + place, covered, len(text))
