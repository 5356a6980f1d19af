"""What is known of an accuracy signal: shown wherever its score is shown, computed from tables, kept as JSON.

The words are the signal's own. The figures were written by `pvtsearch validate SIGNAL --table FILE --out`, each with
the command that makes them again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from typing import Any

COIN = 50
FEWEST_PAIRS = 10  # below this a bootstrap over networks knows of no doubt: one pair is always right or always wrong


@dataclass(frozen=True)
class Ceiling:
    """How well two trainings of the same networks agree with each other: columns of the table, and the figures."""

    trainings: tuple[str, str]
    tau: float
    pair_percent: float
    pair_interval_percent: tuple[float, float]


@dataclass(frozen=True)
class Validation:
    """Agreement of a signal with trained accuracy on one table of networks.

    tau: Kendall's tau-b over all pairs. pair_percent: how often the signal orders two networks correctly whose MACs
    differ by less than 10 %; 50 is a coin. Intervals are 95 %, by bootstrap over networks. by_column: tau and pair
    per cent for each column of accuracies alone; the main figures are for the mean rank over all of them.
    """

    table: str
    sha256: str
    networks: int
    accuracies: tuple[str, ...]
    tau: float
    tau_interval: tuple[float, float]
    pairs: int
    pair_percent: float
    pair_interval_percent: tuple[float, float]
    by_column: Mapping[str, tuple[float, float]]
    ceiling: Ceiling | None
    seconds_per_network: float
    circumstances: Mapping[str, Any]
    command: str


@dataclass(frozen=True)
class Card:
    """A signal in words and figures."""

    signal: str
    meaning: str
    validations: tuple[Validation, ...]
    caveats: tuple[str, ...]


def card(signal: str, meaning: str, *caveats: str) -> Card:
    """The card of a signal: its words, with the figures that are kept for it."""
    kept = files(__package__).joinpath("validated", f"{signal}.json")
    found = read_validations(kept.read_text(encoding="utf-8")) if kept.is_file() else ()
    return Card(signal, meaning, found, caveats)


def verdict(validation: Validation) -> str:
    """What the pairs of equal MACs tell, in words: where a signal fails, its card says so."""
    if validation.pairs < FEWEST_PAIRS:
        return "too few pairs to tell"
    lower, upper = validation.pair_interval_percent
    if lower > COIN:
        return "better than a coin"
    return "worse than a coin" if upper < COIN else "not told from a coin"


def read_validations(text: str) -> tuple[Validation, ...]:
    """The validations of a card's JSON."""
    return tuple(_validation(entry) for entry in json.loads(text)["validations"])


def dump_validations(signal: str, validations: tuple[Validation, ...]) -> str:
    """A card's figures as JSON; `read_validations` reads them back equal."""
    return json.dumps({"signal": signal, "validations": [asdict(v) for v in validations]}, indent=2) + "\n"


def _validation(entry: Mapping[str, Any]) -> Validation:
    values = {field.name: _tuples(entry[field.name]) for field in fields(Validation)}
    if values["ceiling"] is not None:
        values["ceiling"] = Ceiling(**values["ceiling"])
    return Validation(**values)


def _tuples(value: Any) -> Any:
    """Lists of JSON as the tuples they were."""
    match value:
        case list():
            return tuple(_tuples(entry) for entry in value)
        case dict():
            return {key: _tuples(entry) for key, entry in value.items()}
        case _:
            return value
