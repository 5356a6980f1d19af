"""Peak memory of one training step of a PVT in closed form: forward, backward, and the optimizer's update.

The step is eager. All parameters need gradients and have none when it begins; the optimizer's state is there already,
and its update is torch's fused one, which needs nothing more. What counts is what counts in `memory`; what differs is
that the forward pass keeps what the backward pass reads. A layer is a `Tape`: a span of the forward pass and one of
the backward pass, which runs layers in reverse. Letters as in `memory`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, assert_never

from pvtsearch.analysis.block_tapes import attention, mlp
from pvtsearch.analysis.memory import position
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.shapes import StageShape, Strided, shape_of
from pvtsearch.analysis.spans import Span, Tape, allocate, passing, release, sequence
from pvtsearch.analysis.tapes import convolution, first_convolution, layer_norm, linear
from pvtsearch.config import ImageSize, NetworkTask, PVTConfig
from pvtsearch.geometry import Grid, Number, patch_kernel

LABEL_BYTES = 8  # labels of classes are int64
STEP_BYTES = 4  # AdamW counts its steps in float32, once per parameter tensor


class TapePart(NamedTuple):
    """A named part of a stage."""

    name: str
    tape: Tape


class TokenWidths(NamedTuple):
    """Bytes of an element: of the map that a stage reads, of its patch tokens, of tokens between its blocks."""

    entering: int
    embedded: int
    stream: int


def token_widths(config: PVTConfig, index: int, task: NetworkTask, setting: MemorySetting) -> TokenWidths:
    """The types of stage `index`'s tokens. A norm keeps the type it reads; a sum with a parameter has the wider one."""

    def stream(stage: int) -> int:
        widened = config.position == "learned" or config.has_class_token(stage, task)
        return setting.element_bytes if widened else setting.product_bytes

    return TokenWidths(stream(index - 1) if index else setting.element_bytes, setting.product_bytes, stream(index))


def position_gradient(
    embed_dim: Number,
    *,
    grid: Grid,
    learned: Grid,
    entry: int,
    token: int,
    goes: Number,
    setting: MemorySetting,
) -> Span:
    """From the gradient of the tokens to that of the position embedding, made for the grid `learned`.

    entry: rows of the parameter before those of the grid; token: rows of these that are added to a token. goes: bytes
    of the gradient of the tokens, where nothing else holds it.
    """
    row = setting.element_bytes * embed_dim
    several = int(setting.batch_size > 1)
    summed = several * (grid.tokens + token) * row  # over the batch; one image's is the tokens' own
    parameter, resized = (learned.tokens + entry) * row, learned.tokens * row
    goes_at_once, goes_later = several * goes, (1 - several) * goes
    unused = entry - token  # a slice of the parameter: its gradient is made around that of the slice
    same = allocate(summed) + release(goes_at_once)
    same += allocate(unused * parameter) + release(unused * (summed + goes_later))
    # Copied, where it was not summed and others hold it too.
    same += allocate((1 - unused) * (parameter - summed - goes_later))
    other = sequence(
        (
            allocate(summed),
            release(goes_at_once),
            allocate(token * parameter),  # around the class token's row
            allocate(resized),
            release(summed + goes_later),
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
    gradient_bytes: Number,
    entering: Grid,
    patches: Number,
    widths: TokenWidths,
    task: NetworkTask,
    setting: MemorySetting,
) -> Tape:
    """The convolution and its norm. gradient_bytes: of what reaches them and goes with them."""
    channels, inner = shape.embed_dim, setting.product_bytes
    kernel, size = patch_kernel(shape.patch_size, config.patch_embed), setting.batch_bytes(patches * channels, inner)
    norm, gradient = Tape(), gradient_bytes
    if config.patch_norm:
        norm = layer_norm(channels, tokens=patches, width=inner, setting=setting, released=gradient_bytes + size)
        gradient = size
    read, write = in_chans * entering.tokens, patches * channels
    if index == 0:
        weights = in_chans * kernel * kernel * channels
        conv = first_convolution(read, write, weights=weights, biases=channels, setting=setting, released=gradient)
        return conv + norm
    read_bytes = setting.batch_bytes(read, widths.entering)
    casts = int(widths.entering != inner)
    conv = convolution(
        in_chans,
        channels,
        kernel=kernel,
        read=read,
        write=write,
        width=widths.entering,
        setting=setting,
        released=gradient + (1 - casts) * read_bytes,
        joins=int(task == "backbone") * read_bytes,  # a backbone's map has a gradient of its own already
    )
    return conv + norm


def blocks(
    config: PVTConfig, index: int, shape: StageShape, *, grid: Grid, token: int, width: int, setting: MemorySetting
) -> tuple[TapePart, ...]:
    """The blocks before the last one, and the halves of the last. The first block of a network drops nothing.

    width: bytes of an element of the tokens between them.
    """

    def halves(drops: Number) -> tuple[Tape, Tape]:
        attending = attention(
            shape, grid=grid, class_token=token, qkv_bias=config.qkv_bias, drops=drops, width=width, setting=setting
        )
        return attending, mlp(config, shape, tokens=grid.tokens + token, drops=drops, width=width, setting=setting)

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
    config: PVTConfig,
    index: int,
    channels: Number,
    *,
    tokens: Number,
    width: int,
    task: NetworkTask,
    setting: MemorySetting,
) -> Tape:
    """End norm and, where classification ends, pooling: a class token is a view, a mean is not."""
    size, pooled = setting.batch_bytes(tokens * channels, width), setting.batch_bytes(channels, width)
    norm = Tape()
    if config.has_end_norm(index, task):
        norm = layer_norm(channels, tokens=tokens, width=width, setting=setting, released=2 * size)
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
    entering: Grid,
    grid: Grid,
    learned: Grid,
    task: NetworkTask,
    setting: MemorySetting,
) -> tuple[TapePart, ...]:
    """The tapes of stage `index`, in the order of the forward pass.

    in_chans, entering: of the map that the stage reads.
    """
    channels, widths = shape.embed_dim, token_widths(config, index, task, setting)
    token = int(config.has_class_token(index, task))
    entry = int(config.has_class_token(index, "classification"))
    size = setting.batch_bytes((grid.tokens + token) * channels, widths.stream)
    patches = setting.batch_bytes(grid.tokens * channels, widths.embedded)
    widened = int(widths.stream != widths.embedded)
    # The gradient of the class token is a sum over the batch; one image's is a view, which keeps all tokens' gradient.
    viewed = token * int(setting.batch_size == 1)
    own = widened * patches  # the gradient of the patch tokens, where it has another type than that of the tokens
    gradient = allocate((1 - token) * own)
    if config.position == "learned":
        gradient += position_gradient(
            channels,
            grid=grid,
            learned=learned,
            entry=entry,
            token=token,
            goes=widened * (1 - token) * size,
            setting=setting,
        )
    gradient += allocate(token * own) + allocate((token - viewed) * setting.element_bytes * channels)
    gradient += release(widened * (token - viewed) * size)
    # Where the convolution keeps a copy of another type, the map that it read goes when the stage ends.
    goes = int(index > 0 and task == "classification" and widths.entering != setting.product_bytes)
    forward = position(
        config,
        index,
        channels,
        grid=grid,
        learned=learned,
        class_token=token,
        embedded=widths.embedded,
        stream=widths.stream,
        setting=setting,
    )
    return (
        TapePart(
            "patch embedding",
            patch_embedding(
                config,
                index,
                shape,
                in_chans=in_chans,
                gradient_bytes=own + (1 - widened) * (1 - viewed) * size,
                entering=entering,
                patches=grid.tokens,
                widths=widths,
                task=task,
                setting=setting,
            ),
        ),
        TapePart("position", Tape(forward, gradient)),
        *blocks(config, index, shape, grid=grid, token=token, width=widths.stream, setting=setting),
        TapePart(
            "end",
            end(
                config,
                index,
                channels,
                tokens=grid.tokens + token,
                width=widths.stream,
                task=task,
                setting=setting,
            )
            + Tape(release(goes * setting.batch_bytes(in_chans * entering.tokens, widths.entering))),
        ),
    )


