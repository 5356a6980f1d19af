"""What was measured of a network, found in the records of devices, each beside the closed form."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pvtsearch.analysis.device_records import DeviceRecords
from pvtsearch.analysis.peak import inference_memory, training_memory
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import ImageSize, ModelConfig, Task, is_dense


@dataclass(frozen=True)
class Recorded:
    """One row of a device's records, by the names of its columns, and the circumstances of its run.

    predicted_bytes: peak memory in closed form in the row's own setting; None where there is no such form.
    """

    row: Mapping[str, Any]
    circumstances: Mapping[str, Any]
    predicted_bytes: int | None

    def to_dict(self) -> dict[str, Any]:
        """Flat, for JSON: the row, the device's name, when it was measured, and the closed form."""
        about = {name: self.circumstances[name] for name in ("date", "threads") if name in self.circumstances}
        return {**self.row, "device_name": self.circumstances["device"], **about,
                "predicted_bytes": self.predicted_bytes}  # fmt: skip


def recorded(
    config: ModelConfig, image_size: ImageSize, task: Task, devices: Mapping[str, DeviceRecords]
) -> list[Recorded]:
    """All rows of a network at an input of (height, width), whatever its name, by device and run."""
    wanted = (task, *image_size)
    return [
        Recorded(row, about["circumstances"], _predicted_bytes(config, row, about["circumstances"]))
        for records in devices.values()
        for row, about in _rows_of(config, records)
        if (row["task"], row["height"], row["width"]) == wanted
    ]


def _rows_of(config: ModelConfig, records: DeviceRecords) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    ours = _nameless(json.loads(json.dumps(asdict(config))))
    for row in records.rows:
        about = records.runs[row["run"]]
        theirs = about["networks"].get(row["name"])
        if theirs is not None and _nameless(theirs) == ours:
            yield row, about


def _nameless(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != "name"}


def _predicted_bytes(config: ModelConfig, row: Mapping[str, Any], circumstances: Mapping[str, Any]) -> int | None:
    """Peak memory of what a row measured; a compiler decides itself what it keeps."""
    if is_dense(row["task"]) or row["execution"] == "compiled":
        return None
    of_device: dict[str, Any] = {}
    if row["device"] != "cpu":
        major, _, _ = str(circumstances.get("compute_capability")).partition(".")
        if not re.fullmatch(r"[0-9]{1,4}", major):
            return None
        of_device = {"backend": "cuda", "compute_capability": int(major)}
    setting = MemorySetting(
        batch_size=row["batch_size"],
        dtype=row["dtype"],
        attention=row["attention"],
        optimizer=row["optimizer"],
        **of_device,
    )
    formula = inference_memory if row["mode"] == "inference" else training_memory
    return formula(config, (row["height"], row["width"]), row["task"], setting).peak_bytes
