"""`pvtsearch calibrate`: measures a device so that latency can be predicted, and says how well it is."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pvtsearch.analysis.setting import Dtype, Execution
from pvtsearch.cli import tables, values
from pvtsearch.cli.outputs import claimed, command_line
from pvtsearch.cli.progress import progress
from pvtsearch.config import ImageSize, NetworkTask
from pvtsearch.errors import InputError

if TYPE_CHECKING:
    from pvtsearch.analysis.calibration import Calibration
    from pvtsearch.config import ModelConfig
    from pvtsearch.space import SearchSpace

RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101")
EXPLAINED = 1  # networks whose stages are held against the roofline: the middle one of those held out

TASK = typer.Option(help="What the network is built for: classification or backbone.")


def calibrate(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="A shipped space or a YAML file.")],
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    dtype: Annotated[Dtype, typer.Option(help="Type of weights and activations.")] = "float32",
    batch_size: Annotated[int, typer.Option(help="Images of a pass.", min=1)] = 1,
    execution: Annotated[Execution, typer.Option(help="How networks are run.")] = "eager",
    task: Annotated[NetworkTask, TASK] = "classification",
    image_size: Annotated[str | None, typer.Option(help="Input side or HxW; by default the space's.")] = None,
    stages: Annotated[int, typer.Option(help="Stages to measure alone.", min=12)] = 120,
    networks: Annotated[int, typer.Option(help="Whole networks to learn from.", min=0)] = 16,
    held_out: Annotated[int, typer.Option(help="Whole networks to test predictions on.", min=0)] = 50,
    references: Annotated[
        str | None, typer.Option(help="Networks to measure besides; by default ResNets and the space's presets.")
    ] = None,
    budget: Annotated[
        str | None, typer.Option(help="Keep whole networks within this one's params and MACs.", metavar="CONFIG")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the design.", min=0, max=2**31 - 1)] = 0,
    seconds: Annotated[float, typer.Option(help="The most to measure each subject for.", min=0)] = 3.0,
    out: Annotated[
        Path | None, typer.Option(help="File to write or go on with; by default in reports/devices.")
    ] = None,
    format: Annotated[
        Literal["table", "json", "markdown"], typer.Option("--format", help="How to print it.")
    ] = "table",
) -> None:
    """Measure stages and networks of a space on a device, and say how well their latency is predicted from that."""
    from pvtsearch.analysis.calibration import Calibration
    from pvtsearch.analysis.calibration_files import calibrations_folder, file_name
    from pvtsearch.analysis.timing import TimingSetting
    from pvtsearch.calibrate.campaign import begun, plan_for, subjects_of
    from pvtsearch.calibrate.campaign import calibrate as measure_all
    from pvtsearch.calibrate.laboratory import described, laboratory
    from pvtsearch.cost import Budget
    from pvtsearch.search.limits import baseline_budget
    from pvtsearch.serialize import load_config
    from pvtsearch.serialize_space import load_space

    loaded = load_space(space)
    size = values.image_size(image_size) or (loaded.image_size, loaded.image_size)
    setting = TimingSetting(device=device, dtype=dtype, batch_size=batch_size, execution=execution)
    circumstances = described(setting)
    limits = baseline_budget(load_config(budget), size, task=task) if budget else Budget()
    path = out or calibrations_folder() / file_name(circumstances["device_name"], loaded.name, setting, size, task)
    design = {"stages": stages, "networks": networks, "held_out": held_out, "seed": seed, "budget": dict(limits.limits)}
    fresh = Calibration(loaded.name, setting, task, size, circumstances, design, command_line())
    with claimed(path.parent, f".{path.name}.lock"):
        calibration = begun(fresh, path)
        subjects = subjects_of(
            loaded, size, task, stages=stages, networks=networks, held_out=held_out,
            references=_references(references, loaded), budget=limits, seed=seed,
        )  # fmt: skip
        bench = laboratory(setting, size, task, plan_for(seconds))
        with progress("measuring", len(subjects)) as advance:
            calibration = measure_all(calibration, subjects, path, bench, advance)
    if format == "json":
        print(json.dumps(as_json(calibration), indent=2))
    else:
        _print(calibration, format)


def _references(names: str | None, space: SearchSpace) -> list[ModelConfig]:
    """Networks by name, or ResNets and the presets that are points of the space."""
    from pvtsearch.config import PVTConfig
    from pvtsearch.presets import PRESETS
    from pvtsearch.serialize import load_config

    if names is None:
        own = [p.config for p in PRESETS.values() if isinstance(p.config, PVTConfig) and space.contains(p.config)]
        return [*(PRESETS[name].config for name in RESNETS), *own]
    unknown = [name for name in values.names(names) if name not in PRESETS]
    if unknown:
        raise InputError(f"--references: {unknown[0]} is no preset, 'pvtsearch list' prints them")
    return [load_config(name) for name in values.names(names)]


def as_json(calibration: Calibration) -> dict[str, Any]:
    """What was measured and how well it predicts."""
    from pvtsearch.analysis.roofline import roofline

    errors = calibration.errors
    explained = _explained(calibration)
    return {
        "file": calibration.file,
        "device_name": calibration.device_name,
        "setting": asdict(calibration.setting),
        "task": calibration.task,
        "image_size": list(calibration.image_size),
        "measured": len(calibration.measured),
        "left_out": len(calibration.left_out),
        "anchor_seconds": [*calibration.anchor_quartiles],
        "peaks": None if calibration.peaks is None else asdict(calibration.peaks),
        "held_out": None if errors is None else asdict(errors),
        "references_ns": calibration.references_ns,
        "roofline": [
            {
                "stage": row.stage,
                "macs": row.macs,
                "bytes_moved": row.bytes_moved,
                "predicted_seconds": row.predicted_seconds,
                "intensity": row.intensity,
                "bound": row.bound,
                "achieved": row.achieved,
            }
            for config in explained
            for row in roofline(config, calibration)
        ],
    }


def _explained(calibration: Calibration) -> list[Any]:
    """The network held out that takes a middling time."""
    ordered = sorted(calibration.held_out, key=lambda each: each.measured_ns)
    return [ordered[len(ordered) // 2].config] if ordered else []


def _print(calibration: Calibration, format: Literal["table", "markdown"]) -> None:
    from pvtsearch.report.latency_wording import errors_in_words
    from pvtsearch.report.quantities import readable

    height, width = _size(calibration)
    facts = as_json(calibration)
    print(
        f"{calibration.file}: {len(calibration.measured):,} measurements on {calibration.device_name}, "
        f"{height}x{width}, {calibration.setting.dtype}, batch {calibration.setting.batch_size}, "
        f"{calibration.setting.execution}."
    )
    if calibration.left_out:
        print(f"{len(calibration.left_out):,} more did not fit in memory and are left out: {_left_out(calibration)}.")
    low, high = (readable("latency_ns", seconds * 1e9) for seconds in calibration.anchor_quartiles)
    print(f"The network beside all others took {low} to {high} in the middle half: so steady was the machine.")
    print(errors_in_words(facts["held_out"] or {}))
    if calibration.references_ns:
        rows = [[name, readable("latency_ns", value)] for name, value in calibration.references_ns.items()]
        print()
        tables.print_table(["network", "measured"], rows, format)
    if facts["roofline"]:
        print()
        tables.print_table(ROOFLINE_HEADER, [_roofline_cells(row) for row in facts["roofline"]], format)


def _left_out(calibration: Calibration) -> str:
    """What did not fit, by what it was measured for."""
    counts = Counter[str](subject.role for subject in calibration.left_out)
    names = {"alone": "stages", "whole": "networks", "held_out": "networks held out", "reference": "references"}
    return ", ".join(f"{counts[role]} {name}" for role, name in names.items() if counts[role])


ROOFLINE_HEADER = ["stage of a network held out", "predicted", "MACs per byte", "bound by", "of what the peaks allow"]


def _roofline_cells(row: dict[str, Any]) -> list[str]:
    from pvtsearch.report.quantities import readable

    return [
        str(row["stage"]),
        readable("latency_ns", row["predicted_seconds"] * 1e9),
        f"{row['intensity']:.1f}",
        row["bound"],
        f"{row['achieved']:.0%}",
    ]


def _size(calibration: Calibration) -> ImageSize:
    return calibration.image_size
