"""The command line. Commands import what they need when they run, so that `--help` answers at once."""

from __future__ import annotations

import sys

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
    sweep,
    train,
    validate,
    verify,
)
from pvtsearch.errors import Failure, InputError

INTERRUPTED = 130  # what typer returns for a KeyboardInterrupt

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
app.command("data")(data.data)
app.command("report")(report.report)
app.command("validate")(validate.validate)


def main() -> None:
    """Run one command. Exit status 0; 1: ran, but failed; 2: bad input, one line on stderr; 130: interrupted."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    try:
        status = app(arguments or ["--help"], prog_name="pvtsearch", standalone_mode=False)
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
    if status == INTERRUPTED:
        _complain(
            "interrupted; with the same command trials and trainings go on where they were, all else begins anew",
            INTERRUPTED,
        )
    return status if isinstance(status, int) else 0


def _complain(problem: object, status: int) -> int:
    print(f"pvtsearch: {' '.join(str(problem).split())}", file=sys.stderr)
    return status
