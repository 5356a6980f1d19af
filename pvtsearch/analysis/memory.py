"""Peak memory of one forward pass of a PVT in closed form, following the modules storage by storage.

The peak is parameters, buffers, input and every live tensor storage, each once, in unrounded bytes, in eager and
inference mode. Letters: N tokens, M reduced tokens, C embed_dim, E hidden width, h heads, d = C / h.
A view costs nothing and keeps its storage; a caller holds its arguments until the call returns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias, assert_never, get_args

from pvtsearch.analysis.spans import Span, allocate, passing, release, sequence
from pvtsearch.config import (
    Attention,
    AttentionKernel,
    ImageSize,
    NetworkTask,
    PooledReduction,
    PVTConfig,
    SpatialReduction,
    StageConfig,
    check_choice,
    check_int,
)
from pvtsearch.geometry import Grid, Number, reduced_grid

Dtype: TypeAlias = Literal["float32", "float16", "bfloat16"]

ELEMENT_BYTES: dict[Dtype, int] = {"float32": 4, "float16": 2, "bfloat16": 2}
LOGSUMEXP_BYTES = 4  # fused attention keeps it in float32


@dataclass(frozen=True, kw_only=True)
class MemorySetting:
    """The circumstances of a pass: how many images, of which type, and how attention is computed."""

    batch_size: int = 1
    dtype: Dtype = "float32"
    attention: AttentionKernel = "fused"

    def __post_init__(self) -> None:
        check_int("batch_size", self.batch_size, minimum=1)
        check_choice("dtype", self.dtype, get_args(Dtype))
        check_choice("attention", self.attention, get_args(AttentionKernel))

    def __str__(self) -> str:
        return f"batch {self.batch_size}, {self.dtype}, {self.attention} attention"

    @property
    def element_bytes(self) -> int:
        """Bytes of one element of a parameter or an activation."""
        return ELEMENT_BYTES[self.dtype]

    def batch_bytes(self, elements: Number) -> Number:
        """Bytes of a tensor with so many elements per image."""
        return self.batch_size * elements * self.element_bytes


class Part(NamedTuple):
    """A named span of a stage."""

    name: str
    span: Span


class ReducedTokens(NamedTuple):
    """What keys and values are made of: how many tokens, making them, and the bytes of their own storage."""

    tokens: Number
    making: Span
    nbytes: Number


Reduction: TypeAlias = Callable[[Grid, Number, MemorySetting], ReducedTokens]


@dataclass(frozen=True)
class MemoryShape:
    """The numbers of one stage, or arrays of the numbers of many stages that share a kind of attention."""

    embed_dim: Number
    num_heads: Number
    mlp_width: Number
    reduction: Reduction


def layer_norm(channels: Number, *, tokens: Number, setting: MemorySetting) -> Span:
    """The output stays; mean and reciprocal deviation of every token pass."""
    return allocate(setting.batch_bytes(tokens * channels)) + passing(setting.batch_bytes(2 * tokens))


def spatial_reduction(sr_ratio: Number) -> Reduction:
    """A strided convolution, then a LayerNorm; at ratio 1 the tokens themselves."""

    def reduce(grid: Grid, embed_dim: Number, setting: MemorySetting) -> ReducedTokens:
        tokens = reduced_grid(grid, sr_ratio).tokens
        nbytes = setting.batch_bytes(tokens * embed_dim)
        making = allocate(nbytes) + layer_norm(embed_dim, tokens=tokens, setting=setting) + release(nbytes)
        reduces = (sr_ratio > 1) * 1
        return ReducedTokens(tokens, reduces * making, reduces * nbytes)

    return reduce


def pooled_reduction(pool_size: Number) -> Reduction:
    """Average pooling, a 1x1 convolution, a LayerNorm, GELU: all of one size, each releases the one before."""

    def reduce(_: Grid, embed_dim: Number, setting: MemorySetting) -> ReducedTokens:
        tokens = pool_size * pool_size
        nbytes = setting.batch_bytes(tokens * embed_dim)
        norm = layer_norm(embed_dim, tokens=tokens, setting=setting)
        making = allocate(nbytes) + passing(nbytes) + norm + release(nbytes) + passing(nbytes)
        return ReducedTokens(tokens, making, nbytes)

    return reduce


def reduction_of(attention: Attention) -> Reduction:
    """The reduction an attention type stands for."""
    match attention:
        case SpatialReduction(sr_ratio):
            return spatial_reduction(sr_ratio)
        case PooledReduction(pool_size):
            return pooled_reduction(pool_size)
        case _:
            assert_never(attention)


def fused_products(shape: MemoryShape, *, tokens: Number, setting: MemorySetting) -> Span:
    """One kernel: its output, laid out as B N C, and for a moment the logsumexp of every query and head."""
    logsumexp = setting.batch_size * tokens * shape.num_heads * LOGSUMEXP_BYTES
    return allocate(setting.batch_bytes(tokens * shape.embed_dim)) + passing(logsumexp)


def explicit_products(shape: MemoryShape, *, tokens: Number, reduced: Number, setting: MemorySetting) -> Span:
    """Scores, scaled scores, softmax, output, B N C. matmul copies what it cannot view as a stack of matrices."""
    several = (shape.num_heads > 1) * 1
    stacked = several * int(setting.batch_size > 1)
    queries = setting.batch_bytes(tokens * shape.embed_dim)
    query_copy = stacked * (tokens > 1) * queries
    key_copy = stacked * setting.batch_bytes(reduced * shape.embed_dim)
    scores = setting.batch_bytes(shape.num_heads * tokens * reduced)
    return sequence(
        (
            allocate(query_copy + key_copy),
            allocate(scores),
            release(query_copy + key_copy),
            passing(scores),  # scaled
            passing(scores),  # softmax
            allocate(key_copy),  # of the values
            allocate(queries),
            release(key_copy + scores),
            passing(several * (tokens > 1) * queries),  # heads side by side again
        )
    )


def attention(shape: MemoryShape, *, grid: Grid, class_token: int, setting: MemorySetting) -> Span:
    """The attention half of a block; at its end the sum of tokens and attention is held beside the tokens."""
    tokens = grid.tokens + class_token
    reduced, making, reduced_bytes = shape.reduction(grid, shape.embed_dim, setting)
    reduced = reduced + class_token
    size = setting.batch_bytes(tokens * shape.embed_dim)
    key_value = setting.batch_bytes(2 * reduced * shape.embed_dim)
    match setting.attention:
        case "fused":
            products = fused_products(shape, tokens=tokens, setting=setting)
        case "explicit":
            products = explicit_products(shape, tokens=tokens, reduced=reduced, setting=setting)
        case _:
            assert_never(setting.attention)
    return sequence(
        (
            layer_norm(shape.embed_dim, tokens=tokens, setting=setting),
            allocate(size),  # queries
            making,
            allocate(key_value),
            release(reduced_bytes),
            products,
            release(size + key_value),
            passing(size),  # the projection, which takes the place of what it projects
            release(size),  # the normed tokens
            passing(size),  # the sum, which takes the place of the projection
        )
    )


def mlp(shape: MemoryShape, *, tokens: Number, setting: MemorySetting) -> Span:
    """The MLP half of a block, plain or with a convolution; at its end both earlier tokens go and the sum stays."""
    size = setting.batch_bytes(tokens * shape.embed_dim)
    hidden = setting.batch_bytes(tokens * shape.mlp_width)
    return sequence(
        (
            layer_norm(shape.embed_dim, tokens=tokens, setting=setting),
            allocate(hidden),
            passing(hidden),  # GELU takes the place of its input, and so do a ReLU and a convolution before it
            allocate(size),
            release(hidden + size),
            allocate(size),
            release(3 * size),
        )
    )


def patch_embedding(config: PVTConfig, embed_dim: Number, *, grid: Grid, setting: MemorySetting) -> Span:
    """The convolution's map, which its norm replaces where the network has one."""
    size = setting.batch_bytes(grid.tokens * embed_dim)
    if not config.patch_norm:
        return allocate(size)
    return allocate(size) + layer_norm(embed_dim, tokens=grid.tokens, setting=setting) + release(size)


