"""Peak memory of one training step of a PVT in closed form: forward, backward, and the optimizer's update.

The step is eager. All parameters need gradients and have none when it begins; the optimizer's state is there already,
and its update is torch's fused one, which needs nothing more. What counts is what counts in `memory`; what differs is
that the forward pass keeps what the backward pass reads. A layer is a `Tape`: a span of the forward pass and one of
the backward pass, which runs layers in reverse. A backward span finds the gradient of what its layer wrote and leaves
the gradient of what it read, releases what the layer kept, and leaves the gradients of parameters for good.
Letters as in `memory`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, assert_never

from pvtsearch.analysis.memory import LOGSUMEXP_BYTES, MemorySetting, position
from pvtsearch.analysis.shapes import Pooled, Reduction, StageShape, Strided, shape_of
from pvtsearch.analysis.spans import Span, Tape, allocate, passing, release, sequence
from pvtsearch.config import (
    ImageSize,
    NetworkTask,
    PVTConfig,
)
from pvtsearch.geometry import Grid, Number, patch_kernel, reduced_grid

LABEL_BYTES = 8  # labels of classes are int64
STEP_BYTES = 4  # AdamW counts its steps in float32, once per parameter tensor


class TapePart(NamedTuple):
    """A named part of a stage."""

    name: str
    tape: Tape


class ReducedTape(NamedTuple):
    """What keys and values are made of: how many tokens, making them, and the bytes of their own storage."""

    tokens: Number
    making: Tape
    nbytes: Number


def linear(
    read: Number, write: Number, *, tokens: Number, setting: MemorySetting, released: Number, bias: bool = True
) -> Tape:
    """A linear layer. released: bytes that its backward pass is the last to hold."""
    weights = setting.element_bytes * (read * write + int(bias) * write)
    return Tape(
        allocate(setting.batch_bytes(tokens * write)),
        allocate(setting.batch_bytes(tokens * read) + weights) + release(released),
    )


def layer_norm(channels: Number, *, tokens: Number, setting: MemorySetting, released: Number) -> Tape:
    """A LayerNorm. released: its gradient and its input, where nothing later in the backward pass holds them."""
    size, statistics = setting.batch_bytes(tokens * channels), setting.batch_bytes(2 * tokens)
    return Tape(
        allocate(size + statistics),
        allocate(size + setting.element_bytes * 2 * channels) + release(statistics + released),
    )


def convolution(
    in_chans: Number,
    out_chans: Number,
    *,
    kernel: Number,
    read: Number,
    write: Number,
    setting: MemorySetting,
    released: Number,
) -> Tape:
    """A convolution over a channels-last map. read, write: bytes of its maps; released: as for a linear layer.

    The gradient of its weights comes channels last too, and is copied to the order of the weights; with one channel or
    a kernel of 1 the two are the same.
    """
    weights = setting.element_bytes * in_chans * out_chans * kernel * kernel
    biases = setting.element_bytes * out_chans
    copied = passing(((in_chans > 1) & (kernel > 1)) * weights)
    return Tape(allocate(write), allocate(read + biases + weights) + release(released) + copied)


def spatial_reduction(sr_ratio: Number, grid: Grid, embed_dim: Number, setting: MemorySetting) -> ReducedTape:
    """A strided convolution, then a LayerNorm; at ratio 1 the tokens themselves."""
    tokens = reduced_grid(grid, sr_ratio).tokens
    read, write = (setting.batch_bytes(count * embed_dim) for count in (grid.tokens, tokens))
    conv = convolution(embed_dim, embed_dim, kernel=sr_ratio, read=read, write=write, setting=setting, released=write)
    norm = layer_norm(embed_dim, tokens=tokens, setting=setting, released=2 * write)
    reduces = (sr_ratio > 1) * 1
    return ReducedTape(tokens, reduces * (conv + norm), reduces * write)


def pooled_reduction(pool_size: Number, grid: Grid, embed_dim: Number, setting: MemorySetting) -> ReducedTape:
    """Average pooling, a 1x1 convolution, a LayerNorm, GELU; each keeps what it reads."""
    tokens = pool_size * pool_size
    read, write = (setting.batch_bytes(count * embed_dim) for count in (grid.tokens, tokens))
    pool = Tape(allocate(write), allocate(read) + release(write))
    conv = convolution(embed_dim, embed_dim, kernel=1, read=write, write=write, setting=setting, released=2 * write)
    norm = layer_norm(embed_dim, tokens=tokens, setting=setting, released=2 * write)
    gelu = Tape(allocate(write), allocate(write) + release(2 * write))
    return ReducedTape(tokens, pool + conv + norm + gelu, write)


def reduced_by(reduction: Reduction, grid: Grid, embed_dim: Number, setting: MemorySetting) -> ReducedTape:
    """What a reduction makes of a grid's tokens."""
    match reduction:
        case Strided(sr_ratio):
            return spatial_reduction(sr_ratio, grid, embed_dim, setting)
        case Pooled(pool_size):
            return pooled_reduction(pool_size, grid, embed_dim, setting)
        case _:
            assert_never(reduction)


