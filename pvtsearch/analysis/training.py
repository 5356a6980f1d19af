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
    """What keys and values are made of: how many tokens, making them, and the bytes of their own storage.

    made: 1 where there is a reduction, 0 where these are the tokens themselves. keeps: 1 where it keeps the tokens that
    it reads, whatever their type. width: bytes of an element.
    """

    tokens: Number
    making: Tape
    nbytes: Number
    made: Number
    keeps: Number
    width: Number


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


def copied(elements: Number, width: Number, setting: MemorySetting) -> Number:
    """Bytes of the copy that a layer makes of what it reads, `width` bytes an element, where that is not its type."""
    return (width != setting.product_bytes) * 1 * setting.batch_bytes(elements, setting.product_bytes)


def recast(elements: Number, width: Number, setting: MemorySetting) -> Span:
    """The gradient of such a copy becomes that of what was copied."""
    copy = copied(elements, width, setting)
    casts = (width != setting.product_bytes) * 1
    widened: Span = casts * allocate(setting.batch_bytes(elements, width))
    return widened + release(copy)


def parameters(weights: Number, biases: Number, *, setting: MemorySetting, reordered: Number = 0) -> Tape:
    """What autocast does to a layer's parameters: copies, and in the end gradients in their own type.

    The layer's backward pass releases the copy of the weights; that of the biases goes with autocast. reordered:
    weights whose gradient is copied to another order.
    """
    copies = setting.casts * setting.product_bytes

    def gradient(count: Number) -> Span:
        return setting.casts * allocate(setting.element_bytes * count) + release(copies * count)

    backward = gradient(weights) + passing(setting.element_bytes * reordered) + gradient(biases)
    return Tape(allocate(copies * (weights + biases)), backward, turn=copies * biases)


def product(
    read: Number,
    write: Number,
    *,
    weights: Number,
    biases: Number,
    width: Number,
    setting: MemorySetting,
    released: Number,
) -> Tape:
    """A linear layer or convolution, but for `parameters`. read, write: elements per image.

    width: bytes of an element that it reads. released: bytes that its backward pass is the last to hold, with the copy
    of what it reads where it makes one.
    """
    copy, size = copied(read, width, setting), setting.product_bytes
    kept = copy + setting.casts * size * weights
    return Tape(
        allocate(copy + setting.batch_bytes(write, size)),
        sequence(
            (
                allocate(setting.batch_bytes(read, size) + size * (weights + biases)),
                release(released + kept),
                recast(read, width, setting),
            )
        ),
    )


def linear(
    read: Number,
    write: Number,
    *,
    tokens: Number,
    width: Number,
    setting: MemorySetting,
    released: Number,
    bias: bool = True,
) -> Tape:
    """A linear layer. width, released: as for `product`."""
    weights, biases = read * write, int(bias) * write
    return parameters(weights, biases, setting=setting) + product(
        tokens * read,
        tokens * write,
        weights=weights,
        biases=biases,
        width=width,
        setting=setting,
        released=released,
    )


def layer_norm(channels: Number, *, tokens: Number, width: int, setting: MemorySetting, released: Number) -> Tape:
    """A LayerNorm of tokens of `width` bytes an element, whose statistics are of its parameters' type.

    released: its gradient and its input, where nothing later in the backward pass holds them.
    """
    size, statistics = setting.batch_bytes(tokens * channels, width), setting.batch_bytes(2 * tokens)
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
    width: int,
    setting: MemorySetting,
    released: Number,
    joins: Number = 0,
) -> Tape:
    """A convolution over a channels-last map. read, write: elements of its maps; width, released: as for `product`.

    joins: bytes of another gradient of what it reads, which that of its own joins.
    The gradient of its weights comes channels last too, and is copied to the order of the weights; with one channel or
    a kernel of 1 the two are the same.
    """
    weights = in_chans * out_chans * kernel * kernel
    reordered = ((in_chans > 1) & (kernel > 1)) * weights
    conv = product(read, write, weights=weights, biases=out_chans, width=width, setting=setting, released=released)
    return parameters(weights, out_chans, setting=setting, reordered=reordered) + joining(joins) + conv


def joining(nbytes: Number) -> Tape:
    """A gradient that is added to another of the same tensor, of so many bytes: both go, their sum stays."""
    return Tape(Span(), passing(nbytes) + release(nbytes))


