"""Tables of trained networks, as people keep them: JSON or CSV, a configuration and its accuracies in each row.

JSON is a mapping with `networks`, a list of rows; `source` says where they come from, `model` and `columns` more.
A row has `config`, a CONFIG by name, path or value, or `arch`, a PiT as ViT-Bench-101 writes it; every other entry
is an accuracy. CSV has the same as columns.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.config import PVTConfig
from pvtsearch.documents import parse_json, read_csv, read_text
from pvtsearch.models.pit_config import PiTConfig, pit_cost
from pvtsearch.reading import located, read_mapping, read_sequence, refuse
from pvtsearch.serialize import config_from_dict, load_config
from pvtsearch.shown import short

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
    content = read_text(path, MAX_TABLE_BYTES)
    data = _rows_of_csv(content, str(path)) if path.suffix == ".csv" else parse_json(content, str(path))
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


def _rows_of_csv(content: str, where: str) -> dict[str, Any]:
    """The rows of a CSV as JSON has them; a configuration that starts with a brace is a value."""
    rows = [{key: value for key, value in row.items() if value != ""} for row in read_csv(content, where)]
    for number, row in enumerate(rows):
        for key in ARCHITECTURE:
            if str(row.get(key, "")).startswith("{"):
                row[key] = parse_json(row[key], f"{where}: networks[{number}].{key}")
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
    found = load_config(beside if os.path.isfile(beside) else str(config))
    if not isinstance(found, PVTConfig):
        refuse(f"{where}.config", f"{found.name} is no pyramid of transformer blocks, which signals score")
    return found


def _accuracy(row: Mapping[str, Any], name: str, where: str) -> float:
    if name not in row:
        refuse(f"{where}.{name}", f"is missing, the row has {', '.join(key for key in row if key not in ARCHITECTURE)}")
    value = row[name]
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        refuse(f"{where}.{name}", f"must be a finite number, got {short(value)} (--accuracy names the columns to use)")
    return number
