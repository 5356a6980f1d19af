"""The folder of calibrations: where it is, what files are called, and which one fits a question."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

from pvtsearch.analysis.calibration import LEAST_PARTS, Calibration, beyond, in_words
from pvtsearch.analysis.calibration_document import read_calibration
from pvtsearch.analysis.timing import TimingSetting
from pvtsearch.config import ImageSize, Task
from pvtsearch.errors import InputError
from pvtsearch.space import SearchSpace

FOLDER_VARIABLE = "PVTSEARCH_DEVICE_REPORTS"
FOLDER = Path("reports/devices")
PREFIX = "latency-"


def calibrations_folder(given: Path | None = None) -> Path:
    """The folder given, else the one that the environment names, else `reports/devices`."""
    return given or Path(os.environ.get(FOLDER_VARIABLE) or FOLDER)


def file_name(device_name: str, space: str, setting: TimingSetting, image_size: ImageSize, task: Task) -> str:
    """One file per device, space, setting and input."""
    size = f"{image_size[0]}x{image_size[1]}"
    words = (device_name, space, size, setting.dtype, f"b{setting.batch_size}", setting.execution)
    named = (*words, task) if task != "classification" else words
    return f"{PREFIX}{'-'.join(re.sub(r'[^a-z0-9]+', '_', word.lower()).strip('_') for word in named)}.json"


def find_calibration(
    folder: Path, setting: TimingSetting, space: SearchSpace, image_size: ImageSize, task: Task
) -> Calibration:
    """The calibration in a folder or file that fits setting, input and task, and knows a space's pieces.

    One of another space will do where the sizes of stages are near those that were measured.

    Raises `InputError`: where there is none, with the command that makes it; where there are several, with what tells
    them apart.
    """
    paths = [folder] if folder.is_file() else sorted(folder.glob(f"{PREFIX}*.json"))
    known = [read_calibration(path) for path in paths]
    fitting = [c for c in known if _fits(c, setting, image_size, task) and c.covers(space)]
    own = [c for c in fitting if c.space == space.name]
    found = own or [c for c in fitting if not beyond(c, space)]
    size = f"{image_size[0]}x{image_size[1]}"
    if not found:
        others = "".join(f" ({Path(c.file).name} is of {c.space}: {beyond(c, space)})" for c in fitting)
        raise InputError(
            f"no calibration in {folder} fits {in_words(setting)}, {task} at {size} for {space.name}{others}; make one "
            f"with: {calibrate_command(setting, space.name, image_size, task)}"
        )
    if len(found) > 1:
        names = ", ".join(f"{Path(c.file).name} ({c.device_name})" for c in found)
        raise InputError(f"several calibrations in {folder} fit: {names}: give one of these files as --calibrations")
    return found[0]


def calibrate_command(setting: TimingSetting, space: str, image_size: ImageSize, task: Task) -> str:
    """The command that makes a calibration of this setting."""
    size = f"{image_size[0]}x{image_size[1]}" if image_size[0] != image_size[1] else str(image_size[0])
    of_task = "" if task == "classification" else f" --task {task}"
    return (
        f"pvtsearch calibrate {space} --device {setting.device} --dtype {setting.dtype} "
        f"--batch-size {setting.batch_size} --execution {setting.execution} --image-size {size}{of_task}"
    )


def _fits(calibration: Calibration, setting: TimingSetting, image_size: ImageSize, task: Task) -> bool:
    theirs = calibration.setting
    return (
        replace(theirs, device=_kind(theirs.device)) == replace(setting, device=_kind(setting.device))
        and (calibration.image_size, calibration.task) == (image_size, task)
        and len(calibration.of_role("alone")) >= LEAST_PARTS
    )


def _kind(device: str) -> str:
    """Of `cuda:1`, cuda."""
    return device.partition(":")[0]
