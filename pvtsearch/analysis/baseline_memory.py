"""Peak memory of one forward pass of a ResNet, as torchvision computes it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from pvtsearch.analysis.baselines import BASE_WIDTHS, STEM_CHANNELS
from pvtsearch.analysis.memory import Part
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.spans import Span, allocate, passing, release
from pvtsearch.config import ImageSize, NetworkTask, ResNetConfig
from pvtsearch.geometry import Grid, halved

INDEX_BYTES = 8  # max pooling notes in int64 where each maximum was; BatchNorm counts its batches in one


def branch_channels(config: ResNetConfig, base: int) -> tuple[int, ...]:
    """Output channels of the convolutions of one block."""
    if config.block == "basic":
        return base, base
    width = base * config.width_per_group // 64 * config.groups
    return width, width, base * config.expansion


def norm_channels(config: ResNetConfig) -> Iterator[int]:
    """Channels of every BatchNorm."""
    yield STEM_CHANNELS
    for base, depth in zip(BASE_WIDTHS, config.depths, strict=True):
        yield from depth * branch_channels(config, base)
        if projects(config, base):
            yield base * config.expansion


def projects(config: ResNetConfig, base: int) -> bool:
    """Whether the first block of a stage has a projection in its shortcut."""
    return base != BASE_WIDTHS[0] or config.expansion != 1


def buffers_bytes(config: ResNetConfig, setting: MemorySetting) -> int:
    """Running mean, variance and count of every BatchNorm."""
    return sum(2 * channels * setting.element_bytes + INDEX_BYTES for channels in norm_channels(config))


def block(
    config: ResNetConfig, base: int, *, entering: Grid, grid: Grid, projected: bool, setting: MemorySetting
) -> Span:
    """A block leaves its output and releases nothing of what it reads.

    Each convolution releases its input, each BatchNorm takes its input's place, ReLU and the sum are in place.
    """
    first, *others = branch_channels(config, base)
    outputs = [first * (grid if config.block == "basic" else entering).tokens, *(c * grid.tokens for c in others)]
    sizes = [setting.batch_bytes(elements) for elements in outputs]
    span = allocate(sizes[0]) + passing(sizes[0])
    for before, size in pairwise(sizes):
        span += allocate(size) + release(before) + passing(size)
    return span + int(projected) * (allocate(sizes[-1]) + passing(sizes[-1]) + release(sizes[-1]))


def stem(grid: Grid, pooled: Grid, setting: MemorySetting) -> Span:
    """Convolution, BatchNorm, ReLU in place, max pooling with its indices."""
    size = setting.batch_bytes(STEM_CHANNELS * grid.tokens)
    indices = setting.batch_size * STEM_CHANNELS * pooled.tokens * INDEX_BYTES
    maxima = setting.batch_bytes(STEM_CHANNELS * pooled.tokens)
    return allocate(size) + passing(size) + allocate(maxima) + passing(indices) + release(size)


def resnet_parts(
    config: ResNetConfig, image_size: ImageSize, task: NetworkTask, setting: MemorySetting
) -> tuple[tuple[Part, ...], ...]:
    """The spans of every stage in order, and of the head. A stage holds what it reads until its end."""
    halves = halved(Grid(*image_size))
    entering, grid, in_chans = halved(halves), halved(halves), STEM_CHANNELS
    stages: list[tuple[Part, ...]] = []
    for base, depth in zip(BASE_WIDTHS, config.depths, strict=True):
        if stages:
            entering, grid = grid, halved(grid)
        out_chans = base * config.expansion
        size = setting.batch_bytes(out_chans * grid.tokens)
        first = block(config, base, entering=entering, grid=grid, projected=projects(config, base), setting=setting)
        other = block(config, base, entering=grid, grid=grid, projected=False, setting=setting) + release(size)
        read = setting.batch_bytes(in_chans * entering.tokens)
        goes = not stages or task == "classification"  # a backbone's maps stay
        parts = [
            Part("first block", first),
            Part("blocks", (depth - 1) * other),
            Part("end", release(int(goes) * read)),
        ]
        stages.append(tuple(parts if stages else [Part("stem", stem(halves, entering, setting)), *parts]))
        in_chans = out_chans
    pooled, scores = (setting.batch_bytes(elements) for elements in (in_chans, config.num_classes))
    head = allocate(pooled) + release(setting.batch_bytes(in_chans * grid.tokens)) + allocate(scores)
    return (*stages, (Part("scores", head if task == "classification" else Span()),))