def cross_entropy(scores: Number, *, width: int, released: Number, setting: MemorySetting) -> Tape:
    """The loss of scores against labels, in the type of parameters. scores: elements per image, of `width` bytes.

    released: what goes with them in the forward pass.
    """
    scalar, size = setting.element_bytes, setting.batch_bytes(scores)
    widens = int(width != scalar)
    return Tape(
        # A copy of the scores; logarithm of the softmax; weight of the batch and loss.
        allocate(widens * size) + allocate(size + 2 * scalar) + release(widens * size + released),
        allocate(scalar + size)
        + release(scalar)
        + allocate(size)
        + release(2 * size)
        + widens * (allocate(setting.batch_bytes(scores, width)) + release(size)),
    )


def class_scores(config: PVTConfig, channels: Number, *, tokens: Number, setting: MemorySetting) -> Tape:
    """The linear head and the loss; without classes the loss is of the pooled features."""
    width, inner = token_widths(config, len(config.stages) - 1, "classification", setting).stream, setting.product_bytes
    pooled = setting.batch_bytes(channels, width)
    kept = setting.batch_bytes(tokens * channels, width) if config.pool == "cls" else pooled  # a class token is a view
    if not config.num_classes:
        return cross_entropy(channels, width=width, released=kept, setting=setting)
    casts = int(width != inner)
    scores = setting.batch_bytes(config.num_classes, inner)
    head = linear(
        channels,
        config.num_classes,
        tokens=1,
        width=width,
        setting=setting,
        released=scores + (1 - casts) * kept,
    )
    goes = Tape(release(casts * kept))
    return head + goes + cross_entropy(config.num_classes, width=inner, released=scores, setting=setting)


def means_of_maps(map_bytes: Sequence[Number], *, width: int, released: Number) -> Tape:
    """The loss of a backbone, the sum of its maps' means: all have a gradient before the backbone's pass begins.

    width: bytes of an element of the maps, and of their means.
    """
    # Two maps: their means and the sum. More: the last sum still holds its two terms when the next mean is there.
    count = len(map_bytes)
    sums = allocate(width) + passing(min(count, 3) * width if count > 1 else 0)
    gradients = [allocate(nbytes) for nbytes in reversed(map_bytes)]
    return Tape(sums + release(released), sequence((allocate(width), *gradients)))


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
    entering = (Grid(*image_size), *grids)
    widths = (config.in_chans, *(stage.embed_dim for stage in config.stages))
    stages = [
        stage_parts(
            config,
            index,
            shape_of(stage),
            in_chans=widths[index],
            entering=entering[index],
            grid=grids[index],
            learned=learned[index],
            task=task,
            setting=setting,
        )
        for index, stage in enumerate(config.stages)
    ]
    last = len(stages) - 1
    if task == "classification":
        tokens = grids[-1].tokens + int(config.has_class_token(last, task))
        loss = class_scores(config, widths[-1], tokens=tokens, setting=setting)
    else:
        width = token_widths(config, last, task, setting).stream
        maps = [setting.batch_bytes(grid.tokens * count, width) for grid, count in zip(grids, widths[1:], strict=True)]
        kept = maps[:-1] if width == setting.product_bytes else []  # as what the next stage reads
        loss = means_of_maps(maps, width=width, released=sum(maps) - sum(kept))
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
