"""A search's result as files: its page can be made again from its folder, the same to the byte.

Evaluated networks are in `trials.csv` and `front.csv`, whose costs and configurations are exact; all else is in
`result.json`. A search that is not finished leaves only that: what it is, and the study that its trials are in.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from pvtsearch.analysis.metrics import METRICS
from pvtsearch.documents import MOST_BYTES_OF_JSON, parse_json, read_csv, read_json, read_text
from pvtsearch.errors import InputError
from pvtsearch.files import write_whole
from pvtsearch.records import SearchResult, TrialRecord
from pvtsearch.serialize import config_from_dict
from pvtsearch.shown import short

NAME = "result.json"
SCHEMA_VERSION = 1
COSTS = {*METRICS, "latency_ns"}
NOT_VALUES = {"name", "trial", "state", "config", "ties", "measured_latency_ns"}
_RESULT = TypeAdapter(SearchResult)
csv.field_size_limit(10**7)


@dataclass(frozen=True)
class Stored:
    """A result; study is the name of the Optuna study whose trials are to be added, where it is not finished."""

    result: SearchResult
    study: str | None = None


def write_stored(stored: Stored, folder: Path) -> None:
    """Write what the tables of a search do not hold."""
    bare = replace(stored.result, records=(), front=())
    document = {
        "schema_version": SCHEMA_VERSION,
        "study": stored.study,
        "result": _RESULT.dump_python(bare, mode="json"),
    }
    write_whole(folder / NAME, json.dumps(document, indent=1) + "\n")


def read_stored(folder: Path) -> Stored:
    """The result of a search from its folder. Raises `InputError` where its files are missing or damaged."""
    path = folder / NAME
    try:
        document = read_json(path)
        if document["schema_version"] != SCHEMA_VERSION:
            raise InputError(f"{path}: is of another version: search again")
        result = _RESULT.validate_python(document["result"])
        if document["study"] is not None:
            return Stored(result, str(document["study"]))
        records, front = (_records(folder / name) for name in ("trials.csv", "front.csv"))
        for record in (*records, *front):
            _check_asked(record, result)
    except (ValueError, KeyError, TypeError, OverflowError) as error:  # our refusals and pydantic's are ValueErrors
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{folder}: must be the folder of a search: its files are damaged: {reason}") from error
    return Stored(replace(result, records=records, front=front))


def _records(path: Path) -> tuple[TrialRecord, ...]:
    return tuple(_record(row, str(path)) for row in read_csv(read_text(path, MOST_BYTES_OF_JSON), str(path)))


def _record(row: Mapping[str, str], where: str) -> TrialRecord:
    values = {name: _number(text) for name, text in row.items() if name not in NOT_VALUES and text}
    return TrialRecord(
        trial=int(row["trial"]),
        config=config_from_dict(parse_json(row["config"], where), where),
        cost={name: int(value) for name, value in values.items() if name in COSTS},
        scores={name: value for name, value in values.items() if name not in COSTS},
    )


def _check_asked(record: TrialRecord, result: SearchResult) -> None:
    """Raise `ValueError` where a record lacks what the search was about."""
    wanted = {*result.budget.limits} - {*record.cost}
    wanted |= {goal.name for goal in result.objectives} - {*record.cost, *record.scores}
    if wanted:
        raise ValueError(f"trial {record.trial} has no {short(min(wanted))}")


def _number(text: str) -> Any:
    """An integer where it is written as one. Raises `ValueError` for what is no finite number."""
    number = int(text) if text.lstrip("-").isdigit() else float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is no number that was found")
    return number


def is_search(folder: Path) -> bool:
    """Whether a folder holds what a search wrote."""
    return (folder / NAME).is_file()
