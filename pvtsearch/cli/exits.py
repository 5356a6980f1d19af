"""Exit statuses: what a command ends with, and the one line that says why."""

from __future__ import annotations

import sys
from collections.abc import Callable

from typer.exceptions import TyperException

from pvtsearch.errors import Ended, Failure, InputError

INTERRUPTED = 130  # what typer returns for a KeyboardInterrupt
ENDED = 143  # by SIGTERM
_GOES_ON = "with the same command trials and trainings go on where they were, all else begins anew"


def status_of(call: Callable[[], object]) -> int:
    """The exit status of a call. 0; 1: ran, but failed; 2: bad input; 130: interrupted; 143: ended by SIGTERM."""
    try:
        status = call()
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
    if status == INTERRUPTED:
        complain(f"interrupted; {_GOES_ON}", INTERRUPTED)
    return status if isinstance(status, int) else 0


def complain(problem: object, status: int) -> int:
    """The status, its reason said in one line."""
    print(f"pvtsearch: {' '.join(str(problem).split())}", file=sys.stderr)
    return status
