"""The bench of a calibration: parts of networks made ready on a device, timed in turns; what the device can reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from pvtsearch.analysis.calibration import Calibration, DevicePeaks, Subject
from pvtsearch.analysis.device import circumstances
from pvtsearch.analysis.latency import (
    current,
    memory_named,
    random_numbers_kept,
    ready_to_time,
    release,
    state_reader,
    timer_of,
    torch_device,
)
from pvtsearch.analysis.sampling import Run, measure_interleaved
from pvtsearch.analysis.timing import Plan, TimingSetting
from pvtsearch.analysis.turns import check_prediction
from pvtsearch.calibrate.campaign import Laboratory
from pvtsearch.config import ImageSize, NetworkTask
from pvtsearch.errors import InputError
from pvtsearch.models.parts import build_part

MATRIX_SIDES = {"cpu": 1024, "cuda": 8192}  # large enough that a product is bound by arithmetic
COPIED_BYTES = {"cpu": 2**28, "cuda": 2**30}  # larger than caches
PEAK_RUNS = 12  # the fastest counts: a peak is what can be reached


def laboratory(setting: TimingSetting, image_size: ImageSize, task: NetworkTask, plan: Plan) -> Laboratory:
    """The bench for a setting at an input of (height, width). Raises `InputError` for a device that is not there."""
    device = torch_device(setting.device)

    @contextmanager
    def ready(subject: Subject) -> Iterator[Run]:
        release()
        check_prediction(subject.config, image_size, task, setting)
        with memory_named(), ExitStack() as stack:
            with random_numbers_kept():
                torch.manual_seed(0)
                module, shape = build_part(subject.config, subject.place, image_size, task=task)
            found = stack.enter_context(ready_to_time(module, [(setting.batch_size, *shape)], setting))
            del module
            opened = stack.pop_all()
        with opened:
            yield found.run

    def time_all(runs: Sequence[Run]) -> list[float]:
        named = {str(number): run for number, run in enumerate(runs)}
        with current(device), memory_named():
            found = measure_interleaved(named, plan=plan, timer=timer_of(device), state=state_reader(device))
        return [latency.median_ms / 1e3 for latency in found.latencies.values()]

    return Laboratory(ready, time_all, lambda: device_peaks(setting))


def device_peaks(setting: TimingSetting) -> DevicePeaks:
    """What the device reaches in one large matrix product and one large copy, in the setting's type."""
    device, dtype = torch_device(setting.device), getattr(torch, setting.dtype)
    side, copied = MATRIX_SIDES[device.type], COPIED_BYTES[device.type]
    with torch.inference_mode():
        matrix = torch.rand(side, side, device=device, dtype=dtype)
        product = torch.empty_like(matrix)
        seconds = _fastest(lambda: torch.mm(matrix, matrix, out=product), device)
        source = torch.zeros(copied, dtype=torch.uint8, device=device)
        target = torch.empty_like(source)
        moved = _fastest(lambda: target.copy_(source), device)
    return DevicePeaks(side**3 / seconds, 2 * copied / moved)  # a copy reads and writes


def _fastest(run: Callable[[], object], device: torch.device) -> float:
    timer = timer_of(device)
    return min(timer(run).ms for _ in range(PEAK_RUNS)) / 1e3


def described(setting: TimingSetting) -> dict[str, Any]:
    """The circumstances of a setting's device, its name as `device_name`, versions among them."""
    known = circumstances(torch_device(setting.device))
    return {"device_name": known["device"], **{name: value for name, value in known.items() if name != "device"}}


def missing_device(calibration: Calibration) -> str:
    """Why nothing can be measured here as the calibration was, in words; empty where it can."""
    try:
        here = described(calibration.setting)
    except InputError as error:
        return str(error)
    for name in ("device_name", "threads"):
        ours, theirs = here.get(name), calibration.circumstances.get(name)
        if ours != theirs:
            return f"{name.replace('_', ' ')} is {ours} here, in the calibration {theirs}"
    return ""
