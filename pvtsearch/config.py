"""Configurations as plain, frozen values that are legal once they exist.

`PVTConfig` covers PVT v1 (arXiv 2102.12122), PVT v2 (arXiv 2106.13797), every mix of their parts, and
ViT / DeiT as the pyramid of one stage. `ResNetConfig` covers the convolutional baselines.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, assert_never, get_args

from pvtsearch.errors import ConfigError
from pvtsearch.geometry import Grid, PatchEmbed, embedded_grid
from pvtsearch.shown import short

if TYPE_CHECKING:
    from typing_extensions import TypeIs  # of typing from Python 3.13 on; comes with mypy

NormStages: TypeAlias = Literal["last", "every", "none"]
PositionEmbedding: TypeAlias = Literal["learned", "none"]
Mlp: TypeAlias = Literal["plain", "conv"]
Pool: TypeAlias = Literal["cls", "mean"]
ResNetBlock: TypeAlias = Literal["basic", "bottleneck"]
NetworkTask: TypeAlias = Literal["classification", "backbone"]
DenseTask: TypeAlias = Literal["retinanet", "mask_rcnn", "semantic_fpn", "detr"]
Task: TypeAlias = Literal[NetworkTask, DenseTask]
AttentionKernel: TypeAlias = Literal["fused", "explicit"]
ImageSize: TypeAlias = tuple[int, int]

MAX_STAGES = 6
LARGEST = 10**9  # no number of a configuration is larger: what is, was a slip
LONGEST_NAME = 1000
DENSE_STAGES = 4


def check_int(name: str, value: Any, *, minimum: int) -> None:
    """Raise `ConfigError` unless value is an int (no bool) from minimum to `LARGEST`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ConfigError(f"{name} must be an integer of at least {minimum}, got {short(value)}")
    if value > LARGEST:
        raise ConfigError(f"{name} must be at most {LARGEST:,}, got a number of {value.bit_length()} bits")


def check_number(name: str, value: Any) -> None:
    """Raise `ConfigError` unless value is a finite number (no bool)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not -LARGEST <= value <= LARGEST:
        raise ConfigError(f"{name} must be a finite number of at most {LARGEST:,}, got {short(value)}")


def check_name(value: Any) -> None:
    """Raise `ConfigError` unless value is text that can be printed in a line."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST_NAME:
        raise ConfigError(f"name must be text of at most {LONGEST_NAME:,} printable characters, got {short(value)}")


def check_bool(name: str, value: Any) -> None:
    """Raise `ConfigError` unless value is True or False."""
    if not isinstance(value, bool):
        raise ConfigError(f"{name} must be true or false, got {short(value)}")


