"""Zero-cost scores of configurations: the network built with seeded weights, and looked at once."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

import torch
from torch import nn

from pvtsearch.accuracy.frame import Frame
from pvtsearch.accuracy.zero_cost import ZERO_COST, random_batch
from pvtsearch.config import PVTConfig
from pvtsearch.errors import ScoreError
from pvtsearch.models.pit import build_pit
from pvtsearch.models.pit_config import PiTConfig
from pvtsearch.models.pvt import build_pvt

BATCH_SIZE = 8
SEED = 0
CLASSES = 1000  # of labels, where a configuration has no classifier
WITHOUT_CLASSIFIER = ("zen",)


def untrained_score(
    name: str, config: PVTConfig | PiTConfig, frame: Frame, *, batch_size: int = BATCH_SIZE, seed: int = SEED
) -> float:
    """The zero-cost score called name of a configuration's classification network, on the CPU, in float32.

    Weights and images follow from seed; torch's own random state is left alone. Images have the frame's size. Zen's
    network has no classifier, as in its paper. Raises `ScoreError` where there is no finite score.
    """
    classes = config.num_classes or CLASSES
    network = _build(replace(config, num_classes=0 if name in WITHOUT_CLASSIFIER else classes), seed)
    images, labels = random_batch((batch_size, config.in_chans, *frame.image_size), classes, seed=seed)
    try:
        return ZERO_COST[name](network, images, labels)
    except ScoreError as error:
        raise ScoreError(f"{config.name}: {error}") from error


def _build(config: PVTConfig | PiTConfig, seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        match config:
            case PVTConfig():
                return build_pvt(config)
            case PiTConfig():
                return build_pit(config)
            case _:
                assert_never(config)
