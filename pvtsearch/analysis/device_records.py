"""Measurements kept in files, one set per device; measuring again adds to them.

`DEVICE.csv` has one row per measurement, each with the run it came from; `DEVICE.json` the circumstances, comparisons
and networks of every run; `DEVICE.samples.json` every duration, by run, group and name.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pvtsearch.analysis.measured import Measured, Measurements
from pvtsearch.analysis.timing import Latency
from pvtsearch.documents import MOST_BYTES_OF_JSON, read_csv, read_json, read_text
from pvtsearch.errors import InputError
from pvtsearch.files import write_all
from pvtsearch.locks import held
from pvtsearch.shown import short

FOLDER = Path("reports/devices")
SCHEMA_VERSION = 1
COLUMNS = (
    "run", "name", "task", "height", "width", "device", "batch_size", "dtype", "mode", "execution", "attention",
    "memory_format", "optimizer", "outcome", "together", "median_ms", "low_ms", "high_ms", "p10_ms", "p90_ms", "p99_ms",
    "host_median_ms", "launch_bound", "samples", "images_per_second", "requested_bytes", "allocated_bytes",
    "reserved_bytes", "note",
)  # fmt: skip
INTEGERS = {"height", "width", "batch_size", "together", "samples", "requested_bytes", "allocated_bytes",
            "reserved_bytes"}  # fmt: skip
NEEDED = ("run", "name", "task", "height", "width", "device", "batch_size", "dtype", "mode", "execution", "attention",
          "memory_format", "optimizer", "outcome")  # fmt: skip


@dataclass(frozen=True)
class DeviceRecords:
    """What the files of one device hold: rows with a value for each of `COLUMNS` (None: not measured), and runs."""

    rows: tuple[Mapping[str, Any], ...]
    runs: Mapping[str, Mapping[str, Any]]


def device_slug(name: str) -> str:
    """A device's name as a file name: `NVIDIA H200` is nvidia-h200."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "unknown"


def add_measurements(found: Measurements, folder: Path) -> Path:
    """Add to the files of the device that measured, all or none of them; returns the table's path.

    Raises `InputError` where files of that name hold something else, or cannot be written.
    """
    slug = device_slug(str(found.circumstances["device"]))
    table, about, samples = (folder / f"{slug}{ending}" for ending in (".csv", ".json", ".samples.json"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with held(folder / f".{slug}.lock"):
            before = read_device(table)
            durations = _document(samples)
            run = _run_name(str(found.circumstances["date"]), before)
            rows = [*before.rows, *({"run": run, **row.to_row()} for row in found.rows)]
            runs = {**before.runs, run: _about(found)}
            durations[run] = _samples(found)
            write_all({
                table: _as_csv(rows),
                about: _as_json({"schema_version": SCHEMA_VERSION, "runs": runs}, indent=1),
                samples: _as_json(durations),
            })  # fmt: skip
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return table


def read_device(table: Path) -> DeviceRecords:
    """The records of one device, by the path of its table; nothing where there is no such file."""
    if not table.exists():
        return DeviceRecords((), {})
    text = read_text(table, MOST_BYTES_OF_JSON)
    if text.partition("\n")[0].strip() != ",".join(COLUMNS):
        raise InputError(f"{table}: is no table of measurements, whose columns are {','.join(COLUMNS)}")
    runs = _runs(table.with_suffix(".json"))
    lines = enumerate(read_csv(text, str(table)), start=1)
    return DeviceRecords(tuple(_row(line, runs, f"{table}: row {number}") for number, line in lines), runs)


def _runs(path: Path) -> dict[str, dict[str, Any]]:
    """The runs of a device by name, each with what its rows are read with."""
    runs = _mapping(_document(path).get("runs", {}), f"{path}: runs")
    for name, run in runs.items():
        where = f"{path}: {short(name)}"
        about = _mapping(_mapping(run, where).get("circumstances"), f"{where}: circumstances")
        for key in ("device", "date"):
            if not isinstance(about.get(key), str):
                raise InputError(f"{where}: circumstances: {key} must be text, got {short(about.get(key))}")
        for network, config in _mapping(run.get("networks"), f"{where}: networks").items():
            _mapping(config, f"{where}: networks: {short(network)}")
    return runs


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{where}: must be a mapping, got {short(value)}")
    return value


def _row(line: Mapping[str, str], runs: Mapping[str, Any], where: str) -> dict[str, Any]:
    row = {name: _value(name, cell, where) for name, cell in line.items()}
    if row["run"] not in runs:
        raise InputError(f"{where}: no run is called {short(row['run'])} in the file of circumstances")
    needed = NEEDED if row["median_ms"] is None else (*NEEDED, "low_ms", "high_ms", "images_per_second")
    if missing := [name for name in needed if row[name] is None]:
        raise InputError(f"{where}: {missing[0]} is missing")
    return row


def read_devices(folder: Path = FOLDER) -> dict[str, DeviceRecords]:
    """The records of every device that has a table in folder, by the table's name without its ending."""
    tables = sorted(path for path in folder.glob("*.csv") if _is_table(path))
    return {path.stem: read_device(path) for path in tables}


def _is_table(path: Path) -> bool:
    return path.is_file() and read_text(path, MOST_BYTES_OF_JSON).partition("\n")[0].strip() == ",".join(COLUMNS)


def _value(name: str, cell: str, where: str) -> Any:
    if cell == "" and name != "note":
        return None
    try:
        if name in INTEGERS:
            return int(cell)
        number = float(cell) if name.endswith("_ms") or name == "images_per_second" else None
    except ValueError as error:
        raise InputError(f"{where}: {name} must be a number, got {short(cell)}") from error
    if number is not None and not math.isfinite(number):
        raise InputError(f"{where}: {name} must be a finite number, got {short(cell)}")
    if name == "launch_bound":
        return cell == "True"
    return cell if number is None else number


def _document(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    found = read_json(path)
    if not isinstance(found, dict):
        raise InputError(f"{path}: is no document of measurements")
    return found


def _run_name(date: str, before: DeviceRecords) -> str:
    """The date, and what tells apart runs of one second."""
    while (name := f"{date}-{secrets.token_hex(2)}") in before.runs:
        pass
    return name


def _about(found: Measurements) -> dict[str, Any]:
    documented = found.to_dict()
    networks = {row.name: asdict(row.config) for row in found.rows if row.config is not None}
    return {key: documented[key] for key in ("circumstances", "comparisons", "repeats")} | {"networks": networks}


def _samples(found: Measurements) -> dict[str, Any]:
    """Durations in ms, of five significant digits, by group and name."""
    return {f"{row.together}/{row.name}": _durations(row) for row in found.rows if row.latency}


def _durations(row: Measured) -> dict[str, list[float]]:
    latency = row.latency or Latency(())
    series = {"ms": latency.samples_ms, "host_ms": latency.host_ms, "throttled_ms": latency.throttled_ms}
    return {name: [float(f"{value:.5g}") for value in values] for name, values in series.items() if values}


def _as_csv(rows: list[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _as_json(document: Mapping[str, Any], indent: int | None = None) -> str:
    separators = (",", ":") if indent is None else None
    return json.dumps(document, indent=indent, separators=separators) + "\n"