def check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise `ConfigError` unless value is one of choices."""
    if not isinstance(value, str) or value not in choices:
        raise ConfigError(f"{name} must be {' or '.join(choices)}, got {short(value)}")


NOT_BUILT = {
    "trans2seg": "PVT v1 does not print its sizes, and those of its authors give 32.9 M parameters where Table 7 has "
    "32.1 M; semantic_fpn is the segmentation that is built"
}


def check_task(task: Any) -> None:
    """Raise `ConfigError` unless task is one of `Task`; of one that the papers have besides, it says why not."""
    if isinstance(task, str) and task in NOT_BUILT:
        raise ConfigError(f"task {task} is not built: {NOT_BUILT[task]}")
    check_choice("task", task, get_args(Task))


def is_dense(task: Task) -> TypeIs[DenseTask]:
    """Whether a task needs neck and heads on a backbone."""
    return task in get_args(DenseTask)


def check_pyramid(task: DenseTask, stages: int) -> None:
    """Raise `ConfigError` unless a network of so many stages can do a dense task."""
    if stages != DENSE_STAGES:
        raise ConfigError(f"task {task} needs a network of {DENSE_STAGES} stages, got {stages}")


PART_CHOICES: dict[str, tuple[str, ...]] = {
    "patch_embed": get_args(PatchEmbed),
    "norm_stages": get_args(NormStages),
    "position": get_args(PositionEmbedding),
    "mlp": get_args(Mlp),
    "pool": get_args(Pool),
}
SWITCHES = ("patch_norm", "qkv_bias")


def check_part(name: str, value: Any) -> None:
    """Raise `ConfigError` unless value is one that the network-wide part called name can have."""
    if name in SWITCHES:
        check_bool(name, value)
    else:
        check_choice(name, value, PART_CHOICES[name])


def height_and_width(image_size: int | Sequence[int]) -> ImageSize:
    """An image size as (height, width); a single number is both sides."""
    sides = image_size if isinstance(image_size, tuple | list) else (image_size, image_size)
    if len(sides) != 2:
        raise ConfigError(f"image_size must be a side or (height, width), got {short(image_size)}")
    for side in sides:
        check_int("image_size", side, minimum=1)
    return sides[0], sides[1]


@dataclass(frozen=True)
class SpatialReduction:
    """Keys and values from a strided convolution of side `sr_ratio`; ratio 1 has neither convolution nor norm."""

    sr_ratio: int = 1

    def __post_init__(self) -> None:
        check_int("sr_ratio", self.sr_ratio, minimum=1)


@dataclass(frozen=True)
class PooledReduction:
    """Keys and values from an average pooling to `pool_size` x `pool_size` (PVT v2, section 3.1: linear SRA)."""

    pool_size: int = 7

    def __post_init__(self) -> None:
        check_int("pool_size", self.pool_size, minimum=1)


Attention: TypeAlias = SpatialReduction | PooledReduction


def smallest_grid(attention: Attention) -> int:
    """The smallest side of a grid that a reduction works on."""
    match attention:
        case SpatialReduction(sr_ratio):
            return sr_ratio
        case PooledReduction():
            return 1
        case _:
            assert_never(attention)


@dataclass(frozen=True)
class StageConfig:
    """One stage of a pyramid: a patch embedding, then `depth` blocks of attention and MLP."""

    patch_size: int
    embed_dim: int
    depth: int
    num_heads: int
    mlp_ratio: float
    attention: Attention = SpatialReduction()

    def __post_init__(self) -> None:
        for name in ("patch_size", "embed_dim", "depth", "num_heads"):
            check_int(name, getattr(self, name), minimum=1)
        check_number("mlp_ratio", self.mlp_ratio)
        if not isinstance(self.attention, SpatialReduction | PooledReduction):
            raise ConfigError(f"attention must be SpatialReduction or PooledReduction, got {short(self.attention)}")
        if self.embed_dim % self.num_heads:
            raise ConfigError(
                f"num_heads must divide embed_dim, got num_heads={self.num_heads}, embed_dim={self.embed_dim}"
            )
        if self.mlp_width < 1:
            raise ConfigError(
                f"mlp_ratio must give an MLP of width 1 or more, got mlp_ratio={self.mlp_ratio}, "
                f"embed_dim={self.embed_dim}"
            )

    @property
    def mlp_width(self) -> int:
        """Hidden width of the MLP."""
        return int(self.embed_dim * self.mlp_ratio)

    @property
    def head_dim(self) -> int:
        """Channels of one attention head."""
        return self.embed_dim // self.num_heads


@dataclass(frozen=True, kw_only=True)
class PVTConfig:
    """A pyramid vision transformer. The defaults are PVT v1; `norm_stages` defaults to what goes with `patch_embed`."""

    stages: tuple[StageConfig, ...]
    name: str = "pvt"
    num_classes: int = 1000
    in_chans: int = 3
    image_size: int = 224
    patch_embed: PatchEmbed = "plain"
    patch_norm: bool = True
    norm_stages: NormStages | None = None
    position: PositionEmbedding = "learned"
    mlp: Mlp = "plain"
    pool: Pool = "cls"
    qkv_bias: bool = True
    drop_path_rate: float = 0.0
    norm_eps: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))
        if not 1 <= len(self.stages) <= MAX_STAGES:
            raise ConfigError(f"stages must hold 1 to {MAX_STAGES} stages, got {len(self.stages)}")
        check_name(self.name)
        check_int("num_classes", self.num_classes, minimum=0)
        check_int("in_chans", self.in_chans, minimum=1)
        check_int("image_size", self.image_size, minimum=1)
        if self.norm_stages is None:
            object.__setattr__(self, "norm_stages", "every" if self.patch_embed == "overlap" else "last")
        for part in (*PART_CHOICES, *SWITCHES):
            check_part(part, getattr(self, part))
        check_number("drop_path_rate", self.drop_path_rate)
        if not 0 <= self.drop_path_rate < 1:
            raise ConfigError(f"drop_path_rate must be at least 0 and below 1, got {self.drop_path_rate!r}")
        if self.norm_eps is not None:
            check_number("norm_eps", self.norm_eps)
            if self.norm_eps <= 0:
                raise ConfigError(f"norm_eps must be above 0, got {self.norm_eps!r}")
        self._check_class_token()
        self.grids((self.image_size, self.image_size))

    def named(self, name: str) -> PVTConfig:
        """The same network under another name. Raises `ConfigError` for what is no name."""
        check_name(name)
        same = copy(self)  # all else was checked when this one was made
        object.__setattr__(same, "name", name)
        return same

    def _check_class_token(self) -> None:
        last = self.stages[-1]
        if self.pool == "cls" and self.mlp != "plain":
            raise ConfigError(f"pool: cls needs mlp: plain (N + 1 tokens are no grid), got mlp: {self.mlp}")
        if self.pool == "cls" and last.attention != SpatialReduction(1):
            raise ConfigError(
                f"stages[{len(self.stages) - 1}]: pool: cls needs sr_ratio 1 in the last stage "
                f"(N + 1 tokens are no grid), got {last.attention}"
            )

    def grids(self, image_size: ImageSize) -> tuple[Grid, ...]:
        """The token grid of each stage for an input of (height, width).

        Raises `ConfigError` where the input is too small for a patch embedding or a reduction.
        """
        grids = self.grids_of(Grid(*image_size))
        entering = Grid(*image_size)
        for index, (stage, grid) in enumerate(zip(self.stages, grids, strict=True)):
            if min(grid) < 1:
                raise ConfigError(
                    f"stages[{index}]: patch_size {stage.patch_size} needs a larger input: "
                    f"a map of {entering} is left at an image size of {image_size[0]}x{image_size[1]}"
                )
            if smallest_grid(stage.attention) > min(grid):
                ratio = smallest_grid(stage.attention)
                raise ConfigError(
                    f"stages[{index}]: sr_ratio {ratio} needs a grid of at least {ratio}x{ratio}, "
                    f"got {grid} at an image size of {image_size[0]}x{image_size[1]}"
                )
            entering = grid
        return grids

    def grids_of(self, entering: Grid) -> tuple[Grid, ...]:
        """The token grid of each stage for an input that enters, whether it fits or not: plain arithmetic."""
        grids: list[Grid] = []
        for stage in self.stages:
            entering = embedded_grid(entering, stage.patch_size, self.patch_embed)
            grids.append(entering)
        return tuple(grids)

    def has_class_token(self, index: int, task: Task) -> bool:
        """Whether stage `index` works on one token more than its grid."""
        return self.pool == "cls" and task == "classification" and index == len(self.stages) - 1

    def has_end_norm(self, index: int, task: Task) -> bool:
        """Whether stage `index` ends in a LayerNorm. A backbone has all of them or none, as the official code."""
        return self.norm_stages == "every" or (
            self.norm_stages == "last" and task == "classification" and index == len(self.stages) - 1
        )


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """A ResNet (arXiv 1512.03385) or ResNeXt (arXiv 1611.05431) as torchvision builds it."""

    name: str
    block: ResNetBlock
    depths: tuple[int, int, int, int]
    groups: int = 1
    width_per_group: int = 64
    num_classes: int = 1000
    in_chans: int = 3
    image_size: int = 224

    def __post_init__(self) -> None:
        check_choice("block", self.block, get_args(ResNetBlock))
        if len(self.depths) != 4:
            raise ConfigError(f"depths must hold 4 stages, got {len(self.depths)}")
        for depth in self.depths:
            check_int("depths", depth, minimum=1)
        for name in ("groups", "width_per_group", "in_chans", "image_size"):
            check_int(name, getattr(self, name), minimum=1)
        check_int("num_classes", self.num_classes, minimum=0)
        if self.block == "basic" and (self.groups, self.width_per_group) != (1, 64):
            raise ConfigError("block: basic has groups 1 and width_per_group 64 only")

    @property
    def expansion(self) -> int:
        """Output channels of a block over its base width."""
        match self.block:
            case "basic":
                return 1
            case "bottleneck":
                return 4
            case _:
                assert_never(self.block)


ModelConfig: TypeAlias = PVTConfig | ResNetConfig
