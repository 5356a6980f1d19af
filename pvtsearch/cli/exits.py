"""Exit statuses: what a command ends with, and the one line that says why."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress

from typer.exceptions import TyperException

from pvtsearch.errors import Ended, Failure, InputError
from pvtsearch.shown import printable

INTERRUPTED = 130  # what typer returns for a KeyboardInterrupt
ENDED = 143  # by SIGTERM
LONGEST = 2000  # characters of a complaint
_GOES_ON = "with the same command trials and trainings go on where they were, all else begins anew"


def status_of(call: Callable[[], object]) -> int:
    """The exit status of a call. 0; 1: ran, but failed; 2: bad input; 130: interrupted; 143: ended by SIGTERM."""
    try:
        status = call()
        if sys.stdout is not None:
            sys.stdout.flush()
    except InputError as error:
        return complain(error, 2)
    except Failure as error:
        return complain(error, 1)
    except Ended:
        return complain(f"ended as asked; {_GOES_ON}", ENDED)
    except TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        return complain(message.replace("Value error, ", ""), 2)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:  # a disk that is full, a file that went away: what is written whole names its file itself
        _drop_output()
        return complain(f"{error.filename or 'output'}: {error.strerror or error}", 2)
    except MemoryError:
        return complain("this machine has not enough memory for what was asked: ask for less at a time", 1)
    if status == INTERRUPTED:
        complain(f"interrupted; {_GOES_ON}", INTERRUPTED)
    return status if isinstance(status, int) else 0


def _drop_output() -> None:
    """Let what could not be written to standard output go, so that the interpreter does not try again at its end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(problem: object, status: int) -> int:
    """The status, its reason said in one line."""
    line = printable(str(problem))
    print(f"pvtsearch: {line if len(line) <= LONGEST else line[: LONGEST - 3] + '...'}", file=sys.stderr)
    return status
