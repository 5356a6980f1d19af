"""`pvtsearch sweep`: the costs of millions of configurations of a space, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pvtsearch.analysis.setting import Autocast, Backend, Dtype, MemorySetting, Optimizer
from pvtsearch.cli import values
from pvtsearch.cli.progress import progress
from pvtsearch.config import AttentionKernel
from pvtsearch.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from pvtsearch.analysis.sweep import Sweep

MAX_POINTS = 10_000_000
SUFFIXES = (".csv", ".parquet")


def sweep(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="A shipped space or a YAML file.")],
    out: Annotated[Path, typer.Option(help="The table to write: .csv, or .parquet (extra 'parquet').")],
    sample: Annotated[
        int | None, typer.Option(help="Uniform draws, with replacement; without it, the whole space.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the draws.", min=0, max=2**32 - 1)] = 0,
    task: values.TaskOption = "classification",
    image_size: Annotated[str | None, typer.Option(help="Input side or HxW; by default the space's.")] = None,
    batch_size: Annotated[int, typer.Option(help="Images that peak memory is computed for.")] = 1,
    dtype: Annotated[Dtype, typer.Option(help="Type of weights and activations, for peak memory.")] = "float32",
    attention: Annotated[AttentionKernel, typer.Option(help="How attention is computed, for memory.")] = "fused",
    autocast: Annotated[Autocast, typer.Option(help="Lower type of mixed precision, in training.")] = "none",
    optimizer: Annotated[Optimizer, typer.Option(help="What trains, for peak memory of a training step.")] = "adamw",
    memory_backend: Annotated[Backend, typer.Option(help="Whose kernels, for memory.")] = "cpu",
) -> None:
    """Params, MACs and peak memory of every configuration of a space, or of a uniform sample, as one table."""
    from pvtsearch.serialize_space import load_space

    loaded = load_space(space)
    size = values.image_size(image_size) or (loaded.image_size, loaded.image_size)
    setting = MemorySetting(
        batch_size=batch_size,
        dtype=dtype,
        attention=attention,
        autocast=autocast,
        optimizer=optimizer,
        backend=memory_backend,
    )
    points = sample or loaded.size(size).legal
    if out.suffix not in SUFFIXES:
        raise InputError(f"--out {out}: must end in {' or '.join(SUFFIXES)}")
    if not 0 < points <= MAX_POINTS:
        raise InputError(
            f"{loaded.name} has {points:,} configurations at {size[0]}x{size[1]}, a table holds 1 to {MAX_POINTS:,}: "
            "give --sample N, or another space or size"
        )
    from pvtsearch.analysis.metrics import every_metric
    from pvtsearch.analysis.sweep import Sweep
    from pvtsearch.report.tables import write_table

    write_table(_frames(Sweep(loaded, size, task, every_metric(task, setting)), sample, seed, points), out)
    print(f"{out}: {points:,} configurations of {loaded.name}")


def _frames(one: Sweep, sample: int | None, seed: int, total: int) -> Iterator[pd.DataFrame]:
    import pandas as pd

    from pvtsearch.analysis.sweep import columns

    done = 0
    with progress("sweeping", total) as advance:
        for points, costs in one.every_point() if sample is None else one.sample(sample, seed=seed):
            yield pd.DataFrame(columns(one, points, costs))
            done += len(points)
            advance(done)
