"""`pvtsearch measure`: latency, throughput and peak memory on the device at hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, assert_never

import typer

from pvtsearch.analysis.setting import Dtype, Execution, MemoryFormat, Mode, Optimizer
from pvtsearch.cli import tables, values
from pvtsearch.cli.profile import MIB, own_size
from pvtsearch.cli.progress import progress
from pvtsearch.config import AttentionKernel
from pvtsearch.serialize import load_config

if TYPE_CHECKING:
    from pvtsearch.analysis.measured import Comparison, Measured, Measurements

OUT = Path("reports/devices")


def measure(
    configs: Annotated[list[str], typer.Argument(metavar="CONFIG", help="Presets or YAML files.")],
    task: values.TaskOption = "classification",
    image_size: Annotated[str | None, typer.Option(help="Input side or HxW; by default the network's own.")] = None,
    batch_size: Annotated[int, typer.Option(help="Images per pass; latency of one image is measured too.")] = 8,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    dtype: Annotated[Dtype, typer.Option(help="Type of weights and activations.")] = "float32",
    mode: Annotated[Mode, typer.Option(help="A forward pass, or a training step.")] = "inference",
    execution: Annotated[Execution, typer.Option(help="By torch alone, torch.compile or a CUDA graph.")] = "eager",
    memory_format: Annotated[MemoryFormat, typer.Option(help="How images and weights lie.")] = "contiguous",
    attention: Annotated[AttentionKernel, typer.Option(help="How attention is computed.")] = "fused",
    optimizer: Annotated[Optimizer, typer.Option(help="What trains, in a training step.")] = "adamw",
    against: Annotated[str, typer.Option(help="Networks to compare with, separated by commas.")] = "",
    seconds: Annotated[float, typer.Option(help="The most for each network and batch.", min=0.1, max=3600)] = 10.0,
    format: Annotated[
        Literal["table", "json", "csv", "markdown"], typer.Option("--format", help="How to print it.")
    ] = "table",
    out: Annotated[Path, typer.Option(help="Folder whose files the measurements are added to.")] = OUT,
) -> None:
    """Measure latency at one image and at a batch, throughput and peak memory, in turns with other networks."""
    loaded, others = [load_config(name) for name in configs], [load_config(name) for name in values.names(against)]
    size = values.image_size(image_size) or own_size(loaded)
    from pvtsearch.analysis.device_records import add_measurements
    from pvtsearch.analysis.timing import Plan
    from pvtsearch.measurement import measure as measured
    from pvtsearch.measurement import steps_of

    with progress("measuring", steps_of(len(loaded) + len(others), batch_size)) as advance:
        found = measured(
            *loaded,
            against=others,
            image_size=size,
            task=task,
            batch_size=batch_size,
            device=device,
            dtype=dtype,
            mode=mode,
            execution=execution,
            memory_format=memory_format,
            attention=attention,
            optimizer=optimizer,
            plan=Plan.within(seconds),
            advance=advance,
        )
    table = add_measurements(found, out)
    match format:
        case "json":
            print(json.dumps(found.to_dict() | {"added_to": str(table)}, indent=2))
        case "csv":
            tables.print_csv([row.to_row() for row in found.rows])
        case "table" | "markdown":
            print_tables(found, format)
            print(f"Added to {table}.")
        case _:
            assert_never(format)


def print_tables(found: Measurements, format: Literal["table", "markdown"]) -> None:
    """Measurements, comparisons, and how they came about."""
    tables.print_table(*network_rows(found), format)
    compared = [*found.comparisons, *found.repeats]
    if compared:
        print()
        tables.print_table(*comparison_rows(compared), format)
    print()
    print("\n".join(footnotes(found)))


def network_rows(found: Measurements) -> tuple[list[str], list[list[str]]]:
    """One row per network and batch size."""
    header = [
        "network",
        "batch",
        "median, ms",
        "95 % interval",
        "p10",
        "p90",
        "p99",
        "images/s",
        "memory, MiB",
        "times",
    ]
    return header, [_cells(row) for row in found.rows]


def _cells(row: Measured) -> list[str]:
    cells = [row.name, f"{row.setting.batch_size}"]
    if row.outcome == "measured" and row.latency:
        low, high = row.latency.interval_ms
        cells += [f"{row.latency.median_ms:.4g}", f"{low:.4g} to {high:.4g}"]
        cells += [f"{row.latency.percentile_ms(percent):.4g}" for percent in (10, 90, 99)]
        cells += [f"{row.images_per_second:,.1f}"]
    else:
        cells += [row.outcome, *[""] * 5]
    memory = f"{row.peaks.requested_bytes / MIB:,.1f}" if row.peaks else ""
    return [*cells, memory, f"{len(row.latency.samples_ms)}" if row.latency else ""]


def comparison_rows(compared: list[Comparison]) -> tuple[list[str], list[list[str]]]:
    """One row per pair and batch size: the ratio of their durations, its interval, and the verdict."""
    body = [
        [
            each.name,
            each.other,
            f"{each.batch_size}",
            f"{each.ratio.median:.3f}",
            "{:.3f} to {:.3f}".format(*each.ratio.interval),
            each.ratio.verdict,
        ]
        for each in compared
    ]
    return ["network", "against", "batch", "time ratio", "95 % interval", "verdict"], body


def footnotes(found: Measurements) -> list[str]:
    """On what, how, and what to know of single rows."""
    first, about = found.rows[0], found.circumstances
    height, width = first.image_size
    setting = first.setting
    threads = f", {about['threads']} threads" if "threads" in about else ""
    lines = [
        f"{about['device']}{threads}, torch {about['torch']}; {first.task} at {height}x{width}, {setting.mode}, "
        f"{setting.execution}, {setting.dtype}, {setting.attention} attention, {setting.memory_format}.",
        "All networks took turns; intervals are of the median, at 95 %.",
    ]
    for row in found.rows:
        notes = [row.note] if row.note else list(row.latency.warnings if row.latency else ())
        notes += ["launch-bound: the device waits for the host"] if row.latency and row.latency.launch_bound else []
        lines += [f"{row.name}, batch {row.setting.batch_size}: {note}." for note in notes]
    return lines
