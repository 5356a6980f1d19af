"""Predicted peak memory beside what a CUDA device reports, for many networks: `make gpu`.

Needs torch, torchvision and numpy alone. Cases go from cheap to dear until the time is up; what does not fit is a row
too.
"""

from __future__ import annotations

import csv
import gc
import io
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, assert_never, get_args

import torch

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.device import cuda_circumstances, cuda_peaks
from pvtsearch.analysis.live_bytes import Ready, ready_pass, ready_step
from pvtsearch.analysis.measured import Peaks
from pvtsearch.analysis.peak import PeakMemory, inference_memory, training_memory
from pvtsearch.analysis.setting import Dtype, MemorySetting, Mode
from pvtsearch.config import ImageSize, ModelConfig
from pvtsearch.errors import InputError, PvtsearchError
from pvtsearch.files import write_whole
from pvtsearch.models.baselines import build_model
from pvtsearch.presets import PRESETS

Outcome: TypeAlias = Literal["measured", "does not fit", "out of memory", "not reached in time"]
Reader: TypeAlias = Callable[[Ready], Peaks]

FOLDER_VARIABLE = "PVTSEARCH_DEVICE_REPORTS"
FOLDER = Path("reports/devices")
BATCH_SIZES = (1, 8, 64)
IMAGE_SIZES: tuple[ImageSize, ...] = ((224, 224), (512, 512), (800, 1344))
DTYPES: tuple[Dtype, ...] = ("float32", "bfloat16")
TIME_LIMIT_SECONDS = 420
BACKWARD_WORK = 2  # a backward pass multiplies twice as much as its forward pass


class Case(NamedTuple):
    """One network in one mode and setting at one input of (height, width)."""

    config: ModelConfig
    mode: Mode
    image_size: ImageSize
    setting: MemorySetting

    @property
    def predicted(self) -> PeakMemory:
        """The closed form."""
        match self.mode:
            case "inference":
                return inference_memory(self.config, self.image_size, setting=self.setting)
            case "training":
                return training_memory(self.config, self.image_size, setting=self.setting)
            case _:
                assert_never(self.mode)

    @property
    def work(self) -> int:
        """Multiply-accumulates of the whole batch, for the order of cases."""
        passes = 1 + BACKWARD_WORK * (self.mode == "training")
        macs: int = network_cost(self.config, self.image_size).total.macs
        return macs * self.setting.batch_size * passes


@dataclass(frozen=True, kw_only=True)
class Row:
    """One case, what was predicted, and what the device reported where it was asked. All sizes are bytes."""

    model: str
    mode: Mode
    height: int
    width: int
    batch_size: int
    dtype: Dtype
    attention: str
    optimizer: str
    outcome: Outcome
    predicted_bytes: int
    workspace_bytes: int
    requested_bytes: int | None = None
    allocated_bytes: int | None = None
    reserved_bytes: int | None = None

    @property
    def requested_error(self) -> float | None:
        """Predicted against requested: 0.01 is one percent too much."""
        return None if self.requested_bytes is None else self.predicted_bytes / self.requested_bytes - 1

    @property
    def allocated_error(self) -> float | None:
        """Predicted against allocated."""
        return None if self.allocated_bytes is None else self.predicted_bytes / self.allocated_bytes - 1


def every_case(
    configs: Sequence[ModelConfig],
    image_sizes: Iterable[ImageSize],
    batch_sizes: Iterable[int],
    dtypes: Iterable[Dtype],
    setting: MemorySetting,
) -> list[Case]:
    """All combinations in both modes, from little work to much."""
    cases = [
        Case(config, mode, size, replace(setting, batch_size=batch_size, dtype=dtype))
        for config, size, batch_size, dtype, mode in product(configs, image_sizes, batch_sizes, dtypes, get_args(Mode))
    ]
    return sorted(cases, key=lambda case: case.work)


def measure(case: Case, *, device: str, read: Reader) -> Peaks:
    """Peaks of the second of two passes or steps of the built network: the first sets up libraries and optimizer."""
    dtype = getattr(torch, case.setting.dtype)
    with torch.device("meta"):
        module = build_model(case.config, attention=case.setting.attention).to(dtype)
    module.to_empty(device=device)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.zero_()
    shape = (case.setting.batch_size, case.config.in_chans, *case.image_size)
    images = torch.zeros(shape, dtype=dtype, device=device)
    match case.mode:
        case "inference":
            with ready_pass(module, images) as ready:
                ready.run()
                return read(ready)
        case "training":
            labels = torch.zeros(case.setting.batch_size, dtype=torch.int64, device=device)
            with ready_step(module, images, labels, case.setting.optimizer) as ready:
                return read(ready)
        case _:
            assert_never(case.mode)