def fused_products(shape: StageShape, *, tokens: Number, reduced: Number, setting: MemorySetting) -> Tape:
    """One kernel, which keeps queries, keys, values, its output, and the logsumexp of every query and head."""
    size, key_value = (setting.batch_bytes(count * shape.embed_dim) for count in (tokens, 2 * reduced))
    logsumexp = setting.batch_size * tokens * shape.num_heads * LOGSUMEXP_BYTES
    return Tape(
        allocate(size + logsumexp),
        allocate(size + key_value) + release(3 * size + key_value + logsumexp) + joined(key_value),
    )


def joined(key_value: Number) -> Span:
    """Gradients of keys and values side by side, then in the order that their linear layer wrote."""
    return passing(key_value) + passing(key_value)


def explicit_products(shape: StageShape, *, tokens: Number, reduced: Number, setting: MemorySetting) -> Tape:
    """Scores, scaled scores, softmax, output. Where matmul copies its operands it keeps the copies alone."""
    several = (shape.num_heads > 1) * 1
    stacked = several * int(setting.batch_size > 1)
    rearranged = several * (tokens > 1)
    queries, keys = (setting.batch_bytes(count * shape.embed_dim) for count in (tokens, reduced))
    query_copy, key_copy = stacked * (tokens > 1) * queries, stacked * keys
    scores = setting.batch_bytes(shape.num_heads * tokens * reduced)
    forward = (
        allocate(query_copy + key_copy),
        allocate(scores),
        passing(scores),  # scaled
        passing(scores),  # softmax
        allocate(key_copy),  # of the values
        allocate(queries),
        passing(rearranged * queries),  # heads side by side again
        release(query_copy + 2 * key_copy),  # the originals
    )
    backward = (
        passing(rearranged * queries),
        allocate(keys + scores),  # gradients of values and softmax
        release(queries + key_copy),
        allocate(scores),  # before the softmax
        release(2 * scores),
        passing(scores),  # before scaling
        allocate(keys + queries),
        release(scores + key_copy + queries + 2 * (keys - key_copy)),
        joined(2 * keys),
        passing(rearranged * queries),
    )
    return Tape(sequence(forward), sequence(backward))


def residual_norm(channels: Number, *, tokens: Number, setting: MemorySetting) -> Tape:
    """The LayerNorm that opens half a block: its gradient is added to the one that went round the half."""
    size = setting.batch_bytes(tokens * channels)
    return layer_norm(channels, tokens=tokens, setting=setting, released=3 * size)


def residual_sum(size: Number, *, drops: Number, setting: MemorySetting) -> Tape:
    """Stochastic depth where a block has it, then the sum. Its own gradient without, a further one with it."""
    noise = setting.batch_bytes(1)
    drop = Tape(allocate(noise) + passing(size), allocate(size) + release(noise))
    tape: Tape = drops * drop
    return tape + Tape(passing(size), Span())