def spatial_reduction(
    sr_ratio: Number, grid: Grid, embed_dim: Number, *, width: int, setting: MemorySetting
) -> ReducedTape:
    """A strided convolution, then a LayerNorm; at ratio 1 the tokens themselves. width: of the tokens."""
    tokens = reduced_grid(grid, sr_ratio).tokens
    read, write, inner = grid.tokens * embed_dim, tokens * embed_dim, setting.product_bytes
    size = setting.batch_bytes(write, inner)
    conv = convolution(
        embed_dim,
        embed_dim,
        kernel=sr_ratio,
        read=read,
        write=write,
        width=width,
        setting=setting,
        released=size,
    )
    norm = layer_norm(embed_dim, tokens=tokens, width=inner, setting=setting, released=2 * size)
    reduces = (sr_ratio > 1) * 1
    return ReducedTape(
        tokens, reduces * (conv + norm), reduces * size, reduces, 0, reduces * inner + (1 - reduces) * width
    )


def pooled_reduction(
    pool_size: Number, grid: Grid, embed_dim: Number, *, width: int, setting: MemorySetting
) -> ReducedTape:
    """Average pooling, a 1x1 convolution, a LayerNorm, GELU; each keeps what it reads.

    width: of the tokens. Where the convolution copies what was pooled, that goes, and pooling alone keeps the tokens
    (but for a pool of 1, a mean).
    """
    tokens = pool_size * pool_size
    elements, inner = tokens * embed_dim, setting.product_bytes
    read, pooled = (setting.batch_bytes(count * embed_dim, width) for count in (grid.tokens, tokens))
    size = setting.batch_bytes(elements, inner)
    casts = int(width != inner)
    pool = Tape(allocate(pooled), allocate(read) + release(pooled + casts * (pool_size > 1) * read))
    conv = convolution(
        embed_dim,
        embed_dim,
        kernel=1,
        read=elements,
        write=elements,
        width=width,
        setting=setting,
        released=size + (1 - casts) * pooled,
    )
    conv += Tape(release(casts * pooled))
    norm = layer_norm(embed_dim, tokens=tokens, width=inner, setting=setting, released=2 * size)
    gelu = Tape(allocate(size), allocate(size) + release(2 * size))
    return ReducedTape(tokens, pool + conv + norm + gelu, size, 1, (pool_size > 1) * 1, inner)


def reduced_by(
    reduction: Reduction, grid: Grid, embed_dim: Number, *, width: int, setting: MemorySetting
) -> ReducedTape:
    """What a reduction makes of a grid's tokens."""
    match reduction:
        case Strided(sr_ratio):
            return spatial_reduction(sr_ratio, grid, embed_dim, width=width, setting=setting)
        case Pooled(pool_size):
            return pooled_reduction(pool_size, grid, embed_dim, width=width, setting=setting)
        case _:
            assert_never(reduction)


def fused_products(shape: StageShape, *, tokens: Number, reduced: Number, setting: MemorySetting) -> Tape:
    """One kernel, which keeps queries, keys, values, its output, and the logsumexp of every query and head."""
    size, key_value = (
        setting.batch_bytes(count * shape.embed_dim, setting.product_bytes) for count in (tokens, 2 * reduced)
    )
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
    queries, keys = (setting.batch_bytes(count * shape.embed_dim, setting.product_bytes) for count in (tokens, reduced))
    query_copy, key_copy = stacked * (tokens > 1) * queries, stacked * keys
    scores = setting.batch_bytes(shape.num_heads * tokens * reduced, setting.product_bytes)
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


def residual_norm(channels: Number, *, tokens: Number, width: int, setting: MemorySetting) -> Tape:
    """The LayerNorm that opens half a block: its gradient is added to the one that went round the half."""
    size = setting.batch_bytes(tokens * channels, width)
    return layer_norm(channels, tokens=tokens, width=width, setting=setting, released=3 * size)


def residual_sum(elements: Number, *, drops: Number, width: int, setting: MemorySetting) -> Tape:
    """Stochastic depth where a block has it, then the sum, of `width` bytes an element.

    The gradient of what is added is the sum's own, but for another type or stochastic depth.
    """
    size, copy = setting.batch_bytes(elements, setting.product_bytes), copied(elements, width, setting)
    noise = setting.batch_bytes(1, setting.product_bytes)
    drop = Tape(allocate(noise) + passing(size), allocate(size) + release(noise + copy))
    tape: Tape = drops * drop
    return tape + Tape(allocate(setting.batch_bytes(elements, width)) + release(size), allocate(copy))


