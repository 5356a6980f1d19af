"""Tables of trained networks, as people keep them: JSON or CSV, a configuration and its accuracies in each row.

JSON is a mapping with `networks`, a list of rows; `source` says where they come from, `model` and `columns` more.
A row has `config`, a CONFIG by name, path or value, or `arch`, a PiT as ViT-Bench-101 writes it; every other entry
is an accuracy. CSV has the same as columns.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.config import PVTConfig
from pvtsearch.errors import InputError
from pvtsearch.models.pit_config import PiTConfig, pit_cost
from pvtsearch.reading import located, read_mapping, read_sequence, refuse, short
from pvtsearch.serialize import config_from_dict, load_config

ARCHITECTURE = ("config", "arch")
MAX_TABLE_BYTES = 100_000_000
PIT_CLASSES = 100  # of CIFAR-100, the first task of ViT-Bench-101


@dataclass(frozen=True)
class TrainedTable:
    """Networks with their accuracies by column, higher is better; `name` is the file's, `sha256` of its bytes."""

    name: str
    source: str
    sha256: str
    networks: tuple[PVTConfig | PiTConfig, ...]
    accuracies: Mapping[str, tuple[float, ...]]

    def macs(self) -> list[int]:
        """MACs of each network at the size it is made for."""
        return [network_macs(network) for network in self.networks]


def network_macs(config: PVTConfig | PiTConfig) -> int:
    """MACs of a network at the size it is made for."""
    if isinstance(config, PiTConfig):
        return int(pit_cost(config).macs)
    macs: int = network_cost(config, (config.image_size, config.image_size), "classification").total.macs
    return macs


def load_table(path: Path, accuracies: Sequence[str] = ()) -> TrainedTable:
    """The table in a file; accuracies: the columns that count, by default every one that is no architecture.

    Paths of configurations are relative to the file. Raises `InputError` naming file, row, column, value and law.
    """
    content = _read(path)
    data = _rows_of_csv(content) if path.suffix == ".csv" else _parsed(content, path)
    values = read_mapping(data, f"{path}: ", ("source", "model", "columns", "networks"))
    rows = read_sequence(values.get("networks"), f"{path}: networks", "rows")
    if len(rows) < 2:
        refuse(f"{path}: networks", f"must hold at least 2 rows, got {len(rows)}")
    checked = [_row(row, f"{path}: networks[{index}]") for index, row in enumerate(rows)]
    names = list(accuracies) or [key for key in checked[0] if key not in ARCHITECTURE]
    if not names:
        refuse(f"{path}: networks[0]", "has no accuracy: give it a column beside its config")
    return TrainedTable(
        name=path.name,
        source=str(values.get("source", path.name)),
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        networks=tuple(_network(row, f"{path}: networks[{i}]", path.parent) for i, row in enumerate(checked)),
        accuracies={
            name: tuple(_accuracy(row, name, f"{path}: networks[{i}]") for i, row in enumerate(checked))
            for name in names
        },
    )


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_TABLE_BYTES:
            raise InputError(f"{path}: larger than {MAX_TABLE_BYTES:,} bytes, which no table of trained networks needs")
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not UTF-8 text"
        raise InputError(f"{path}: cannot be read: {reason}") from error


def _parsed(content: str, path: Path) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        raise InputError(f"{path}: must be JSON, or a .csv file: {error}") from error


def _rows_of_csv(content: str) -> dict[str, Any]:
    """The rows of a CSV as JSON has them; a configuration that starts with a brace is a value."""
    rows = [{key: value for key, value in row.items() if value != ""} for row in csv.DictReader(content.splitlines())]
    for row in rows:
        for key in ARCHITECTURE:
            if str(row.get(key, "")).startswith("{"):
                row[key] = located(f"column {key}", json.loads, row[key])
    return {"networks": rows}


def _row(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, Mapping) or sum(key in row for key in ARCHITECTURE) != 1:
        refuse(where, f"must have either config or arch, and accuracies, got {short(row)}")
    return dict(row)


def _network(row: Mapping[str, Any], where: str, folder: Path) -> PVTConfig | PiTConfig:
    if "arch" in row:
        fields = ("base_dim", "num_heads", "depth", "mlp_ratio")
        values = read_mapping(row["arch"], f"{where}.arch", fields)
        if missing := [field for field in fields if field not in values]:
            refuse(f"{where}.arch.{missing[0]}", "is missing")
        return located(f"{where}.arch", PiTConfig, **values, num_classes=PIT_CLASSES)
    config = row["config"]
    if isinstance(config, Mapping):
        return config_from_dict(config, f"{where}.config")
    beside = folder / str(config)
    found = load_config(beside if beside.is_file() else str(config))
    if not isinstance(found, PVTConfig):
        refuse(f"{where}.config", f"{found.name} is no pyramid of transformer blocks, which signals score")
    return found


def _accuracy(row: Mapping[str, Any], name: str, where: str) -> float:
    if name not in row:
        refuse(f"{where}.{name}", f"is missing, the row has {', '.join(key for key in row if key not in ARCHITECTURE)}")
    value = row[name]
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        refuse(f"{where}.{name}", f"must be a finite number, got {short(value)} (--accuracy names the columns to use)")
    return number