def attention(
    shape: StageShape, *, grid: Grid, class_token: int, qkv_bias: bool, drops: Number, setting: MemorySetting
) -> Tape:
    """The attention half of a block."""
    channels, tokens = shape.embed_dim, grid.tokens + class_token
    reduced, making, reduced_bytes = reduced_by(shape.reduction, grid, channels, setting)
    reduced = reduced + class_token
    size, key_value = (setting.batch_bytes(count * channels) for count in (tokens, 2 * reduced))
    match setting.attention:
        case "fused":
            products, attended = fused_products(shape, tokens=tokens, reduced=reduced, setting=setting), 0 * size
        case "explicit":
            products, attended = explicit_products(shape, tokens=tokens, reduced=reduced, setting=setting), size
        case _:
            assert_never(setting.attention)
    query = linear(channels, channels, tokens=tokens, bias=qkv_bias, setting=setting, released=2 * size)
    both = Tape(Span(), allocate(size) + release(2 * size))  # gradients by way of queries and of keys and values
    keys_values = linear(
        channels, 2 * channels, tokens=reduced, bias=qkv_bias, setting=setting, released=key_value + reduced_bytes
    )
    projection = linear(channels, channels, tokens=tokens, setting=setting, released=drops * size + attended)
    norm = residual_norm(channels, tokens=tokens, setting=setting)
    end = residual_sum(size, drops=drops, setting=setting)
    return norm + both + query + making + keys_values + products + projection + end


def mlp(config: PVTConfig, shape: StageShape, *, tokens: Number, drops: Number, setting: MemorySetting) -> Tape:
    """The MLP half of a block. A ReLU before the convolution takes the place of what it reads."""
    channels, width = shape.embed_dim, shape.mlp_width
    size, hidden = (setting.batch_bytes(tokens * count) for count in (channels, width))
    elementwise = Tape(allocate(hidden), allocate(hidden) + release(2 * hidden))
    depthwise = Tape(allocate(hidden), allocate(hidden + setting.element_bytes * 10 * width) + release(2 * hidden))
    return (
        residual_norm(channels, tokens=tokens, setting=setting)
        + linear(channels, width, tokens=tokens, setting=setting, released=hidden + size)
        + int(config.mlp == "conv") * depthwise
        + elementwise
        + linear(width, channels, tokens=tokens, setting=setting, released=drops * size + hidden)
        + residual_sum(size, drops=drops, setting=setting)
    )


def position_gradient(
    embed_dim: Number, *, grid: Grid, learned: Grid, entry: int, token: int, setting: MemorySetting
) -> Span:
    """From the gradient of the tokens to that of the position embedding, made for the grid `learned`.

    entry: rows of the parameter before those of the grid; token: rows of these that are added to a token.
    """
    row = setting.element_bytes * embed_dim
    summed = int(setting.batch_size > 1) * (grid.tokens + token) * row  # over the batch; one image's is the tokens' own
    parameter, resized = (learned.tokens + entry) * row, learned.tokens * row
    unused = entry - token  # a slice of the parameter: its gradient is made around that of the slice
    same = allocate(summed) + allocate(unused * parameter) + release(unused * summed)
    same += allocate((1 - unused) * (parameter - summed))  # copied, where it was not summed
    other = sequence(
        (
            allocate(summed),
            allocate(token * parameter),  # around the class token's row
            allocate(resized),
            release(summed),
            allocate(entry * parameter),  # around the grid's rows
            release(entry * resized + token * parameter),
            passing((1 - entry) * resized),  # to the order of the parameter
        )
    )
    differs: Number = ((grid.height != learned.height) | (grid.width != learned.width)) * 1
    interpolated: Span = differs * other
    kept: Span = (1 - differs) * same
    return interpolated + kept


def patch_embedding(
    config: PVTConfig,
    index: int,
    shape: StageShape,
    *,
    in_chans: Number,
    entering_bytes: Number,
    gradient_bytes: Number,
    patches: Number,
    task: NetworkTask,
    setting: MemorySetting,
) -> Tape:
    """The convolution and its norm. gradient_bytes: of what reaches them and goes with them."""
    channels = shape.embed_dim
    kernel, size = patch_kernel(shape.patch_size, config.patch_embed), setting.batch_bytes(patches * channels)
    norm, gradient = Tape(), gradient_bytes
    if config.patch_norm:
        norm = layer_norm(channels, tokens=patches, setting=setting, released=gradient_bytes + size)
        gradient = size
    if index == 0:  # nobody asks for the gradient of the images
        weights = setting.element_bytes * (in_chans * kernel * kernel + 1) * channels
        return Tape(allocate(size), allocate(weights) + release(gradient)) + norm
    read = (2 if task == "backbone" else 1) * entering_bytes  # a backbone's map has a gradient of its own already
    conv = convolution(
        in_chans,
        channels,
        kernel=kernel,
        read=entering_bytes,
        write=size,
        setting=setting,
        released=gradient + read,
    )
    return conv + norm