def position(
    config: PVTConfig, embed_dim: Number, *, grid: Grid, learned: Grid, class_token: int, setting: MemorySetting
) -> Span:
    """Class token and position embedding; the patch tokens are held until both are there."""
    patches = setting.batch_bytes(grid.tokens * embed_dim)
    joined = class_token * setting.batch_bytes((grid.tokens + 1) * embed_dim)
    if config.position == "none":
        return allocate(joined) + class_token * release(patches)
    tokens = grid.tokens + class_token
    resized = ((grid.height != learned.height) | (grid.width != learned.width)) * setting.element_bytes * embed_dim
    return sequence(
        (
            allocate(joined),
            allocate(resized * grid.tokens),
            allocate(resized * tokens),  # joined to the class token's entry, if any
            release(resized * grid.tokens),
            allocate(setting.batch_bytes(tokens * embed_dim)),
            release(resized * tokens + joined + patches),
        )
    )


def end(
    config: PVTConfig, index: int, embed_dim: Number, *, tokens: Number, task: NetworkTask, setting: MemorySetting
) -> Span:
    """End norm and the shaping of the output: a map and a class token are views, a mean is not."""
    size = setting.batch_bytes(tokens * embed_dim)
    ends = task == "classification" and index == len(config.stages) - 1
    pooled = setting.batch_bytes(embed_dim)
    mean = allocate(pooled) + release(size) if ends and config.pool == "mean" else Span()
    if not config.has_end_norm(index, task):
        return mean
    return layer_norm(embed_dim, tokens=tokens, setting=setting) + mean + release(size)


