"""The command line. Commands import what they need when they run, so that `--help` answers at once."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress

import typer
from typer.exceptions import TyperException

from pvtsearch.cli import (
    calibrate,
    compare,
    data,
    export,
    formula,
    listing,
    measure,
    paper,
    profile,
    report,
    search,
    signals,
    space,
    supernet,
    sweep,
    train,
    validate,
    verify,
)
from pvtsearch.cli.arguments import cover_passwords
from pvtsearch.errors import Failure, InputError
from pvtsearch.shown import printable

INTERRUPTED = 130  # what typer returns for a KeyboardInterrupt
LONGEST = 2000  # characters of a complaint

app = typer.Typer(
    name="pvtsearch",
    help="Profile and search the stage settings of pyramid vision transformers under hard budgets.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("profile")(profile.profile)
app.command("formula")(formula.formula)
app.command("search")(search.search)
app.command("compare")(compare.compare)
app.command("space")(space.space)
app.command("sweep")(sweep.sweep)
app.command("calibrate")(calibrate.calibrate)
app.command("verify")(verify.verify)
app.command("measure")(measure.measure)
app.command("paper")(paper.paper)
app.command("export")(export.export)
app.command("list")(listing.list_known)
app.command("signals")(signals.signals)
app.command("train")(train.train)
app.command("supernet")(supernet.supernet)
app.command("data")(data.data)
app.command("report")(report.report)
app.command("validate")(validate.validate)


def main() -> None:
    """Run one command. Exit status 0; 1: ran, but failed; 2: bad input, one line on stderr; 130: interrupted."""
    cover_passwords(sys.argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # none where the caller closed it
            stream.reconfigure(errors="backslashreplace")  # of a terminal that lacks a letter
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    try:
        status = app(arguments or ["--help"], prog_name="pvtsearch", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
    except InputError as error:
        return _complain(error, 2)
    except Failure as error:
        return _complain(error, 1)
    except TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        return _complain(message.replace("Value error, ", ""), 2)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:  # a disk that is full, a file that went away: what is written whole names its file itself
        _drop_output()
        return _complain(f"{error.filename or 'output'}: {error.strerror or error}", 2)
    except MemoryError:
        return _complain("this machine has not enough memory for what was asked: ask for less at a time", 1)
    if status == INTERRUPTED:
        _complain(
            "interrupted; with the same command trials and trainings go on where they were, all else begins anew",
            INTERRUPTED,
        )
    return status if isinstance(status, int) else 0


def _drop_output() -> None:
    """Let what could not be written to standard output go, so that the interpreter does not try again at its end."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _complain(problem: object, status: int) -> int:
    line = printable(str(problem))
    print(f"pvtsearch: {line if len(line) <= LONGEST else line[: LONGEST - 3] + '...'}", file=sys.stderr)
    return status