def blocks(
    config: PVTConfig, index: int, shape: StageShape, *, grid: Grid, token: int, setting: MemorySetting
) -> tuple[TapePart, ...]:
    """The blocks before the last one, and the halves of the last. The first block of a network drops nothing."""

    def halves(drops: Number) -> tuple[Tape, Tape]:
        attending = attention(
            shape, grid=grid, class_token=token, qkv_bias=config.qkv_bias, drops=drops, setting=setting
        )
        return attending, mlp(config, shape, tokens=grid.tokens + token, drops=drops, setting=setting)

    drops = int(config.drop_path_rate > 0)
    firsts = drops * int(index == 0)
    several = (shape.depth > 1) * 1
    attending, mixing = halves(drops)
    first = halves(0)
    lone = firsts * (1 - several)
    return (
        TapePart("first block", firsts * several * (first[0] + first[1])),
        TapePart("blocks", (shape.depth - 1 - firsts * several) * (attending + mixing)),
        TapePart("attention", lone * first[0] + (1 - lone) * attending),
        TapePart("mlp", lone * first[1] + (1 - lone) * mixing),
    )


def end(
    config: PVTConfig, index: int, channels: Number, *, tokens: Number, task: NetworkTask, setting: MemorySetting
) -> Tape:
    """End norm and, where classification ends, pooling: a class token is a view, a mean is not."""
    size, pooled = setting.batch_bytes(tokens * channels), setting.batch_bytes(channels)
    norm = Tape()
    if config.has_end_norm(index, task):
        norm = layer_norm(channels, tokens=tokens, setting=setting, released=2 * size)
    if task != "classification" or index < len(config.stages) - 1:
        return norm
    mean = int(config.pool == "mean")
    return norm + Tape(mean * (allocate(pooled) + release(size)), allocate(size) + release(pooled))


def stage_parts(
    config: PVTConfig,
    index: int,
    shape: StageShape,
    *,
    in_chans: Number,
    entering_bytes: Number,
    grid: Grid,
    learned: Grid,
    task: NetworkTask,
    setting: MemorySetting,
) -> tuple[TapePart, ...]:
    """The tapes of stage `index`, in the order of the forward pass.

    in_chans, entering_bytes: of the map that the stage reads.
    """
    channels = shape.embed_dim
    token = int(config.has_class_token(index, task))
    entry = int(config.has_class_token(index, "classification"))
    size = setting.batch_bytes((grid.tokens + token) * channels)
    # The gradient of the class token is a sum over the batch; one image's is a view, which keeps all tokens' gradient.
    viewed = token * int(setting.batch_size == 1)
    gradient = (
        Span()
        if config.position == "none"
        else position_gradient(channels, grid=grid, learned=learned, entry=entry, token=token, setting=setting)
    )
    gradient += allocate((token - viewed) * setting.element_bytes * channels)
    forward = position(config, index, channels, grid=grid, learned=learned, class_token=token, setting=setting)
    return (
        TapePart(
            "patch embedding",
            patch_embedding(
                config,
                index,
                shape,
                in_chans=in_chans,
                entering_bytes=entering_bytes,
                gradient_bytes=(1 - viewed) * size,
                patches=grid.tokens,
                task=task,
                setting=setting,
            ),
        ),
        TapePart("position", Tape(forward, gradient)),
        *blocks(config, index, shape, grid=grid, token=token, setting=setting),
        TapePart("end", end(config, index, channels, tokens=grid.tokens + token, task=task, setting=setting)),
    )