def stage_parts(
    config: PVTConfig,
    index: int,
    shape: MemoryShape,
    *,
    entering_bytes: Number,
    grid: Grid,
    learned: Grid,
    task: NetworkTask,
    setting: MemorySetting,
) -> tuple[Part, ...]:
    """The spans of stage `index`, one block standing for all: each leaves as much as it found.

    entering_bytes: of the map that the stage reads and whose last holder it is, 0 if others hold it too.
    """
    channels = shape.embed_dim
    class_token = int(config.has_class_token(index, task))
    tokens = grid.tokens + class_token
    return (
        Part("patch embedding", patch_embedding(config, channels, grid=grid, setting=setting)),
        Part(
            "position",
            position(config, channels, grid=grid, learned=learned, class_token=class_token, setting=setting),
        ),
        Part("attention", attention(shape, grid=grid, class_token=class_token, setting=setting)),
        Part("mlp", mlp(shape, tokens=tokens, setting=setting)),
        Part(
            "end",
            end(config, index, channels, tokens=tokens, task=task, setting=setting) + release(entering_bytes),
        ),
    )


def released_bytes(
    index: int, in_chans: Number, entering: Grid, *, task: NetworkTask, setting: MemorySetting
) -> Number:
    """Bytes of the map that stage `index` reads where it is the last to hold it.

    The images are the caller's, and the maps of a backbone its output.
    """
    last_holder = index > 0 and task == "classification"
    return int(last_holder) * setting.batch_bytes(in_chans * entering.tokens)


def head_span(config: PVTConfig, *, task: NetworkTask, setting: MemorySetting) -> Span:
    """The scores of a classification network."""
    return allocate(setting.batch_bytes(config.num_classes if task == "classification" else 0))


def shape_of(stage: StageConfig) -> MemoryShape:
    """A configuration's stage as the numbers the formulas take."""
    return MemoryShape(stage.embed_dim, stage.num_heads, stage.mlp_width, reduction_of(stage.attention))


def pvt_parts(
    config: PVTConfig, image_size: ImageSize, task: NetworkTask, setting: MemorySetting
) -> tuple[tuple[Part, ...], ...]:
    """The spans of every stage in order, and of the head."""
    grids = config.grids(image_size)
    learned = config.grids((config.image_size, config.image_size))
    entering = (Grid(*image_size), *grids)
    widths = (config.in_chans, *(stage.embed_dim for stage in config.stages))
    stages = [
        stage_parts(
            config,
            index,
            shape_of(stage),
            entering_bytes=released_bytes(index, widths[index], entering[index], task=task, setting=setting),
            grid=grids[index],
            learned=learned[index],
            task=task,
            setting=setting,
        )
        for index, stage in enumerate(config.stages)
    ]
    return (*stages, (Part("scores", head_span(config, task=task, setting=setting)),))
