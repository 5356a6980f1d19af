"""`pvtsearch signals`: what can stand for accuracy, and what each is worth."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated, Literal

import typer

from pvtsearch.accuracy.cards import Card, Validation, verdict
from pvtsearch.cli import tables


def signals(
    format: Annotated[
        Literal["table", "json", "markdown"], typer.Option("--format", help="How to print it.")
    ] = "table",
) -> None:
    """Every accuracy signal with its card: how well it ordered trained networks, and where it fails."""
    from pvtsearch.accuracy.signals import SIGNALS

    cards = [signal.card for signal in SIGNALS.values()]
    if format == "json":
        print(json.dumps({"signals": [asdict(card) for card in cards]}, indent=2))
        return
    header = ["signal", "networks", "tau", "95 %", "right at equal MACs", "95 %", "verdict", "s per network", "search"]
    exact = [signal.by_stage is not None for signal in SIGNALS.values()]
    rows = [row for card, one in zip(cards, exact, strict=True) for row in _rows(card, "exact" if one else "trials")]
    tables.print_table(header, rows, format)
    print(
        "\nEqual MACs: pairs that differ by less than 10 %; a coin orders 50 % of them correctly. Intervals: bootstrap."
    )
    for source in dict.fromkeys(check.table for card in cards for check in card.validations):
        print(f"Networks: {source}.")
    for card in cards:
        print(f"{card.signal}: {card.meaning} {' '.join(card.caveats)}")


def _rows(card: Card, search: str) -> list[list[str]]:
    if not card.validations:
        return [[card.signal, "none", "", "", "", "", "validated on nothing", "", search]]
    return [[card.signal, str(check.networks), *figures(check), search] for check in card.validations]


def figures(check: Validation) -> list[str]:
    """Tau and pair accuracy with their intervals, what they tell, and the seconds they cost."""
    (low, high), (lower, upper) = check.tau_interval, check.pair_interval_percent
    return [
        f"{check.tau:.2f}",
        f"{low:.2f} to {high:.2f}",
        f"{check.pair_percent:.1f} %",
        f"{lower:.1f} to {upper:.1f}",
        verdict(check),
        f"{check.seconds_per_network:.2g}",
    ]