def cross_entropy(scores: Number, *, released: Number, setting: MemorySetting) -> Tape:
    """The loss of scores against labels. scores: bytes; released: what goes with them in the forward pass."""
    scalar = setting.element_bytes
    return Tape(
        allocate(scores + 2 * scalar) + release(released),  # logarithm of the softmax; weight of the batch, loss
        allocate(scalar + scores) + release(scalar) + allocate(scores) + release(2 * scores),
    )


def class_scores(config: PVTConfig, channels: Number, *, tokens: Number, setting: MemorySetting) -> Tape:
    """The linear head and the loss; without classes the loss is of the pooled features."""
    pooled = setting.batch_bytes(channels)
    kept = setting.batch_bytes(tokens * channels) if config.pool == "cls" else pooled  # a class token is a view
    if not config.num_classes:
        return cross_entropy(pooled, released=kept, setting=setting)
    scores = setting.batch_bytes(config.num_classes)
    head = linear(channels, config.num_classes, tokens=1, setting=setting, released=scores + kept)
    return head + cross_entropy(scores, released=scores, setting=setting)


def means_of_maps(map_bytes: Sequence[Number], *, released: Number, setting: MemorySetting) -> Tape:
    """The loss of a backbone, the sum of its maps' means: all have a gradient before the backbone's pass begins."""
    scalar = setting.element_bytes
    sums = allocate(scalar) + (len(map_bytes) - 1) * passing(2 * scalar)
    gradients = [allocate(nbytes) for nbytes in reversed(map_bytes)]
    return Tape(sums + release(released), sequence((allocate(scalar), *gradients)))


def stage_tensors(config: PVTConfig, index: int, shape: StageShape, *, task: NetworkTask) -> Number:
    """How many tensors the parameters of stage `index` are."""
    ends = 2 + 2 * config.patch_norm + (config.position == "learned")
    ends += config.has_class_token(index, task) + 2 * config.has_end_norm(index, task)
    reduces = (shape.reduction.sr_ratio > 1) * 1 if isinstance(shape.reduction, Strided) else 1
    return ends + shape.depth * (12 + 2 * config.qkv_bias + 2 * (config.mlp == "conv") + 4 * reduces)


def head_tensors(config: PVTConfig, *, task: NetworkTask) -> int:
    """How many tensors the parameters of the head are."""
    return 2 * int(task == "classification" and config.num_classes > 0)


def parameter_tensors(config: PVTConfig, task: NetworkTask) -> int:
    """How many tensors the parameters of a network are."""
    shapes = (shape_of(stage) for stage in config.stages)
    stages: int = sum(stage_tensors(config, index, shape, task=task) for index, shape in enumerate(shapes))
    return stages + head_tensors(config, task=task)


def pvt_tapes(
    config: PVTConfig, image_size: ImageSize, task: NetworkTask, setting: MemorySetting
) -> tuple[tuple[TapePart, ...], ...]:
    """The tapes of every stage in order, and of head and loss."""
    grids = config.grids(image_size)
    learned = config.grids((config.image_size, config.image_size))
    stages: list[tuple[TapePart, ...]] = []
    in_chans, map_bytes = config.in_chans, [0]
    for index, stage in enumerate(config.stages):
        stages.append(
            stage_parts(
                config,
                index,
                shape_of(stage),
                in_chans=in_chans,
                entering_bytes=map_bytes[-1],
                grid=grids[index],
                learned=learned[index],
                task=task,
                setting=setting,
            )
        )
        in_chans = stage.embed_dim
        map_bytes.append(setting.batch_bytes(grids[index].tokens * in_chans))
    if task == "classification":
        tokens = grids[-1].tokens + int(config.has_class_token(len(stages) - 1, task))
        loss = class_scores(config, in_chans, tokens=tokens, setting=setting)
    else:
        loss = means_of_maps(map_bytes[1:], released=map_bytes[-1], setting=setting)
    return (*stages, (TapePart("loss", loss),))


def optimizer_bytes(params_bytes: Number, tensors: Number, setting: MemorySetting) -> Number:
    """State of an optimizer: none, momenta, or AdamW's two moments and counts of steps."""
    match setting.optimizer:
        case "none":
            return 0
        case "sgd":
            return params_bytes
        case "adamw":
            return 2 * params_bytes + STEP_BYTES * tensors
        case _:
            assert_never(setting.optimizer)
