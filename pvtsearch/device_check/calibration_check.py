"""A small calibration: how well latency adds up over stages on this device, told on networks that were held out."""

from __future__ import annotations

import time
from collections.abc import Sequence

from pvtsearch.analysis.calibration import LEAST_PARTS, Calibration
from pvtsearch.analysis.calibration_files import file_name
from pvtsearch.analysis.timing import TimingSetting
from pvtsearch.calibrate.campaign import begun, growing, plan_for, subjects_of
from pvtsearch.calibrate.laboratory import described, laboratory
from pvtsearch.config import ModelConfig, PVTConfig, StageConfig
from pvtsearch.cost import Budget
from pvtsearch.device_check.settings import Settings
from pvtsearch.knobs import StageKnobs
from pvtsearch.space import NETWORK_KNOBS, SearchSpace

STAGES, NETWORKS, HELD_OUT = 48, 6, 24
COMMAND = "make gpu"


def check_calibration(settings: Settings, deadline: float) -> str:
    """Measure stages and networks around the checked pyramids until the deadline of `time.monotonic`, into one file.

    Returns the errors of predictions in one line. On CUDA networks are replayed as graphs, which host and launches
    do not disturb.
    """
    space = space_around(settings.configs)
    if space is None:
        return "no pyramid is checked: nothing to calibrate"
    size = settings.image_sizes[0]
    setting = TimingSetting(
        device=settings.device,
        batch_size=settings.batch_sizes[0],
        dtype=settings.dtypes[0],
        execution="eager" if settings.device == "cpu" else "graph",
    )
    if space.size(size).legal < 2 * (NETWORKS + HELD_OUT):
        return f"the checked pyramids span {space.size(size).legal:,} networks: too few to calibrate"
    counts = {"stages": STAGES, "networks": NETWORKS, "held_out": HELD_OUT, "seed": 0}
    subjects = subjects_of(space, size, "classification", **counts, references=[settings.reference], budget=Budget())
    circumstances = described(setting)
    path = settings.folder / file_name(circumstances["device_name"], space.name, setting, size, "classification")
    fresh = Calibration(space.name, setting, "classification", size, circumstances, counts, COMMAND)
    calibration = begun(fresh, path)
    bench = laboratory(setting, size, "classification", plan_for(settings.seconds_each))
    for grown in growing(calibration, subjects, path, bench):
        calibration = grown
        if time.monotonic() >= deadline:
            break
    return told(calibration, len(subjects))


def told(calibration: Calibration, subjects: int) -> str:
    """How much was measured, and how far predictions are off."""
    measured = f"{len(calibration.measured)} of {subjects} parts and networks measured"
    enough = len(calibration.of_role("alone")) >= LEAST_PARTS
    errors = calibration.errors if enough else None
    if errors is None:
        return f"{measured}, too few to hold predictions against"
    return (
        f"{measured}; {errors.count} networks held out: {errors.mape:.1%} off in the mean, "
        f"{errors.within_5_percent:.0%} within 5 %, {errors.within_10_percent:.0%} within 10 %, "
        f"Kendall's tau {errors.kendall:.2f}"
    )


def space_around(configs: Sequence[ModelConfig]) -> SearchSpace | None:
    """The space that pyramids span: all values that each stage takes in them, and every depth up to the deepest.

    Of pyramids with different network-wide parts the most frequent kind counts; None where there is no pyramid.
    """
    kinds: dict[tuple[object, ...], list[PVTConfig]] = {}
    for config in configs:
        if isinstance(config, PVTConfig):
            kind = (len(config.stages), *(getattr(config, part) for part in NETWORK_KNOBS))
            kinds.setdefault(kind, []).append(config)
    if not kinds:
        return None
    family = max(kinds.values(), key=len)
    stages = tuple(_knobs([config.stages[index] for config in family]) for index in range(len(family[0].stages)))
    parts = {part: (getattr(family[0], part),) for part in NETWORK_KNOBS}
    return SearchSpace(stages, parts, name=f"around_{family[0].name}")


def _knobs(stages: Sequence[StageConfig]) -> StageKnobs:
    """The values that a stage takes in some networks."""
    return StageKnobs(
        patch_size=tuple(sorted({stage.patch_size for stage in stages})),
        embed_dim=tuple(sorted({stage.embed_dim for stage in stages})),
        depth=tuple(range(1, max(stage.depth for stage in stages) + 1)),
        mlp_ratio=tuple(sorted({stage.mlp_ratio for stage in stages})),
        attention=tuple(dict.fromkeys(stage.attention for stage in stages)),
        head_dim=tuple(sorted({stage.embed_dim // stage.num_heads for stage in stages})),
    )