def row_of(case: Case, outcome: Outcome, peaks: Peaks | None = None) -> Row:
    """The row of a case."""
    predicted, (height, width) = case.predicted, case.image_size
    return Row(
        model=case.config.name,
        mode=case.mode,
        height=height,
        width=width,
        batch_size=case.setting.batch_size,
        dtype=case.setting.dtype,
        attention=case.setting.attention,
        optimizer=case.setting.optimizer if case.mode == "training" else "none",
        outcome=outcome,
        predicted_bytes=predicted.peak_bytes,
        workspace_bytes=predicted.workspace_bytes,
        **({} if peaks is None else peaks._asdict()),
    )


def check(
    cases: Iterable[Case],
    *,
    device: str,
    read: Reader,
    capacity_bytes: int,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Row]:
    """A row for every case, in their order. After `seconds` none begins; what is predicted not to fit is not tried."""
    end = clock() + seconds
    for case in cases:
        if clock() >= end:
            yield row_of(case, "not reached in time")
        elif case.predicted.peak_bytes > capacity_bytes:
            yield row_of(case, "does not fit")
        else:
            yield _tried(case, device, read)


def _tried(case: Case, device: str, read: Reader) -> Row:
    try:
        return row_of(case, "measured", measure(case, device=device, read=read))
    except torch.OutOfMemoryError:
        return row_of(case, "out of memory")
    finally:
        gc.collect()  # a module and its gradients hold each other
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def summary(rows: Sequence[Row]) -> dict[str, Any]:
    """How many rows of each outcome, and how far predictions are off where there is a measurement."""
    outcomes = {outcome: sum(row.outcome == outcome for row in rows) for outcome in get_args(Outcome)}
    return {"rows": len(rows), "outcomes": outcomes} | {
        f"{mode}_{name}": spread(
            [error for row in rows if row.mode == mode and (error := getattr(row, f"{name}_error")) is not None]
        )
        for mode in get_args(Mode)
        for name in ("requested", "allocated")
    }


def spread(errors: Sequence[float]) -> dict[str, float]:
    """Median and extremes of relative errors, and the shares within 1 % and 3 %; nothing of none."""
    if not errors:
        return {}
    return {
        "count": len(errors),
        "median": statistics.median(errors),
        "lowest": min(errors),
        "highest": max(errors),
        "within_1_percent": sum(abs(error) <= 0.01 for error in errors) / len(errors),
        "within_3_percent": sum(abs(error) <= 0.03 for error in errors) / len(errors),
    }


def as_csv(rows: Sequence[Row]) -> str:
    """One line per row; empty where nothing was measured."""
    text = io.StringIO()
    names = [*Row.__dataclass_fields__, "requested_error", "allocated_error"]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow(asdict(row) | {name: getattr(row, name) for name in names[-2:]})
    return text.getvalue()


def write_results(rows: Sequence[Row], circumstances: Mapping[str, Any], folder: Path) -> None:
    """`memory.csv`, and `memory.json` with the circumstances and the summary."""
    write_whole(folder / "memory.csv", as_csv(rows))
    document = {"circumstances": dict(circumstances), "summary": summary(rows)}
    write_whole(folder / "memory.json", json.dumps(document, indent=2) + "\n")


def main() -> int:
    """Exit status: 0 with results written, 2 where there is no CUDA device or no place for the files."""
    try:
        return _run(Path(os.environ.get(FOLDER_VARIABLE) or FOLDER))
    except PvtsearchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _run(folder: Path) -> int:
    if not torch.cuda.is_available():
        raise InputError("make gpu needs a CUDA device, and torch sees none")
    began = time.monotonic()
    setting = MemorySetting(backend="cuda", compute_capability=torch.cuda.get_device_capability()[0])
    configs = [PRESETS[name].config for name in sorted(PRESETS)]
    cases = every_case(configs, IMAGE_SIZES, BATCH_SIZES, DTYPES, setting)
    circumstances = cuda_circumstances() | {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "time_limit_seconds": TIME_LIMIT_SECONDS,
    }
    rows: list[Row] = []
    free_bytes = torch.cuda.mem_get_info()[0]
    try:
        found = check(cases, device="cuda", read=cuda_peaks, capacity_bytes=free_bytes, seconds=TIME_LIMIT_SECONDS)
        for row in found:
            rows.append(row)
            print(f"{len(rows)}/{len(cases)} {row.model} {row.mode}: {row.outcome}", flush=True)
    finally:  # what was measured is kept, whatever stops the rest
        write_results(rows, circumstances | {"seconds": round(time.monotonic() - began, 1)}, folder)
    print(json.dumps(summary(rows), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
