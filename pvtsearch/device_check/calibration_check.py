"""A small calibration: how well latency is predicted on this device, of networks held out."""

from __future__ import annotations

import random
import time
from dataclasses import asdict
from typing import Literal

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.calibration import LEAST_PARTS, Calibration, Subject
from pvtsearch.analysis.calibration_files import file_name
from pvtsearch.analysis.timing import TimingSetting
from pvtsearch.calibrate.campaign import begun, growing, plan_for, subjects_of
from pvtsearch.calibrate.laboratory import described, laboratory
from pvtsearch.config import Attention, PooledReduction, PVTConfig, SpatialReduction
from pvtsearch.cost import Budget
from pvtsearch.device_check.settings import Settings
from pvtsearch.knobs import StageKnobs, TrendRule
from pvtsearch.space import SearchSpace

TASK: Literal["classification"] = "classification"
SEED = 0


def _stage(patch_size: int, embed_dim: range, depth: range, **knobs: tuple[int, ...]) -> StageKnobs:
    attention: tuple[Attention, ...] = (*map(SpatialReduction, knobs["sr_ratio"]), PooledReduction(7))
    return StageKnobs((patch_size,), tuple(embed_dim), tuple(depth), knobs["mlp_ratio"], attention,
                      head_dim=knobs["head_dim"])  # fmt: skip


# The shipped space pvt_v2, written out: where `make gpu` runs there may be nothing that reads YAML.
PVT_V2 = SearchSpace(
    (
        _stage(4, range(32, 129, 16), range(1, 9), head_dim=(16, 32, 64), mlp_ratio=(2, 4, 6, 8), sr_ratio=(4, 8)),
        _stage(2, range(64, 257, 16), range(1, 13), head_dim=(16, 32, 64), mlp_ratio=(2, 4, 6, 8), sr_ratio=(2, 4)),
        _stage(2, range(128, 513, 32), range(1, 41), head_dim=(32, 64), mlp_ratio=(2, 3, 4, 6), sr_ratio=(1, 2)),
        _stage(2, range(256, 769, 32), range(1, 9), head_dim=(32, 64), mlp_ratio=(2, 3, 4, 6), sr_ratio=(1,)),
    ),
    {"patch_embed": ("overlap",), "position": ("none",), "mlp": ("conv",), "pool": ("mean",)},
    (TrendRule("embed_dim", "nondecreasing"),),
    name="pvt_v2",
)


def check_calibration(settings: Settings, deadline: float) -> str:
    """Measure until the deadline of `time.monotonic`, or go on with what is there; returns the line that sums it up."""
    size = settings.image_sizes[0]
    setting = TimingSetting(
        device=settings.device, dtype=settings.dtypes[0], batch_size=settings.batch_sizes[0], execution="eager"
    )
    about = described(setting)
    path = settings.folder / file_name(about["device_name"], PVT_V2.name, setting, size, TASK)
    fresh = Calibration(PVT_V2.name, setting, TASK, size, about, asdict(settings.design), "make gpu")
    calibration, subjects = begun(fresh, path), _subjects(settings)
    bench = laboratory(setting, size, TASK, plan_for(settings.seconds_each))
    for grown in growing(calibration, subjects, path, bench):
        calibration = grown
        if time.monotonic() >= deadline:
            break
    return _in_words(calibration, len(subjects))


def _subjects(settings: Settings) -> list[Subject]:
    """The design, mixed: cut short, it has some of everything. Whole networks cost no more than the reference."""
    size = settings.image_sizes[0]
    cost = network_cost(settings.reference, size, TASK).total
    known = [config for config in settings.configs if isinstance(config, PVTConfig) and PVT_V2.contains(config)]
    found = subjects_of(
        PVT_V2, size, TASK, **asdict(settings.design),
        references=[settings.reference, *known],
        budget=Budget({"params": cost.params, "macs": cost.macs}), seed=SEED,
    )  # fmt: skip
    random.Random(SEED).shuffle(found)  # noqa: S311  an order
    return found


def _in_words(calibration: Calibration, wanted: int) -> str:
    measured, left_out = len(calibration.measured), len(calibration.left_out)
    told = f"{measured} of {wanted} parts measured, {left_out} did not fit"
    if len(calibration.of_role("alone")) < LEAST_PARTS:
        return f"{told}: too few stages for a model"
    if calibration.errors is None:
        return f"{told}: too few networks held out"
    errors = calibration.errors
    return (
        f"{told}; {errors.count} networks held out are predicted {errors.mape * 100:.1f} % off on average, "
        f"{errors.within_5_percent * 100:.0f} % within 5 %, {errors.within_10_percent * 100:.0f} % within 10 %"
    )
