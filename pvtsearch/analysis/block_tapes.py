"""The two halves of a block in a training step as tapes: attention and MLP. Letters as in `memory`."""

from __future__ import annotations

from typing import NamedTuple, assert_never

from pvtsearch.analysis.fused import kept_bytes
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.shapes import Pooled, Reduction, StageShape, Strided
from pvtsearch.analysis.spans import Span, Tape, allocate, passing, release, sequence
from pvtsearch.analysis.tapes import convolution, copied, layer_norm, linear, parameters, product
from pvtsearch.config import PVTConfig
from pvtsearch.geometry import Grid, Number, reduced_grid


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
    logsumexp = kept_bytes(shape, tokens=tokens, setting=setting)
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
