"""A calibration in plain values, as its file holds it: a measurement per line, written whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar, get_args

from pvtsearch.analysis.calibration import Calibration, DevicePeaks, Measured, Role, Subject
from pvtsearch.analysis.timing import TimingSetting
from pvtsearch.config import PVTConfig, check_choice, check_task, height_and_width
from pvtsearch.documents import read_json
from pvtsearch.errors import InputError
from pvtsearch.files import write_whole
from pvtsearch.presets import PRESETS
from pvtsearch.serialize import config_from_dict, config_to_dict
from pvtsearch.shown import short

SCHEMA_VERSION = 1
PEAKS = ("macs_per_second", "bytes_per_second")
LEAST, LARGEST = 1e-12, 1e18  # of seconds, and of what is reached in one

T = TypeVar("T")


def digest(calibration: Calibration) -> str:
    """A short name of what was measured: another one, other predictions."""
    text = json.dumps(document(replace(calibration, command="", circumstances={})), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def document(calibration: Calibration) -> dict[str, Any]:
    """A calibration in plain values; what networks have in common is written once."""
    templates: list[dict[str, Any]] = []
    return {
        "schema_version": SCHEMA_VERSION,
        "space": calibration.space,
        "setting": asdict(calibration.setting),
        "task": calibration.task,
        "image_size": list(calibration.image_size),
        "command": calibration.command,
        "circumstances": dict(calibration.circumstances),
        "design": dict(calibration.design),
        "peaks": None if calibration.peaks is None else asdict(calibration.peaks),
        "anchor": None if calibration.anchor is None else config_to_dict(calibration.anchor),
        "measured": [_row_to_dict(row, templates) for row in calibration.measured],
        "left_out": [_subject_to_dict(subject, templates) for subject in calibration.left_out],
        "templates": templates,
    }


def _row_to_dict(row: Measured, templates: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = {"seconds": row.seconds, "anchor_seconds": row.anchor_seconds}
    return _subject_to_dict(row.subject, templates) | seconds


def _subject_to_dict(subject: Subject, templates: list[dict[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {"role": subject.role}
    if subject.role == "reference" or not isinstance(subject.config, PVTConfig):
        values["name"] = subject.config.name
    else:
        template = config_to_dict(subject.config)
        stages = template.pop("stages")
        if template not in templates:
            templates.append(template)
        values |= {"template": templates.index(template), "stages": stages}
        values |= {} if subject.place is None else {"place": subject.place}
    return values


def write_calibration(calibration: Calibration, path: Path) -> None:
    """The file, whole or as it was: a measurement per line."""
    values = document(calibration)
    measured = values.pop("measured")
    head = json.dumps(values, indent=1)
    rows = ",\n".join(f"  {json.dumps(row)}" for row in measured)
    write_whole(path, f'{head[:-2]},\n "measured": [\n{rows}\n ]\n}}\n')


def read_calibration(path: Path) -> Calibration:
    """The calibration in a file. Raises `InputError` that names the file for any other content."""
    try:
        values = read_json(path)
        if values["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema_version is {values['schema_version']}, known is {SCHEMA_VERSION}")
        peaks, anchor = values["peaks"], values["anchor"]
        check_task(values["task"])
        return Calibration(
            space=_of_type(str, values, "space"),
            setting=TimingSetting(**values["setting"]),
            task=values["task"],
            image_size=height_and_width(_of_type(list, values, "image_size")),
            circumstances=_of_type(dict, values, "circumstances"),
            design=_of_type(dict, values, "design"),
            command=_of_type(str, values, "command"),
            peaks=None if peaks is None else DevicePeaks(*(_seconds(peaks, name) for name in PEAKS)),
            anchor=None if anchor is None else config_from_dict(anchor, str(path)),
            measured=tuple(_row_from_dict(row, values["templates"], str(path)) for row in values["measured"]),
            left_out=tuple(_subject_from_dict(row, values["templates"], str(path)) for row in values["left_out"]),
            file=str(path),
        )
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise InputError(f"{path}: no calibration can be read from it: {type(error).__name__}: {error}") from error


def _row_from_dict(row: Mapping[str, Any], templates: Sequence[Mapping[str, Any]], where: str) -> Measured:
    subject = _subject_from_dict(row, templates, where)
    return Measured(subject, _seconds(row, "seconds"), _seconds(row, "anchor_seconds"))


def _seconds(row: Mapping[str, Any], name: str) -> float:
    """A number that was measured, above 0 and within what a device can do."""
    number = row[name]
    if isinstance(number, bool) or not isinstance(number, int | float) or not LEAST <= number <= LARGEST:
        raise ValueError(f"{name} must be {LEAST} to {LARGEST}, got {short(number)}")
    return float(number)


def _of_type(kind: type[T], values: Mapping[str, Any], name: str) -> T:
    found = values[name]
    if not isinstance(found, kind):
        raise TypeError(f"{name} must be {kind.__name__}, got {short(found)}")
    return found


def _subject_from_dict(row: Mapping[str, Any], templates: Sequence[Mapping[str, Any]], where: str) -> Subject:
    check_choice("role", row["role"], get_args(Role))
    if "name" in row:
        return Subject(row["role"], PRESETS[row["name"]].config)
    config = config_from_dict({**templates[row["template"]], "stages": row["stages"]}, where)
    place = row.get("place")
    if row["role"] == "alone" and place not in range(len(config.stages) + 1):  # the last is the head's
        raise ValueError(f"place must be 0 to {len(config.stages)}, got {short(place)}")
    return Subject(row["role"], config, place)
