"""Peak memory of one forward pass of a PVT in closed form, following the modules storage by storage.

The peak is parameters, buffers, input and every live tensor storage, each once, in unrounded bytes, in eager and
inference mode. Letters: N tokens, M reduced tokens, C embed_dim, E hidden width, h heads, d = C / h.
A view costs nothing and keeps its storage; a caller holds its arguments until the call returns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, assert_never

from pvtsearch.analysis.fused import returned_bytes
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.shapes import Pooled, Reduction, StageShape, Strided, shape_of
from pvtsearch.analysis.spans import Span, allocate, passing, release, sequence
from pvtsearch.config import ImageSize, NetworkTask, PVTConfig
from pvtsearch.geometry import Grid, Number, reduced_grid


class Part(NamedTuple):
    """A named span of a stage."""

    name: str
    span: Span


class ReducedTokens(NamedTuple):
    """What keys and values are made of: how many tokens, making them, and the bytes of their own storage."""

    tokens: Number
    making: Span
    nbytes: Number


def layer_norm(channels: Number, *, tokens: Number, setting: MemorySetting) -> Span:
    """The output stays; mean and reciprocal deviation of every token pass."""
    statistics = setting.batch_bytes(2 * tokens, setting.statistic_bytes)
    return allocate(setting.batch_bytes(tokens * channels)) + passing(statistics)


def spatial_reduction(sr_ratio: Number, grid: Grid, embed_dim: Number, setting: MemorySetting) -> ReducedTokens:
    """A strided convolution, then a LayerNorm; at ratio 1 the tokens themselves."""
    tokens = reduced_grid(grid, sr_ratio).tokens
    nbytes = setting.batch_bytes(tokens * embed_dim)
    making = allocate(nbytes) + layer_norm(embed_dim, tokens=tokens, setting=setting) + release(nbytes)
    reduces = (sr_ratio > 1) * 1
    return ReducedTokens(tokens, reduces * making, reduces * nbytes)


def pooled_reduction(pool_size: Number, embed_dim: Number, setting: MemorySetting) -> ReducedTokens:
    """Average pooling, a 1x1 convolution, a LayerNorm, GELU: all of one size, each releases the one before."""
    tokens = pool_size * pool_size
    nbytes = setting.batch_bytes(tokens * embed_dim)
    norm = layer_norm(embed_dim, tokens=tokens, setting=setting)
    making = allocate(nbytes) + passing(nbytes) + norm + release(nbytes) + passing(nbytes)
    return ReducedTokens(tokens, making, nbytes)


def reduced_by(reduction: Reduction, grid: Grid, embed_dim: Number, setting: MemorySetting) -> ReducedTokens:
    """What a reduction makes of a grid's tokens."""
    match reduction:
        case Strided(sr_ratio):
            return spatial_reduction(sr_ratio, grid, embed_dim, setting)
        case Pooled(pool_size):
            return pooled_reduction(pool_size, embed_dim, setting)
        case _:
            assert_never(reduction)


def fused_products(shape: StageShape, *, tokens: Number, setting: MemorySetting) -> Span:
    """One kernel: its output, laid out as B N C, and for a moment what else it returns."""
    returned = returned_bytes(shape, tokens=tokens, setting=setting)
    return allocate(setting.batch_bytes(tokens * shape.embed_dim)) + passing(returned)


def explicit_products(shape: StageShape, *, tokens: Number, reduced: Number, setting: MemorySetting) -> Span:
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


def attention(shape: StageShape, *, grid: Grid, class_token: int, setting: MemorySetting) -> Span:
    """The attention half of a block; at its end the sum of tokens and attention is held beside the tokens."""
    tokens = grid.tokens + class_token
    reduced, making, reduced_bytes = reduced_by(shape.reduction, grid, shape.embed_dim, setting)
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


def mlp(shape: StageShape, *, tokens: Number, setting: MemorySetting) -> Span:
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
    config: PVTConfig,
    index: int,
    embed_dim: Number,
    *,
    grid: Grid,
    learned: Grid,
    class_token: int,
    embedded: int,
    stream: int,
    setting: MemorySetting,
) -> Span:
    """Class token and position embedding; the patch tokens are held until both are there.

    Tokens that no norm and no class token brought into their own order are copied into it. embedded, stream: bytes of
    an element of the patch tokens, and of the tokens between the blocks.
    """
    patches = setting.batch_bytes(grid.tokens * embed_dim, embedded)
    unordered = int(index == 0 and not config.patch_norm) * (grid.tokens > 1) * (embed_dim > 1)
    copies: Number = class_token + (1 - class_token) * unordered
    joined = copies * setting.batch_bytes((grid.tokens + class_token) * embed_dim, stream if class_token else embedded)
    if config.position == "none":
        return allocate(joined) + release(copies * patches)
    tokens = grid.tokens + class_token
    resized = ((grid.height != learned.height) | (grid.width != learned.width)) * setting.element_bytes * embed_dim
    return sequence(
        (
            allocate(joined),
            allocate(resized * grid.tokens),
            allocate(class_token * resized * tokens),  # joined to the class token's entry
            release(class_token * resized * grid.tokens),
            allocate(setting.batch_bytes(tokens * embed_dim, stream)),
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
    shape: StageShape,
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
            position(
                config,
                index,
                channels,
                grid=grid,
                learned=learned,
                class_token=class_token,
                embedded=setting.element_bytes,
                stream=setting.element_bytes,
                setting=setting,
            ),
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


def pvt_parts(
    config: PVTConfig, image_size: ImageSize, task: NetworkTask, setting: MemorySetting
) -> tuple[tuple[Part, ...], ...]:
    """The spans of every stage in order, and of the head.

    Raises `ConfigError` where the input is too small for the network.
    """
    return parts_on_grids(config, config.grids(image_size), task, setting)


def parts_on_grids(
    config: PVTConfig, grids: Sequence[Grid], task: NetworkTask, setting: MemorySetting
) -> tuple[tuple[Part, ...], ...]:
    """The spans of a PVT whose stages have these grids, in numbers or polynomials."""
    learned = config.grids((config.image_size, config.image_size))
    entering = (grids[0], *grids)  # what enters the first stage is not released
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
