"""What the scores of one run are relative to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pvtsearch.accuracy.families import PublishedStage, pit_families, pvt_families, typical_shape
from pvtsearch.config import ImageSize, PVTConfig, Task
from pvtsearch.models.pit_config import PiTConfig

PVT_STAGES = 4


@dataclass(frozen=True)
class Frame:
    """Input size, task, and what published networks look like at the budget; None: there is nothing to compare with."""

    image_size: ImageSize
    task: Task = "classification"
    published: tuple[PublishedStage, ...] | None = None


def frame_of(image_size: ImageSize, task: Task, limits: Mapping[str, int], stages: int) -> Frame:
    """The frame of a search under limits among networks of so many stages."""
    size = (image_size[0], image_size[1])
    return Frame(size, task, _typical_pvt(size, task, limits.get("macs"), stages))


def own_frame(config: PVTConfig | PiTConfig, macs: int) -> Frame:
    """The frame of one trained network: as under a budget of its own MACs, at the size that it is made for."""
    size = (config.image_size, config.image_size)
    if isinstance(config, PiTConfig):
        families = pit_families()
        comparable = len(config.stages) == len(families[0][0].stages)
        return Frame(size, published=typical_shape(families, macs) if comparable else None)
    return Frame(size, published=_typical_pvt(size, "classification", macs, len(config.stages)))


def _typical_pvt(size: ImageSize, task: Task, macs: int | None, stages: int) -> tuple[PublishedStage, ...] | None:
    if macs is None or stages != PVT_STAGES:
        return None
    return typical_shape(pvt_families(size, task), macs)
