"""What `profile --records` shows: measurements of networks, from the files that `measure` writes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pvtsearch.cli.profile import mebibytes
from pvtsearch.config import ImageSize, ModelConfig, Task
from pvtsearch.errors import InputError

if TYPE_CHECKING:
    from pvtsearch.analysis.recorded import Recorded

Recordings: TypeAlias = "Sequence[Sequence[Recorded]]"  # of each network in turn

HEADER = ["network", "device", "mode", "batch", "type", "execution", "median, ms", "95 % interval", "images/s",
          "memory, MiB", "closed form, MiB", "date"]  # fmt: skip
USUAL = {"memory_format": "contiguous", "attention": "fused"}  # said where they are something else


def find_recorded(
    configs: Sequence[ModelConfig], image_size: ImageSize, task: Task, folder: Path
) -> list[list[Recorded]]:
    """What was measured of each network. Raises `InputError` where there is no such folder."""
    from pvtsearch.analysis.device_records import read_devices
    from pvtsearch.analysis.recorded import recorded

    if not folder.is_dir():
        raise InputError(f"--records {folder}: no such folder; 'pvtsearch measure' writes reports/devices")
    devices = read_devices(folder)
    return [recorded(config, image_size, task, devices) for config in configs]


def recorded_rows(names: Iterable[str], found: Recordings) -> tuple[list[str], list[list[str]]]:
    """One row per measurement of networks with these names, with the closed form beside what memory it took."""
    return HEADER, [_cells(name, each) for name, rows in zip(names, found, strict=True) for each in rows]


def _cells(name: str, one: Recorded) -> list[str]:
    row, about = one.row, one.circumstances
    unusual = [row[column] for column, usual in USUAL.items() if row[column] != usual]
    how = ", ".join((row["execution"], *unusual))
    cells = [name, about["device"], row["mode"], f"{row['batch_size']}", row["dtype"], how, *_latency(one)]
    memory = (row["requested_bytes"], one.predicted_bytes)
    return [*cells, *("" if count is None else mebibytes(count) for count in memory), about["date"][:10]]


def _latency(one: Recorded) -> list[str]:
    """Median, interval and throughput, or why there are none."""
    row = one.row
    if row["median_ms"] is None:
        return [row["outcome"], "", ""]
    return [
        f"{row['median_ms']:.4g}",
        f"{row['low_ms']:.4g} to {row['high_ms']:.4g}",
        f"{row['images_per_second']:,.1f}",
    ]
