"""PiT as data: its configuration, its cost in closed form, and the published ones.

PiT (arXiv 2103.16302, "Rethinking Spatial Dimensions of Vision Transformers") is the pyramid of which a table of
trained networks is public. It is here for that: signals are validated on it. No space searches it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from pvtsearch.config import ImageSize, check_int, check_number
from pvtsearch.errors import ConfigError

PATCH_SIZE = 16
STRIDE = 8
POOLING_KERNEL, POOLING_STRIDE = 3, 2


class PiTStage(NamedTuple):
    """One stage: blocks of one width."""

    embed_dim: int
    depth: int
    num_heads: int
    mlp_ratio: float

    @property
    def mlp_width(self) -> int:
        """Width between the two linear layers of an MLP."""
        return int(self.embed_dim * self.mlp_ratio)


class PiTCost(NamedTuple):
    """Parameters, and multiply-accumulates for one image."""

    params: int
    macs: int


@dataclass(frozen=True, kw_only=True)
class PiTConfig:
    """A PiT: stage i has width base_dim[i] * num_heads[i]. One base_dim stands for all stages.

    Raises `ConfigError` where a width is no multiple of the width before: a pooling gives each channel whole ones.
    """

    base_dim: int | tuple[int, ...]
    num_heads: tuple[int, ...]
    depth: tuple[int, ...]
    mlp_ratio: float
    name: str = "pit"
    num_classes: int = 1000
    in_chans: int = 3
    image_size: int = 224

    def __post_init__(self) -> None:
        for name in ("num_heads", "depth"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        bases = (self.base_dim,) * len(self.depth) if isinstance(self.base_dim, int) else tuple(self.base_dim)
        object.__setattr__(self, "base_dim", bases)
        if not len(bases) == len(self.num_heads) == len(self.depth) >= 1:
            raise ConfigError(
                f"base_dim, num_heads and depth must have an entry per stage, got {len(bases)}, "
                f"{len(self.num_heads)} and {len(self.depth)}"
            )
        for name, values in (("base_dim", bases), ("num_heads", self.num_heads), ("depth", self.depth)):
            for value in values:
                check_int(name, value, minimum=1)
        check_number("mlp_ratio", self.mlp_ratio)
        check_int("num_classes", self.num_classes, minimum=0)
        check_int("in_chans", self.in_chans, minimum=1)
        check_int("image_size", self.image_size, minimum=PATCH_SIZE)
        for stage in self.stages:
            if stage.mlp_width < 1:
                raise ConfigError(f"mlp_ratio must give the MLP a width of at least 1, got {self.mlp_ratio!r}")
        for before, after in pairwise(self.stages):
            if after.embed_dim % before.embed_dim:
                raise ConfigError(f"a stage's width must be a multiple of the one before, got {_widths(self)}")

    @property
    def stages(self) -> tuple[PiTStage, ...]:
        """The stages with their widths."""
        bases = (self.base_dim,) if isinstance(self.base_dim, int) else self.base_dim
        rows = zip(bases, self.depth, self.num_heads, strict=True)
        return tuple(PiTStage(base * heads, depth, heads, self.mlp_ratio) for base, depth, heads in rows)

    def sides(self, side: int) -> tuple[int, ...]:
        """The side of each stage's grid for an input side."""
        sides = [(side - PATCH_SIZE) // STRIDE + 1]
        for _ in self.stages[1:]:
            sides.append((sides[-1] + 2 * (POOLING_KERNEL // 2) - POOLING_KERNEL) // POOLING_STRIDE + 1)
        return tuple(sides)


def _widths(config: PiTConfig) -> str:
    return ", ".join(str(stage.embed_dim) for stage in config.stages)


def pit_cost(config: PiTConfig, image_size: ImageSize | None = None) -> PiTCost:
    """Parameters and MACs in closed form: convolutions, linear layers, attention products.

    Letters: C width, E MLP width, N tokens of the grid; one class token beside them.
    """
    height, width = image_size or (config.image_size, config.image_size)
    learned = config.sides(config.image_size)[0] ** 2
    tokens = [h * w for h, w in zip(config.sides(height), config.sides(width), strict=True)]
    first, last = config.stages[0].embed_dim, config.stages[-1].embed_dim
    patch = config.in_chans * PATCH_SIZE**2 * first
    params, macs = patch + first + (learned + 1) * first, patch * tokens[0]  # embedding, positions, class token
    for stage, n in zip(config.stages, tokens, strict=True):
        c, e = stage.embed_dim, stage.mlp_width
        linear = 4 * c * c + 2 * c * e
        params += stage.depth * (linear + 9 * c + e)  # biases of q, k, v, output and MLP; two norms
        macs += stage.depth * ((n + 1) * linear + 2 * (n + 1) ** 2 * c)
    for before, after, n in zip(config.stages, config.stages[1:], tokens[1:], strict=False):
        convolution, linear = POOLING_KERNEL**2 * after.embed_dim, before.embed_dim * after.embed_dim
        params += convolution + linear + 2 * after.embed_dim
        macs += convolution * n + linear  # the class token goes through the linear layer
    head = last * config.num_classes
    return PiTCost(params + 2 * last + head + config.num_classes, macs + head)


def _published(name: str, base_dim: int, num_heads: tuple[int, ...], depth: tuple[int, ...]) -> PiTConfig:
    return PiTConfig(name=name, base_dim=base_dim, num_heads=num_heads, depth=depth, mlp_ratio=4)


# arXiv 2103.16302, table 1
PIT_PRESETS = {
    config.name: config
    for config in (
        _published("pit_ti", 32, (2, 4, 8), (2, 6, 4)),
        _published("pit_xs", 48, (2, 4, 8), (2, 6, 4)),
        _published("pit_s", 48, (3, 6, 12), (2, 6, 4)),
        _published("pit_b", 64, (4, 8, 16), (3, 6, 4)),
    )
}
