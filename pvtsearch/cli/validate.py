"""`pvtsearch validate`: a signal's card on the user's own table of trained networks."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from pvtsearch.accuracy.cards import Validation
from pvtsearch.cli import tables, values
from pvtsearch.cli.progress import progress
from pvtsearch.errors import InputError


def validate(
    signal: Annotated[str, typer.Argument(metavar="SIGNAL", help="A signal, or params or macs.")],
    table: Annotated[Path, typer.Option(help="Trained networks: .json or .csv.")],
    accuracy: Annotated[
        str | None, typer.Option(help="Columns that count, by their mean rank; by default all.")
    ] = None,
    ceiling: Annotated[str | None, typer.Option(help="Two columns: trainings of one task.", metavar="A,B")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the bootstrap.", min=0, max=2**32 - 1)] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the card's figures to this JSON file.")] = None,
    format: Annotated[
        Literal["table", "json", "markdown"], typer.Option("--format", help="How to print it.")
    ] = "table",
) -> None:
    """How well a signal orders your trained networks: over all pairs, and at equal MACs."""
    from pvtsearch.accuracy.cards import dump_validations
    from pvtsearch.accuracy.tables import load_table
    from pvtsearch.accuracy.validation import scorer
    from pvtsearch.accuracy.validation import validate as validated
    from pvtsearch.files import write_whole

    scorer(signal)
    trainings = None if ceiling is None else two_columns(ceiling)
    loaded = load_table(table, values.names(accuracy) if accuracy else ())
    with progress(f"scoring by {signal}", len(loaded.networks)) as advance:
        found = validated(signal, loaded, trainings=trainings, seed=seed, on_network=advance)
    if out is not None:
        write_whole(out, dump_validations(signal, (found,)))
    if format == "json":
        print(json.dumps({"signal": signal, **asdict(found)}, indent=2))
        return
    show(signal, found, format)


def two_columns(text: str) -> tuple[str, str]:
    """The two columns of --ceiling."""
    match values.names(text):
        case [one, other] if one != other:
            return one, other
        case _:
            raise InputError(f"--ceiling must name two different columns, such as first,second, got '{text}'")


def show(signal: str, found: Validation, format: Literal["table", "markdown"]) -> None:
    """The figures as a table, then what they are of."""
    from pvtsearch.cli.signals import figures

    header = ["accuracy", "tau", "95 %", "right at equal MACs", "95 %", "verdict", "s per network"]
    rows = [[" + ".join(found.accuracies), *figures(found)]]
    if len(found.by_column) > 1:
        rows += [[name, f"{tau:.2f}", "", f"{p:.1f} %", "", "", ""] for name, (tau, p) in found.by_column.items()]
    tables.print_table(header, rows, format)
    pairs = f"{found.pairs:,} {'pair' if found.pairs == 1 else 'pairs'}"
    print(
        f"\n{signal} on {found.networks:,} networks, {pairs} of equal MACs (within 10 %); a coin orders 50 % of them "
        f"correctly. Intervals: bootstrap over networks. Table sha256 {found.sha256[:12]}."
    )
    if found.ceiling is not None:
        (one, other), (lower, upper) = found.ceiling.trainings, found.ceiling.pair_interval_percent
        print(
            f"Noise ceiling: {one} and {other} agree with each other to tau {found.ceiling.tau:.2f}, and on "
            f"{found.ceiling.pair_percent:.1f} % [{lower:.1f}, {upper:.1f}] of pairs of equal MACs."
        )
