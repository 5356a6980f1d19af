"""`python -m pvtsearch.device_check`, which is `make gpu`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pvtsearch.analysis.device import circumstances
from pvtsearch.analysis.device_records import FOLDER, device_slug
from pvtsearch.analysis.latency import torch_device
from pvtsearch.config import height_and_width
from pvtsearch.device_check.calibration_check import check_calibration
from pvtsearch.device_check.gpu_tests import check_tests
from pvtsearch.device_check.latency_check import check_latency
from pvtsearch.device_check.memory_check import check_memory
from pvtsearch.device_check.settings import Design, Settings
from pvtsearch.device_check.steps import Outcome, Step, ended_after, run_steps
from pvtsearch.device_check.timm_check import check_timm
from pvtsearch.errors import InputError, PvtsearchError
from pvtsearch.files import write_whole
from pvtsearch.presets import PRESETS

FOLDER_VARIABLE = "PVTSEARCH_DEVICE_REPORTS"
REFERENCE = "resnet50"
GRACE_SECONDS = 15  # after the end of all, for a step to be stopped; then the process ends


STEPS: Mapping[str, Step] = {  # in this order
    "tests": Step(check_tests, 1),
    "memory": Step(check_memory, 2),
    "latency": Step(check_latency, 3),
    "calibrate": Step(check_calibration, 2),
    "timm": Step(check_timm, 1.5),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status: 0 with results written, 1 where a step failed, 2 where there is no device or no place for files."""
    try:
        settings = settings_of(_parsed(arguments))
        about = circumstances(torch_device(settings.device)) | {"date": settings.date}
        path = settings.folder / f"{device_slug(about['device'])}.check.json"
        outcomes: list[Outcome] = []
        _write(path, about, outcomes)
        with ended_after(settings.seconds + GRACE_SECONDS):
            for outcome in run_steps(STEPS, settings):
                outcomes.append(outcome)
                _write(path, about, outcomes)
        print(f"Written to {settings.folder}.")
        return int(any(outcome.state != "ok" for outcome in outcomes))
    except PvtsearchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _write(path: Path, about: Mapping[str, Any], outcomes: Sequence[Outcome]) -> None:
    """What is done so far, and what is not: should a step hang beyond all help, this is what it leaves."""
    unfinished = [name for name in STEPS if name not in {outcome.step for outcome in outcomes}]
    document = {"circumstances": about, "steps": [asdict(outcome) for outcome in outcomes], "unfinished": unfinished}
    write_whole(path, json.dumps(document, indent=1) + "\n")


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pvtsearch.device_check", description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=450, help="for everything")
    parser.add_argument("--seconds-each", type=float, default=1, help="for a network at a batch size, at most")
    parser.add_argument("--networks", nargs="+", default=[], help="presets; by default all")
    parser.add_argument("--image-sizes", nargs="+", default=["224", "512", "800x1344"])
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[64, 16, 4], help="one of each image size")
    parser.add_argument("--memory-batch-sizes", nargs="+", type=int, default=[1, 8, 64])
    parser.add_argument("--stages", type=int, default=48, help="measured alone, to calibrate")
    parser.add_argument("--calibrated", type=int, default=10, help="whole networks to learn latency from")
    parser.add_argument("--held-out", type=int, default=30, help="whole networks to test predicted latency on")
    parser.add_argument("--dtypes", nargs="+", choices=("float32", "bfloat16", "float16"))
    parser.add_argument("--out", type=Path, default=Path(os.environ.get(FOLDER_VARIABLE) or FOLDER))
    return parser.parse_args(arguments)


def settings_of(given: argparse.Namespace) -> Settings:
    """Settings by the command line. Raises `InputError` for what is not there."""
    if given.device != "cpu":
        _check_cuda(given.device)
    unknown = [name for name in given.networks if name not in PRESETS]
    if unknown:
        raise InputError(f"--networks: no preset is called {', '.join(unknown)}")
    if len(given.batch_sizes) != len(given.image_sizes):
        raise InputError("--batch-sizes needs one for each of --image-sizes")
    return Settings(
        device=given.device,
        folder=given.out,
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        configs=tuple(PRESETS[name].config for name in given.networks or sorted(PRESETS)),
        reference=PRESETS[REFERENCE].config,
        image_sizes=tuple(map(_size, given.image_sizes)),
        batch_sizes=tuple(given.batch_sizes),
        memory_batch_sizes=tuple(given.memory_batch_sizes),
        dtypes=tuple(given.dtypes or (["float32"] if given.device == "cpu" else ["bfloat16", "float32"])),
        design=Design(given.stages, given.calibrated, given.held_out),
        seconds=given.seconds,
        seconds_each=given.seconds_each,
    )


def _check_cuda(device: str) -> None:
    import torch

    if not torch.cuda.is_available():
        raise InputError("make gpu needs a CUDA device, and torch sees none")
    torch_device(device)


def _size(text: str) -> tuple[int, int]:
    sides = text.split("x")
    if not all(side.isdigit() for side in sides) or len(sides) > 2:
        raise InputError(f"--image-sizes: a side such as 224 or HxW such as 800x1344, got '{text}'")
    return height_and_width((int(sides[0]), int(sides[-1])))


if __name__ == "__main__":
    sys.exit(main())
