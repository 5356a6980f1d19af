"""Peak memory of one training step of a ResNet, as torchvision computes it."""

from __future__ import annotations

from typing import NamedTuple

from pvtsearch.analysis.baseline_memory import (
    INDEX_BYTES,
    branch_channels,
    norm_channels,
    projects,
)
from pvtsearch.analysis.baselines import BASE_WIDTHS, STEM_CHANNELS
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.spans import Span, Tape, allocate, release
from pvtsearch.analysis.tapes import first_convolution, linear, parameters, product
from pvtsearch.analysis.training import TapePart, cross_entropy, means_of_maps
from pvtsearch.config import ImageSize, NetworkTask, ResNetConfig
from pvtsearch.geometry import Grid, halved


class Convolution(NamedTuple):
    """A convolution without bias: its number of weights, its output channels and grid."""

    weights: int
    out_chans: int
    grid: Grid


def batch_norm(channels: int, *, size: int, released: int, setting: MemorySetting) -> Tape:
    """A BatchNorm of a map of `size` bytes, which it keeps.

    released: bytes of the gradient of what it wrote, 0 where others hold it too.
    """
    statistics, gradients = setting.statistic_bytes * 2 * channels, setting.element_bytes * 2 * channels
    return Tape(allocate(size + statistics), allocate(size + gradients) + release(size + statistics + released))


def conv_norm(
    weights: int, channels: int, *, read: int, write: int, released: int, setting: MemorySetting, joins: int = 0
) -> Tape:
    """A convolution without bias, and its BatchNorm.

    weights: of the convolution. read, write: elements of its maps, of which another layer releases what it reads.
    released: as for `batch_norm`. joins: bytes of other gradients that meet that of what it reads, or go with it.
    """
    inner = setting.product_bytes
    size = setting.batch_bytes(write, inner)
    conv = product(read, write, weights=weights, biases=0, width=inner, setting=setting, released=size)
    norm = batch_norm(channels, size=size, released=released, setting=setting)
    return parameters(weights, 0, setting=setting) + Tape(Span(), release(joins)) + conv + norm


def relu(nbytes: int) -> Tape:
    """In place on a map of so many bytes, which it keeps."""
    return Tape(Span(), allocate(nbytes) + release(2 * nbytes))


