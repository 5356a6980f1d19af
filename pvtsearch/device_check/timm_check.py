"""Our PVT v2 beside timm's, with the same weights, in turns: who is faster, eager and compiled."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import nn

from pvtsearch.analysis.device_records import add_measurements
from pvtsearch.analysis.latency import random_numbers_kept
from pvtsearch.analysis.measured import Measurements
from pvtsearch.analysis.setting import Execution
from pvtsearch.analysis.timing import Plan, TimingSetting
from pvtsearch.analysis.turns import Candidate
from pvtsearch.config import ModelConfig
from pvtsearch.device_check.settings import Settings
from pvtsearch.errors import Failure
from pvtsearch.measurement import measure_candidates
from pvtsearch.models.baselines import build_model
from pvtsearch.models.weights import load_weights

EXECUTIONS: tuple[Execution, ...] = ("eager", "compiled")
TOLERANCE = 1e-4  # of scores in float32, which differ by the order of sums


def check_timm(settings: Settings, deadline: float) -> str:
    """Compare until the deadline of `time.monotonic`; returns ratios of time in one line.

    Raises `Failure` where the two do not compute the same.
    """
    if importlib.util.find_spec("timm") is None:
        return "timm is not installed: nothing to compare with"
    told = []
    for found in compared(settings, deadline):
        add_measurements(found, settings.folder)
        told += [
            f"{each.name} batch {each.batch_size} {found.rows[0].setting.execution} {each.ratio.median:.3f} of timm's "
            f"time ({each.ratio.interval.low:.3f} to {each.ratio.interval.high:.3f})"
            for each in found.comparisons
        ]
    return "; ".join(told) or "nothing was reached in time"


def compared(settings: Settings, deadline: float) -> Iterator[Measurements]:
    """Every network that timm has too, eager before compiled."""
    import timm

    known = set(timm.list_models("pvt_v2*"))
    shared = [config for config in settings.configs if config.name in known]
    for execution in EXECUTIONS:
        for config in shared:
            if time.monotonic() < deadline:
                yield _measured(config, timm.create_model(config.name), execution, settings)


def _measured(config: ModelConfig, theirs: nn.Module, execution: Execution, settings: Settings) -> Measurements:
    with random_numbers_kept():
        ours: nn.Module = build_model(config)
    load_weights(ours, theirs.state_dict())
    size = settings.image_sizes[0]
    check_same(config.name, ours, theirs, (1, config.in_chans, *size))
    one = Candidate(name=config.name, build=lambda: ours, config=config, image_size=size, in_chans=config.in_chans)
    other = replace(one, name=f"timm {config.name}", build=lambda: theirs, config=None)
    setting = TimingSetting(
        device=settings.device, batch_size=settings.batch_sizes[0], dtype=settings.dtypes[0], execution=execution
    )
    return measure_candidates([one, other], [other.name], setting, plan=Plan.within(settings.seconds_each))


def check_same(name: str, ours: nn.Module, theirs: nn.Module, shape: tuple[int, ...]) -> None:
    """Raise `Failure` where two networks give different scores of one random image, on the CPU in float32."""
    images = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        one, other = (module.eval()(images) for module in (ours, theirs))
    if not torch.allclose(one, other, atol=TOLERANCE):
        raise Failure(f"{name}: scores differ from timm's by up to {(one - other).abs().max():.2g}")
