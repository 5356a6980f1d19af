"""Networks measured on a device: latency at one image and at a batch, throughput and peak memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeAlias

from pvtsearch.analysis.baselines import buildable_cost
from pvtsearch.analysis.device import circumstances
from pvtsearch.analysis.latency import (
    random_numbers_kept,
    torch_device,
)
from pvtsearch.analysis.measured import Measurements, Peaks
from pvtsearch.analysis.setting import Dtype, Execution, MemoryFormat, Mode, Optimizer
from pvtsearch.analysis.timing import Plan, TimingSetting
from pvtsearch.analysis.turns import Candidate, Group, peaks_or_reason, take_turns
from pvtsearch.config import AttentionKernel, ImageSize, ModelConfig, Task, height_and_width, is_dense
from pvtsearch.errors import ConfigError, InputError
from pvtsearch.models.baselines import build_model

Advance: TypeAlias = Callable[[int], None]


def candidate(config: ModelConfig, image_size: ImageSize, task: Task, attention: AttentionKernel) -> Candidate:
    """The network of a configuration. Raises `ConfigError` where it is too large, or the input too small for it."""
    buildable_cost(config, image_size, task)
    return Candidate(
        name=config.name,
        build=lambda: build_model(config, task=task, attention=attention),
        config=config,
        task=task,
        image_size=image_size,
        in_chans=config.in_chans,
    )


def measure(
    *configs: ModelConfig,
    against: Sequence[ModelConfig] = (),
    image_size: int | ImageSize | None = None,
    task: Task = "classification",
    batch_size: int = 8,
    device: str = "cpu",
    dtype: Dtype = "float32",
    mode: Mode = "inference",
    execution: Execution = "eager",
    memory_format: MemoryFormat = "contiguous",
    attention: AttentionKernel = "fused",
    optimizer: Optimizer = "adamw",
    plan: Plan | None = None,
    advance: Advance = lambda _done: None,
) -> Measurements:
    """Latency of configs at one image and at batch_size, throughput, peak memory; beside the networks of against.

    image_size: a side or (height, width), by default the first network's own. All take turns, the first one twice.
    advance: told how many of `steps_of` are done. Raises `InputError` for what cannot be measured, before anything is.
    """
    if not configs:
        raise InputError("measure needs a configuration")
    size = height_and_width(configs[0].image_size if image_size is None else image_size)
    if mode == "training" and is_dense(task):
        raise InputError(f"mode training has no loss for task {task}: classification and backbone can be trained")
    setting = TimingSetting(
        device=device,
        batch_size=batch_size,
        dtype=dtype,
        mode=mode,
        execution=execution,
        attention=attention,
        memory_format=memory_format,
        optimizer=optimizer,
    )
    candidates = [candidate(config, size, task, attention) for config in (*configs, *against)]
    references = [other.name for other in against] or [configs[0].name]
    return measure_candidates(candidates, references, setting, plan=plan or Plan(), advance=advance)


def measure_candidates(
    candidates: Sequence[Candidate],
    references: Sequence[str],
    setting: TimingSetting,
    *,
    plan: Plan,
    advance: Advance = lambda _done: None,
) -> Measurements:
    """The same for any networks: each alone for its memory, then all in turn for their latency.

    references: the names that the others are compared with. At one image and at the setting's batch size. Raises
    `ConfigError` where two networks share a name.
    """
    names = [each.name for each in candidates]
    if len(set(names)) < len(names):
        raise ConfigError(f"two networks share a name, got {', '.join(names)}")
    device = torch_device(setting.device)
    about = {"date": datetime.now(UTC).isoformat(timespec="seconds"), **circumstances(device)}
    with random_numbers_kept():
        built = {each.name: each.build() for each in candidates}
    groups = []
    for number, size in enumerate(batch_sizes(setting.batch_size)):
        done = number * (len(candidates) + 1)
        at_size = replace(setting, batch_size=size)
        peaks = {}
        for each in candidates:
            peaks[each.name] = peaks_or_reason(each, built[each.name], at_size)
            done += 1
            advance(done)
        fits = [each for each in candidates if isinstance(peaks[each.name], Peaks)]
        taken = take_turns(fits, built, at_size, plan)
        groups.append(Group(candidates, at_size, number, peaks, taken, references))
        advance(done + 1)
    return Measurements(
        tuple(row for group in groups for row in group.rows),
        tuple(row for group in groups for row in group.comparisons),
        tuple(row for group in groups for row in group.repeats),
        about | {"groups": [group.circumstances for group in groups]},
    )


def batch_sizes(largest: int) -> list[int]:
    """One image, and the batch."""
    return sorted({1, largest})


def steps_of(networks: int, batch_size: int) -> int:
    """How many steps measuring takes, for a progress bar."""
    return len(batch_sizes(batch_size)) * (networks + 1)
