"""`pvtsearch profile`: what networks cost, in closed form. No torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, assert_never

import typer

from pvtsearch.analysis.conventions import MEANINGS, Convention
from pvtsearch.analysis.metrics import METRICS
from pvtsearch.analysis.profile import Profile
from pvtsearch.analysis.profile import profile as profile_of
from pvtsearch.analysis.setting import Autocast, Backend, Dtype, MemorySetting, Optimizer
from pvtsearch.cli import tables, values
from pvtsearch.config import AttentionKernel, ImageSize, ModelConfig
from pvtsearch.errors import InputError
from pvtsearch.serialize import load_config

if TYPE_CHECKING:
    from pvtsearch.cli.recorded import Recordings

Format = Literal["table", "json", "csv", "markdown"]

MIB = 2**20
LABELS = {name: metric.label for name, metric in METRICS.items()}
MEMORY_COLUMNS = ("inference, MiB", "training, MiB")
UPDATES: dict[Optimizer, str] = {"none": "no update", "sgd": "SGD's update with momentum", "adamw": "AdamW's update"}

WORKSPACES: dict[Backend, str] = {
    "cpu": "without library workspaces",
    "cuda": "with cuBLAS's workspace, by the kernels of a CUDA device",
}


def profile(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG", help="Presets or YAML files.")],
    task: values.TaskOption = "classification",
    image_size: Annotated[str | None, typer.Option(help="Input side or HxW; by default the network's own.")] = None,
    batch_size: Annotated[int, typer.Option(help="Images that peak memory is computed for.")] = 1,
    dtype: Annotated[Dtype, typer.Option(help="Type of weights and activations, for peak memory.")] = "float32",
    attention: Annotated[AttentionKernel, typer.Option(help="How attention is computed, for memory.")] = "fused",
    autocast: Annotated[Autocast, typer.Option(help="Lower type of mixed precision, in training.")] = "none",
    optimizer: Annotated[Optimizer, typer.Option(help="What trains, for peak memory of a training step.")] = "adamw",
    memory_backend: Annotated[Backend, typer.Option(help="Whose kernels, for memory.")] = "cpu",
    against: Annotated[str, typer.Option(help="Networks to compare with, separated by commas.")] = "",
    convention: Annotated[Convention | None, typer.Option(help="Whose total of operations to print too.")] = None,
    records: Annotated[
        Path | None, typer.Option(help="Folder of measurements to show beside, such as reports/devices.")
    ] = None,
    format: Annotated[Format, typer.Option("--format", help="How to print it.")] = "table",
) -> None:
    """Parameters, MACs and peak memory by stage: exact, at once, for any input size."""
    loaded = [load_config(name) for name in configs]
    others = [load_config(name) for name in values.names(against)]
    size = values.image_size(image_size) or own_size(loaded)
    profiles = [
        profile_of(
            config,
            image_size=size,
            task=task,
            batch_size=batch_size,
            dtype=dtype,
            attention=attention,
            autocast=autocast,
            optimizer=optimizer,
            memory_backend=memory_backend,
            against=others,
            convention=convention,
        )
        for config in loaded
    ]
    found = None
    if records is not None:
        from pvtsearch.cli.recorded import find_recorded

        if format == "csv":
            raise InputError(f"--records goes with other formats: the measurements are CSV already, in {records}")
        found = find_recorded(loaded, size, task, records)
    match format:
        case "json":
            print(json.dumps(as_json(profiles, found), indent=2))
        case "csv":
            tables.print_csv([flat_row(each) for each in profiles])
        case "table" | "markdown":
            tables.print_table(*network_rows(profiles), format)
            print()
            tables.print_table(*stage_rows(profiles), format)
            print()
            tables.print_table(*operator_rows(profiles), format)
            print()
            if found is not None:
                print_recorded(profiles, found, format)
            print(footnote(profiles))
        case _:
            assert_never(format)


def print_recorded(profiles: list[Profile], found: Recordings, format: Literal["table", "markdown"]) -> None:
    """Measurements of networks, or that there are none."""
    from pvtsearch.cli.recorded import recorded_rows

    header, rows = recorded_rows([one.name for one in profiles], found)
    if rows:
        tables.print_table(header, rows, format)
    else:
        print("Nothing was measured of these networks at this input and task: 'pvtsearch measure' does.")
    print()


def own_size(configs: list[ModelConfig]) -> ImageSize:
    """The image size that all networks share."""
    sizes = {config.image_size for config in configs}
    if len(sizes) > 1:
        raise InputError("the networks have different image sizes of their own: give --image-size")
    side = sizes.pop()
    return side, side


def as_json(profiles: list[Profile], found: Recordings | None = None) -> dict[str, object]:
    """The documented JSON form. Memory is for the whole batch, parameters and MACs for one image."""
    first = profiles[0]
    models = [each.to_dict() for each in profiles]
    for model, rows in zip(models, found or (), strict=False):
        model["measured"] = [each.to_dict() for each in rows]
    return {
        "image_size": list(first.image_size),
        "batch_size": first.setting.batch_size,
        "dtype": first.setting.dtype,
        "attention": first.setting.attention,
        "autocast": first.setting.autocast,
        "optimizer": first.setting.optimizer,
        "memory_backend": first.setting.backend,
        "task": first.task,
        **({"convention": first.convention} if first.convention else {}),
        "models": models,
    }


def network_rows(profiles: list[Profile]) -> tuple[list[str], list[list[str]]]:
    """One row per network: totals, then ratios with their verdict."""
    compared = [(other, metric) for other, ratios in profiles[0].against.items() for metric in ratios]
    ratios = [f"{LABELS[metric]} / {other}" for other, metric in compared]
    body = [
        [
            one.name,
            f"{one.params:,}",
            f"{one.macs:,}",
            *([f"{one.stated_operations:,}"] if one.convention else []),
            *(mebibytes(memory.peak_bytes) for memory in one.peaks.values()),
            *(verdict(one.against[other][metric]) for other, metric in compared),
        ]
        for one in profiles
    ]
    stated = [f"by {profiles[0].convention}"] if profiles[0].convention else []
    header = ["network", "params", "MACs", *stated, *MEMORY_COLUMNS[: len(profiles[0].peaks)], *ratios]
    return header, body


def stage_rows(profiles: list[Profile]) -> tuple[list[str], list[list[str]]]:
    """One row per stage and head of every network, with its shares of the totals."""
    header = ["network", "part", "params", "share", "MACs", "share"]
    header += [title for column in MEMORY_COLUMNS[: len(profiles[0].peaks)] for title in (column, "reached in")]
    body = [
        [
            one.name,
            part,
            f"{params:,}",
            f"{params / one.params:.1%}",
            f"{macs:,}",
            f"{macs / one.macs:.1%}",
            *reached,
        ]
        for one in profiles
        for (part, params, macs), reached in zip(parts(one), peaks(one), strict=True)
    ]
    return header, body


def peaks(one: Profile) -> list[list[str]]:
    """Peak memory within every stage and the head, and what reaches it: of a pass, then of a step."""
    rows: list[list[str]] = [[] for _ in parts(one)]
    for memory in one.peaks.values():
        for row, (part, *_) in zip(rows, parts(one), strict=True):
            highest = max((s for s in memory.stages if s.name.startswith(part)), key=lambda s: s.peak_bytes)
            direction = highest.name.removeprefix(part).strip()
            row += [mebibytes(highest.peak_bytes), f"{highest.part}, {direction}" if direction else highest.part]
    return rows


def operator_rows(profiles: list[Profile]) -> tuple[list[str], list[list[str]]]:
    """One row per network: every operator that occurs, by fvcore's names."""
    operators = list(dict.fromkeys(name for one in profiles for name in one.by_operator))
    counts = [
        [f"{one.by_operator[name]:,}" if name in one.by_operator else "" for name in operators] for one in profiles
    ]
    return ["network", *operators], [[one.name, *row] for one, row in zip(profiles, counts, strict=True)]


