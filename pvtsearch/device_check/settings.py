"""What `make gpu` runs on, and how much of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pvtsearch.analysis.setting import Dtype
from pvtsearch.config import ImageSize, ModelConfig


@dataclass(frozen=True)
class Design:
    """How much a small calibration measures: stages alone, whole networks, and networks held out."""

    stages: int
    networks: int
    held_out: int


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The device, the networks and their inputs; how long everything may take; where results go.

    dtypes: of latency and memory. batch_sizes: for latency, one of every image size, beside a single image. The first
    of each is what is calibrated, and compared with timm. seconds_each: the most that one network is timed for at one
    batch size.
    """

    device: str
    folder: Path
    date: str
    configs: tuple[ModelConfig, ...]
    reference: ModelConfig
    image_sizes: tuple[ImageSize, ...]
    batch_sizes: tuple[int, ...]
    memory_batch_sizes: tuple[int, ...]
    dtypes: tuple[Dtype, ...]
    design: Design
    seconds: float
    seconds_each: float
