"""Latency, throughput and memory of presets and ResNets, in groups beside a reference, added to a device's records."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from typing import NamedTuple

from torch import nn

from pvtsearch.analysis.device_records import add_measurements
from pvtsearch.analysis.setting import Dtype
from pvtsearch.analysis.timing import Plan, TimingSetting
from pvtsearch.analysis.turns import Candidate
from pvtsearch.config import ImageSize, ModelConfig
from pvtsearch.device_check.settings import Settings
from pvtsearch.measurement import candidate, measure_candidates

GROUP = 5  # networks that take turns beside the reference: more would not fit on a small device


class Batch(NamedTuple):
    """Networks that are measured together, and on what."""

    configs: Sequence[ModelConfig]
    image_size: ImageSize
    batch_size: int
    dtype: Dtype


def check_latency(settings: Settings, deadline: float) -> str:
    """Measure group by group until the deadline of `time.monotonic`; returns the line that sums it up."""
    candidates = {
        (config, size): candidate(config, size, "classification", "fused")
        for config, size in product({*settings.configs, settings.reference}, settings.image_sizes)
    }
    build = cache(lambda config: candidates[config, settings.image_sizes[0]].build())
    outcomes: list[str] = []
    missed = 0
    for batch in batches(settings):
        if time.monotonic() >= deadline:
            missed += len(batch.configs)
            continue
        networks = [_built(candidates[each, batch.image_size], build(each)) for each in batch.configs]
        networks.append(_built(candidates[settings.reference, batch.image_size], build(settings.reference)))
        setting = TimingSetting(device=settings.device, batch_size=batch.batch_size, dtype=batch.dtype)
        found = measure_candidates(
            networks, [settings.reference.name], setting, plan=Plan.within(settings.seconds_each)
        )
        add_measurements(found, settings.folder)
        outcomes += [row.outcome for row in found.rows]
    told = ", ".join(f"{outcomes.count(each)} {each}" for each in dict.fromkeys(outcomes)) or "none measured"
    return f"{told}, {missed} networks not reached in time"


def batches(settings: Settings) -> Iterator[Batch]:
    """Every image size in every type, from small to large; networks in groups as given, without the reference."""
    configs = [config for config in settings.configs if config != settings.reference]
    sizes = zip(settings.image_sizes, settings.batch_sizes, strict=True)
    for (size, batch_size), dtype in product(sizes, settings.dtypes):
        for start in range(0, len(configs), GROUP):
            yield Batch(configs[start : start + GROUP], size, batch_size, dtype)


def _built(one: Candidate, module: nn.Module) -> Candidate:
    """The same network, built once for all its measurements, each of which takes a copy."""
    return replace(one, build=lambda: module)