def parts(one: Profile) -> list[tuple[str, int, int]]:
    """Name, parameters and MACs of every stage and of the head."""
    numbered = zip(range(1, len(one.macs_by_stage) + 1), one.params_by_stage, one.macs_by_stage, strict=True)
    stages = [(f"stage {i}", params, macs) for i, params, macs in numbered]
    return [*stages, ("head", one.head["params"], one.head["macs"])]


def flat_row(one: Profile) -> dict[str, object]:
    """One network as one CSV row."""
    row: dict[str, object] = {"name": one.name, "params": one.params, "macs": one.macs}
    for part, params, macs in parts(one):
        name = part.replace(" ", "_")
        row |= {f"{name}_params": params, f"{name}_macs": macs}
    if one.convention:
        row["stated_operations"] = one.stated_operations
    row |= {name: memory.peak_bytes for name, memory in one.peaks.items()}
    row |= one.by_operator
    for other, ratios in one.against.items():
        row |= {f"{metric}_over_{other}": ratio for metric, ratio in ratios.items()}
    return row


def verdict(ratio: float) -> str:
    """A ratio in words: at most 1 is within, more is over."""
    return f"{ratio:.3f} {'within' if ratio <= 1 else 'over'}"


def mebibytes(count: int) -> str:
    """Bytes in MiB, for people; the exact number is in JSON and CSV."""
    return f"{count / MIB:,.1f}"


def footnote(profiles: list[Profile]) -> str:
    """How the numbers were obtained."""
    height, width = profiles[0].image_size
    setting = profiles[0].setting
    text = (
        f"Closed form, exact, for one image of {height}x{width}, task {profiles[0].task}. "
        "MACs are multiply-accumulates of convolutions, linear layers and attention products; nearly the papers' FLOPs."
    )
    if profiles[0].convention:
        text += f"\nBy {profiles[0].convention}: {MEANINGS[profiles[0].convention]}."
    if profiles[0].inference is None:
        return text
    return (
        f"{text}\nMemory is the peak of one forward pass, and of one training step: {forward_of(setting)}, backward, "
        f"{UPDATES[setting.optimizer]}. Batch {setting.batch_size}, {setting.dtype}, {setting.attention} attention; "
        f"parameters, buffers, optimizer state, input and every live tensor, {WORKSPACES[setting.backend]}."
    )


def forward_of(setting: MemorySetting) -> str:
    """The forward pass of a training step in words."""
    return "forward" if setting.autocast == "none" else f"forward under autocast to {setting.autocast}"