def branch(config: ResNetConfig, in_chans: int, base: int, *, entering: Grid, grid: Grid) -> list[Convolution]:
    """The convolutions of a block, in order; torchvision strides in the 3x3 (the first one of a basic block)."""
    if config.block == "basic":
        return [Convolution(9 * in_chans * base, base, grid), Convolution(9 * base * base, base, grid)]
    width, out_chans = branch_channels(config, base)[1:]
    return [
        Convolution(in_chans * width, width, entering),
        Convolution(9 * width * width // config.groups, width, grid),
        Convolution(width * out_chans, out_chans, grid),
    ]


def block(
    config: ResNetConfig,
    in_chans: int,
    base: int,
    *,
    entering: Grid,
    grid: Grid,
    projected: bool,
    joins: int,
    released: int,
    setting: MemorySetting,
) -> Tape:
    """A residual block; the sum and the ReLU at its end are in place.

    joins: gradients of another origin that the map it reads has by then. released: bytes of the map it reads, where
    this block is the last to hold it.
    """
    inner, out_chans = setting.product_bytes, base * config.expansion
    read, write = in_chans * entering.tokens, out_chans * grid.tokens
    read_bytes, write_bytes = (setting.batch_bytes(count, inner) for count in (read, write))
    tape, reading = Tape(), read
    convolutions = branch(config, in_chans, base, entering=entering, grid=grid)
    for number, conv in enumerate(convolutions, start=1):
        writing = conv.out_chans * conv.grid.tokens
        size = setting.batch_bytes(writing, inner)
        last = number == len(convolutions)
        gradient = 0 if last and not projected else size  # of the sum: an identity passes it on
        tape += conv_norm(
            conv.weights,
            conv.out_chans,
            read=reading,
            write=writing,
            released=gradient,
            setting=setting,
            joins=read_bytes + released if number == 1 else 0,  # the gradient of the shortcut
        )
        tape += Tape() if last else relu(size)
        reading = writing
    if projected:
        tape += conv_norm(
            in_chans * out_chans,
            out_chans,
            read=read,
            write=write,
            released=0,
            setting=setting,
            joins=joins * read_bytes,
        )
        tape += Tape(release(write_bytes), Span())
    return tape + relu(write_bytes)


def stem(config: ResNetConfig, images: Grid, grid: Grid, pooled: Grid, setting: MemorySetting) -> Tape:
    """Convolution, BatchNorm, ReLU in place, and max pooling, which keeps its indices."""
    inner = setting.product_bytes
    size, maxima = (setting.batch_bytes(STEM_CHANNELS * where.tokens, inner) for where in (grid, pooled))
    indices = setting.batch_size * STEM_CHANNELS * pooled.tokens * INDEX_BYTES
    conv = first_convolution(
        config.in_chans * images.tokens,
        STEM_CHANNELS * grid.tokens,
        weights=49 * config.in_chans * STEM_CHANNELS,
        biases=0,
        setting=setting,
        released=size,
    )
    norm = batch_norm(STEM_CHANNELS, size=size, released=size, setting=setting)
    pool = Tape(allocate(maxima + indices), allocate(size) + release(maxima + indices))
    return conv + norm + relu(size) + pool


def resnet_tapes(
    config: ResNetConfig, image_size: ImageSize, task: NetworkTask, setting: MemorySetting
) -> tuple[tuple[TapePart, ...], ...]:
    """The tapes of every stage in order, and of head and loss."""
    images = Grid(*image_size)
    halves = halved(images)
    entering, grid, in_chans = halved(halves), halved(halves), STEM_CHANNELS
    stages: list[tuple[TapePart, ...]] = []
    inner = setting.product_bytes
    maps: list[int] = []
    for base, depth in zip(BASE_WIDTHS, config.depths, strict=True):
        if stages:
            entering, grid = grid, halved(grid)
        out_chans = base * config.expansion
        first = block(
            config,
            in_chans,
            base,
            entering=entering,
            grid=grid,
            projected=projects(config, base),
            joins=int(task == "backbone" and bool(stages)),
            released=0 if stages else setting.batch_bytes(in_chans * entering.tokens, inner),  # what the stem pooled
            setting=setting,
        )
        other = block(
            config, out_chans, base, entering=grid, grid=grid, projected=False, joins=0, released=0, setting=setting
        )
        parts = [TapePart("first block", first), TapePart("blocks", (depth - 1) * other)]
        stages.append(
            tuple(parts if stages else [TapePart("stem", stem(config, images, halves, entering, setting)), *parts])
        )
        in_chans = out_chans
        maps.append(setting.batch_bytes(out_chans * grid.tokens, inner))
    loss = means_of_maps(maps, width=inner, released=0)
    if task == "classification":
        loss = pooled_scores(config, in_chans, maps[-1], setting)
    return (*stages, (TapePart("loss", loss),))


def pooled_scores(config: ResNetConfig, channels: int, map_bytes: int, setting: MemorySetting) -> Tape:
    """Pooling, the linear head and the loss; without classes the loss is of the pooled features."""
    inner = setting.product_bytes
    pooled = setting.batch_bytes(channels, inner)
    pool = Tape(allocate(pooled), allocate(map_bytes) + release(pooled))
    if not config.num_classes:
        return pool + cross_entropy(channels, width=inner, released=pooled, setting=setting)
    scores = setting.batch_bytes(config.num_classes, inner)
    head = linear(channels, config.num_classes, tokens=1, width=inner, setting=setting, released=scores + pooled)
    return pool + head + cross_entropy(config.num_classes, width=inner, released=scores, setting=setting)


def parameter_tensors(config: ResNetConfig, task: NetworkTask) -> int:
    """How many tensors the parameters are: a convolution's and two of its BatchNorm each time, and the head's two."""
    return 3 * sum(1 for _ in norm_channels(config)) + 2 * (task == "classification" and config.num_classes > 0)
