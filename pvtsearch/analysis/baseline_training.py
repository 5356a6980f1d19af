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
from pvtsearch.analysis.memory import MemorySetting
from pvtsearch.analysis.spans import Span, Tape, allocate, release
from pvtsearch.analysis.training import TapePart, cross_entropy, linear, means_of_maps
from pvtsearch.config import ImageSize, NetworkTask, ResNetConfig
from pvtsearch.geometry import Grid, halved


class Convolution(NamedTuple):
    """A convolution without bias: its number of weights, its output channels and grid."""

    weights: int
    out_chans: int
    grid: Grid


def conv_norm(weights: int, channels: int, *, read: int, write: int, released: int, setting: MemorySetting) -> Tape:
    """A convolution without bias, and its BatchNorm, which keeps the convolution's output.

    weights: of the convolution. read, write: bytes of its maps, of which another layer releases what it reads.
    released: bytes of the gradient of what the BatchNorm wrote, 0 where others hold it too.
    """
    statistics = setting.element_bytes * 2 * channels
    conv = Tape(allocate(write), allocate(read + setting.element_bytes * weights) + release(write))
    norm = Tape(allocate(write + statistics), allocate(write + statistics) + release(write + statistics + released))
    return conv + norm


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
    read = setting.batch_bytes(in_chans * entering.tokens)
    write = setting.batch_bytes(base * config.expansion * grid.tokens)
    tape = Tape(Span(), release(read + released))  # its gradient joins that of the shortcut
    reading, convolutions = read, branch(config, in_chans, base, entering=entering, grid=grid)
    for number, conv in enumerate(convolutions, start=1):
        writing = setting.batch_bytes(conv.out_chans * conv.grid.tokens)
        last = number == len(convolutions)
        gradient = 0 if last and not projected else writing  # of the sum: an identity passes it on
        tape += conv_norm(conv.weights, conv.out_chans, read=reading, write=writing, released=gradient, setting=setting)
        tape += Tape() if last else relu(writing)
        reading = writing
    if projected:
        out_chans = base * config.expansion
        tape += Tape(Span(), release(joins * read))
        tape += conv_norm(in_chans * out_chans, out_chans, read=read, write=write, released=0, setting=setting)
        tape += Tape(release(write), Span())
    return tape + relu(write)


def stem(config: ResNetConfig, grid: Grid, pooled: Grid, setting: MemorySetting) -> Tape:
    """Convolution, BatchNorm, ReLU in place, and max pooling, which keeps its indices. Images need no gradient."""
    size = setting.batch_bytes(STEM_CHANNELS * grid.tokens)
    maxima = setting.batch_bytes(STEM_CHANNELS * pooled.tokens)
    indices = setting.batch_size * STEM_CHANNELS * pooled.tokens * INDEX_BYTES
    conv = conv_norm(
        49 * config.in_chans * STEM_CHANNELS, STEM_CHANNELS, read=0, write=size, released=size, setting=setting
    )
    pool = Tape(allocate(maxima + indices), allocate(size) + release(maxima + indices))
    return conv + relu(size) + pool


def resnet_tapes(
    config: ResNetConfig, image_size: ImageSize, task: NetworkTask, setting: MemorySetting
) -> tuple[tuple[TapePart, ...], ...]:
    """The tapes of every stage in order, and of head and loss."""
    halves = halved(Grid(*image_size))
    entering, grid, in_chans = halved(halves), halved(halves), STEM_CHANNELS
    stages: list[tuple[TapePart, ...]] = []
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
            released=0 if stages else setting.batch_bytes(in_chans * entering.tokens),  # what the stem pooled
            setting=setting,
        )
        other = block(
            config, out_chans, base, entering=grid, grid=grid, projected=False, joins=0, released=0, setting=setting
        )
        parts = [TapePart("first block", first), TapePart("blocks", (depth - 1) * other)]
        stages.append(tuple(parts if stages else [TapePart("stem", stem(config, halves, entering, setting)), *parts]))
        in_chans = out_chans
        maps.append(setting.batch_bytes(out_chans * grid.tokens))
    loss = means_of_maps(maps, released=0, setting=setting)
    if task == "classification":
        loss = pooled_scores(config, in_chans, maps[-1], setting)
    return (*stages, (TapePart("loss", loss),))


def pooled_scores(config: ResNetConfig, channels: int, map_bytes: int, setting: MemorySetting) -> Tape:
    """Pooling, the linear head and the loss; without classes the loss is of the pooled features."""
    pooled = setting.batch_bytes(channels)
    pool = Tape(allocate(pooled), allocate(map_bytes) + release(pooled))
    if not config.num_classes:
        return pool + cross_entropy(pooled, released=pooled, setting=setting)
    scores = setting.batch_bytes(config.num_classes)
    head = linear(channels, config.num_classes, tokens=1, setting=setting, released=scores + pooled)
    return pool + head + cross_entropy(scores, released=scores, setting=setting)


def parameter_tensors(config: ResNetConfig, task: NetworkTask) -> int:
    """How many tensors the parameters are: a convolution's and two of its BatchNorm each time, and the head's two."""
    return 3 * sum(1 for _ in norm_channels(config)) + 2 * (task == "classification" and config.num_classes > 0)
