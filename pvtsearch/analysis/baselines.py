"""ResNet and ResNeXt in closed form, as torchvision builds them; for ONE image."""

from __future__ import annotations

from pvtsearch.analysis.closed_form import NetworkCost, pvt_cost
from pvtsearch.analysis.dense import head_cost_of_levels
from pvtsearch.analysis.layers import LayerCost, conv_norm, conv_norm_relu, linear, total
from pvtsearch.config import (
    DenseTask,
    ImageSize,
    ModelConfig,
    NetworkTask,
    PVTConfig,
    ResNetConfig,
    Task,
    check_pyramid,
    check_task,
    is_dense,
)
from pvtsearch.errors import ConfigError
from pvtsearch.geometry import Grid, halved
from pvtsearch.heads import DENSE_HEADS

STEM_CHANNELS = 64
BASE_WIDTHS = (64, 128, 256, 512)
LARGEST_BUILT = 2 * 10**9  # parameters: what is larger was a slip, and would be allocated for hours


def residual_branch(config: ResNetConfig, in_chans: int, base: int, *, entering: Grid, grid: Grid) -> LayerCost:
    """The convolutions of one block, and the ReLU after it; torchvision strides in the (first) 3x3."""
    if config.block == "basic":
        return conv_norm_relu(in_chans, base, kernel=3, grid=grid) + conv_norm_relu(base, base, kernel=3, grid=grid)
    width = base * config.width_per_group // 64 * config.groups
    return (
        conv_norm_relu(in_chans, width, kernel=1, grid=entering)
        + conv_norm_relu(width, width, kernel=3, grid=grid, groups=config.groups)
        + conv_norm_relu(width, base * config.expansion, kernel=1, grid=grid)
    )


def resnet_stage(
    config: ResNetConfig, in_chans: int, base: int, depth: int, *, entering: Grid, grid: Grid
) -> LayerCost:
    """`depth` blocks; the first changes grid and channels, with a projection in its shortcut where one is needed."""
    out_chans = base * config.expansion
    first = residual_branch(config, in_chans, base, entering=entering, grid=grid)
    if in_chans != out_chans or base != BASE_WIDTHS[0]:
        first += conv_norm(in_chans, out_chans, kernel=1, grid=grid)
    return first + (depth - 1) * residual_branch(config, out_chans, base, entering=grid, grid=grid)


def resnet_stem(config: ResNetConfig, grid: Grid) -> LayerCost:
    """A 7x7 convolution that writes `grid`, and the max pooling that reads it."""
    convolution = conv_norm_relu(config.in_chans, STEM_CHANNELS, kernel=7, grid=grid)
    return convolution + LayerCost(max_pool2d=STEM_CHANNELS * grid.tokens)


def resnet_grids(image_size: ImageSize) -> tuple[Grid, ...]:
    """The grid of each stage: the stem quarters the input, every later stage halves."""
    grids = [halved(halved(Grid(*image_size)))]
    while len(grids) < len(BASE_WIDTHS):
        grids.append(halved(grids[-1]))
    return tuple(grids)


def resnet_cost(config: ResNetConfig, image_size: ImageSize, task: NetworkTask = "classification") -> NetworkCost:
    """Cost of a ResNet at an input of (height, width); its stem counts in the first stage."""
    stem = halved(Grid(*image_size))
    stages = [resnet_stem(config, stem)]
    entering, in_chans = halved(stem), STEM_CHANNELS
    for base, depth, grid in zip(BASE_WIDTHS, config.depths, resnet_grids(image_size), strict=True):
        stages.append(resnet_stage(config, in_chans, base, depth, entering=entering, grid=grid))
        entering, in_chans = grid, base * config.expansion
    head = LayerCost()
    if task == "classification":
        head = LayerCost(adaptive_avg_pool2d=in_chans * entering.tokens)
        if config.num_classes:
            head += linear(in_chans, config.num_classes, tokens=1)
    return NetworkCost((total(stages[:2]), *stages[2:]), head)


def level_shapes(config: ModelConfig, entering: Grid, task: DenseTask) -> tuple[list[int], tuple[Grid, ...]]:
    """Channels and grids of the maps C2 to C5 for an input that enters, in numbers or polynomials.

    Raises `ConfigError` where the network has other maps.
    """
    if isinstance(config, PVTConfig):
        check_pyramid(task, len(config.stages))
        return [stage.embed_dim for stage in config.stages], config.grids_of(entering)
    return [base * config.expansion for base in BASE_WIDTHS], resnet_grids(entering)


def dense_cost(config: ModelConfig, image_size: ImageSize, task: DenseTask) -> NetworkCost:
    """Cost of a dense task: the stages of the backbone, and its neck and heads as the head."""
    shapes = level_shapes(config, Grid(*image_size), task)
    backbone = network_cost(config, image_size, "backbone")
    return NetworkCost(backbone.stages, head_cost_of_levels(DENSE_HEADS[task], *shapes))


def network_cost(config: ModelConfig, image_size: ImageSize, task: Task = "classification") -> NetworkCost:
    """Cost of any network the project knows, at an input of (height, width)."""
    check_task(task)
    if is_dense(task):
        return dense_cost(config, image_size, task)
    if isinstance(config, PVTConfig):
        return pvt_cost(config, image_size, task)
    return resnet_cost(config, image_size, task)


def buildable_cost(config: ModelConfig, image_size: ImageSize, task: Task) -> LayerCost:
    """What a network costs in all. Raises `ConfigError` where it is too large to be built, or the input too small."""
    cost = network_cost(config, image_size, task).total
    if cost.params > LARGEST_BUILT:
        raise ConfigError(f"{config.name}: {cost.params:,} parameters are too many to build: at most {LARGEST_BUILT:,}")
    return cost
