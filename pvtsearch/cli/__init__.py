"""The command line. Commands import what they need when they run, so that `--help` answers at once."""

from __future__ import annotations

import io
import sys

import typer

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
from pvtsearch.cli.exits import status_of

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
    """Run one command, and exit with its status (`pvtsearch.cli.exits`)."""
    cover_passwords(sys.argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # none where the caller closed it
            stream.reconfigure(errors="backslashreplace")  # of a terminal that lacks a letter
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status."""
    return status_of(lambda: app(arguments or ["--help"], prog_name="pvtsearch", standalone_mode=False))
