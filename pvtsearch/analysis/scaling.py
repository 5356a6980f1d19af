"""Costs of networks as curves over the side of a square input, and where two curves cross.

PVT v1 (arXiv 2102.12122), Figure 6, and PVT v2 (arXiv 2106.13797), Figure 4, draw GFLOPs so, without numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.peak import inference_memory
from pvtsearch.config import ModelConfig
from pvtsearch.errors import ConfigError
from pvtsearch.presets import PRESETS

NETWORKS = {
    "vit_small_16_768": "ViT-Small/16",
    "vit_small_32_768": "ViT-Small/32",
    "pvt_small": "PVT-Small",
    "resnet50": "ResNet-50",
    "pvt_v2_b2_li": "PVT v2 B2-Li",
}
STEP = 32  # every network's stride divides it, so no side is rounded
SIDES = tuple(range(2 * STEP, 1280 + STEP, STEP))


@dataclass(frozen=True)
class Curve:
    """Values of one network at some sides, exact."""

    network: str
    label: str
    values: tuple[int, ...]
    sides: tuple[int, ...] = SIDES


@dataclass(frozen=True)
class Crossing:
    """Two curves between two neighbouring sides; from there on `above` costs more than `below`.

    side and value are interpolated: values at the curves' sides are exact, what is between them is not used.
    """

    above: str
    below: str
    between: tuple[int, int]
    side: float
    value: float


def macs_at(config: ModelConfig, side: int) -> int:
    """Multiply-accumulates of a square image."""
    return int(network_cost(config, (side, side)).total.macs)


def memory_at(config: ModelConfig, side: int) -> int:
    """Bytes at the peak of a forward pass of a square image: batch 1, float32, fused attention."""
    return inference_memory(config, (side, side)).peak_bytes


def curves(quantity: Callable[[ModelConfig, int], int]) -> tuple[Curve, ...]:
    """A curve per network."""
    return tuple(
        Curve(name, label, tuple(quantity(PRESETS[name].config, side) for side in SIDES))
        for name, label in NETWORKS.items()
    )


def common_sides(configs: Sequence[ModelConfig], sides: Sequence[int] = SIDES) -> tuple[int, ...]:
    """The sides that are large enough for every network."""
    return tuple(side for side in sides if all(_fits(config, side) for config in configs))


def _fits(config: ModelConfig, side: int) -> bool:
    try:
        network_cost(config, (side, side), "backbone")
    except ConfigError:
        return False
    return True


def crossings(drawn: Sequence[Curve]) -> tuple[Crossing, ...]:
    """Where any two curves over the same sides change places, by side."""
    found = [crossing for one, other in combinations(drawn, 2) for crossing in _between(one, other)]
    return tuple(sorted(found, key=lambda crossing: crossing.side))


def _between(one: Curve, other: Curve) -> list[Crossing]:
    """Sign changes of the difference; a side where two curves are equal belongs to the change it lies in."""
    gaps = [(side, a - b, a) for side, a, b in zip(one.sides, one.values, other.values, strict=True) if a != b]
    found = []
    for (left, gap, value), (right, next_gap, next_value) in pairwise(gaps):
        if gap * next_gap < 0:
            share = gap / (gap - next_gap)
            above, below = (one, other) if next_gap > 0 else (other, one)
            side, height = left + share * (right - left), value + share * (next_value - value)
            found.append(Crossing(above.network, below.network, (left, right), side, height))
    return found
