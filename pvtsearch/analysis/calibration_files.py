"""The folder of calibrations: where it is, what files are called, and which one fits a question."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pvtsearch.analysis.calibration import LEAST_PARTS, Calibration, LatencySetting, read_calibration
from pvtsearch.config import ImageSize, Task
from pvtsearch.errors import InputError
from pvtsearch.space import SearchSpace

FOLDER_VARIABLE = "PVTSEARCH_DEVICE_REPORTS"
FOLDER = Path("reports/devices")
PREFIX = "latency-"


def calibrations_folder(given: Path | None = None) -> Path:
    """The folder given, else the one that the environment names, else `reports/devices`."""
    return given or Path(os.environ.get(FOLDER_VARIABLE) or FOLDER)


def file_name(device_name: str, space: str, setting: LatencySetting, image_size: ImageSize, task: Task) -> str:
    """One file per device, space, setting and input."""
    size = f"{image_size[0]}x{image_size[1]}"
    words = (device_name, space, size, setting.dtype, f"b{setting.batch_size}", setting.execution)
    named = (*words, task) if task != "classification" else words
    return f"{PREFIX}{'-'.join(re.sub(r'[^a-z0-9]+', '_', word.lower()).strip('_') for word in named)}.json"


def find_calibration(
    folder: Path, setting: LatencySetting, space: SearchSpace, image_size: ImageSize, task: Task
) -> Calibration:
    """The calibration in folder that fits setting, input and task and knows the pieces of a space's networks.

    Raises `InputError`: where there is none, with the command that makes it; where there are several, with what tells
    them apart.
    """
    known = [read_calibration(path) for path in sorted(folder.glob(f"{PREFIX}*.json"))]
    found = [c for c in known if _fits(c, setting, image_size, task) and c.covers(space)]
    own = [c for c in found if c.space == space.name]
    found = own or found
    size = f"{image_size[0]}x{image_size[1]}"
    if not found:
        raise InputError(
            f"no calibration in {folder} fits {setting.in_words()}, {task} at {size} for {space.name}; make one with: "
            f"{calibrate_command(setting, space.name, image_size, task)}"
        )
    if len(found) > 1:
        names = ", ".join(f"{c.device_name} ({Path(c.file).name})" for c in found)
        raise InputError(f"several calibrations in {folder} fit, by {names}: give --device with a word of one name")
    return found[0]


def calibrate_command(setting: LatencySetting, space: str, image_size: ImageSize, task: Task) -> str:
    """The command that makes a calibration of this setting."""
    size = f"{image_size[0]}x{image_size[1]}" if image_size[0] != image_size[1] else str(image_size[0])
    of_task = "" if task == "classification" else f" --task {task}"
    return f"pvtsearch calibrate {space} {setting.options()} --image-size {size}{of_task}"


def _fits(calibration: Calibration, setting: LatencySetting, image_size: ImageSize, task: Task) -> bool:
    theirs = calibration.setting
    return (
        (theirs.dtype, theirs.batch_size, theirs.execution) == (setting.dtype, setting.batch_size, setting.execution)
        and (calibration.image_size, calibration.task) == (image_size, task)
        and setting.device.lower() in (theirs.device.lower(), *_words(calibration.device_name))
        and len(calibration.of_role("alone")) >= LEAST_PARTS
    )


def _words(device_name: str) -> list[str]:
    """The words of a device's name, and the name itself, in small letters."""
    return [device_name.lower(), *re.findall(r"[a-z0-9]+", device_name.lower())]