def attention(
    shape: StageShape,
    *,
    grid: Grid,
    class_token: int,
    qkv_bias: bool,
    drops: Number,
    width: int,
    setting: MemorySetting,
) -> Tape:
    """The attention half of a block. width: bytes of an element of its tokens."""
    channels, tokens = shape.embed_dim, grid.tokens + class_token
    source = reduced_by(shape.reduction, grid, channels, width=width, setting=setting)
    reduced = source.tokens + class_token
    inner = setting.product_bytes
    normed = setting.batch_bytes(tokens * channels, width)
    size, key_value = (setting.batch_bytes(count * channels, inner) for count in (tokens, 2 * reduced))
    match setting.attention:
        case "fused":
            products, attended = fused_products(shape, tokens=tokens, reduced=reduced, setting=setting), 0 * size
        case "explicit":
            products, attended = explicit_products(shape, tokens=tokens, reduced=reduced, setting=setting), size
        case _:
            assert_never(setting.attention)
    casts = int(width != inner)
    weights, biases = channels * channels, int(qkv_bias) * channels
    query = product(
        tokens * channels,
        tokens * channels,
        weights=weights,
        biases=biases,
        width=width,
        setting=setting,
        released=size + (1 - casts) * normed,
    )
    # Gradients by way of queries and of keys and values: one of a copy's own is added to in place.
    in_place = casts * (1 - source.made)
    both = Tape(Span(), allocate((1 - in_place) * normed) + release((2 - in_place) * normed))
    keys_values = linear(
        channels,
        2 * channels,
        tokens=reduced,
        width=source.width,
        bias=qkv_bias,
        setting=setting,
        released=key_value + source.nbytes,
    )
    own = casts + (1 - casts) * drops
    projection = linear(channels, channels, tokens=tokens, width=inner, setting=setting, released=own * size + attended)
    return (
        residual_norm(channels, tokens=tokens, width=width, setting=setting)
        + parameters(weights, biases, setting=setting)
        + both
        + query
        + source.making
        + keys_values
        + products
        + projection
        + Tape(release(casts * (1 - source.keeps) * normed))  # where only copies of it were kept
        + residual_sum(tokens * channels, drops=drops, width=width, setting=setting)
    )


def mlp(
    config: PVTConfig, shape: StageShape, *, tokens: Number, drops: Number, width: int, setting: MemorySetting
) -> Tape:
    """The MLP half of a block. A ReLU before the convolution takes the place of what it reads."""
    channels, wide, inner = shape.embed_dim, shape.mlp_width, setting.product_bytes
    size, hidden = (setting.batch_bytes(tokens * count, inner) for count in (channels, wide))
    normed, casts = setting.batch_bytes(tokens * channels, width), int(width != inner)
    own = casts + (1 - casts) * drops
    elementwise = Tape(allocate(hidden), allocate(hidden) + release(2 * hidden))
    depthwise = parameters(9 * wide, wide, setting=setting) + product(
        tokens * wide,
        tokens * wide,
        weights=9 * wide,
        biases=wide,
        width=inner,
        setting=setting,
        released=2 * hidden,
    )
    return (
        residual_norm(channels, tokens=tokens, width=width, setting=setting)
        + linear(channels, wide, tokens=tokens, width=width, setting=setting, released=hidden + (1 - casts) * normed)
        + int(config.mlp == "conv") * depthwise
        + elementwise
        + linear(wide, channels, tokens=tokens, width=inner, setting=setting, released=own * size + hidden)
        + Tape(release(casts * normed))
        + residual_sum(tokens * channels, drops=drops, width=width, setting=setting)
    )


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


def first_convolution(
    read: Number, write: Number, *, weights: Number, biases: Number, setting: MemorySetting, released: Number
) -> Tape:
    """The convolution of the images, for whose gradient nobody asks. Arguments as for `product`."""
    copy, inner = copied(read, setting.element_bytes, setting), setting.product_bytes
    return parameters(weights, biases, setting=setting) + Tape(
        allocate(copy + setting.batch_bytes(write, inner)),
        allocate(inner * (weights + biases)) + release(released + copy + setting.casts * inner * weights),
    )


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
