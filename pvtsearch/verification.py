"""The closed forms held against counting the built network: equal integers, or a difference that is shown."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias, get_args

import torch
from torch import nn

from pvtsearch.analysis.baselines import buildable_cost
from pvtsearch.analysis.counted import count_by_operator, count_macs_on_meta, count_params
from pvtsearch.analysis.live_bytes import inference_peak_bytes, training_peak_bytes
from pvtsearch.analysis.peak import inference_memory, training_memory
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import (
    MAX_STAGES,
    Attention,
    ImageSize,
    ModelConfig,
    NetworkTask,
    PooledReduction,
    PVTConfig,
    SpatialReduction,
    StageConfig,
    Task,
    height_and_width,
    is_dense,
)
from pvtsearch.geometry import Grid, embedded_grid
from pvtsearch.heads import region_shapes
from pvtsearch.models.baselines import build_model


@dataclass(frozen=True)
class Check:
    """One quantity, in closed form and counted. Operators carry fvcore's names."""

    quantity: str
    closed_form: int
    counted: int
    counted_by: str

    @property
    def agrees(self) -> bool:
        """Whether the two are equal."""
        return self.closed_form == self.counted


@dataclass(frozen=True)
class Verification:
    """All checks of one network at one input size and task."""

    name: str
    image_size: ImageSize
    task: Task
    checks: tuple[Check, ...]

    @property
    def agrees(self) -> bool:
        """Whether every check agrees."""
        return all(check.agrees for check in self.checks)

    @property
    def differences(self) -> tuple[Check, ...]:
        """The checks that do not agree."""
        return tuple(check for check in self.checks if not check.agrees)


def _without_weights(config: ModelConfig, task: Task) -> nn.Module:
    with torch.device("meta"):
        return build_model(config, task=task, attention="explicit")


def _with_zero_weights(module: nn.Module) -> nn.Module:
    module.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.zero_()  # denormal numbers that memory may have held make tracing ten times slower
    return module


def verify(
    config: ModelConfig, *, image_size: int | ImageSize | None = None, task: Task = "classification"
) -> Verification:
    """Build the network and count it: parameters, MACs on the meta device, every operator either side has, peak memory.

    image_size: a side or (height, width), by default the network's own. Attention is explicit, which both counters
    see; weights are zero. Raises `ConfigError` where the input is too small for the network.
    """
    size = height_and_width(config.image_size if image_size is None else image_size)
    cost = buildable_cost(config, size, task)
    closed = cost.by_operator()
    module = _without_weights(config, task)
    regions = region_shapes(task)
    checks = [
        Check("params", cost.params, count_params(module), "torch"),
        Check("macs", cost.macs, count_macs_on_meta(module, size, config.in_chans, regions), "FlopCounterMode / 2"),
    ]
    module = _with_zero_weights(module)
    operators = count_by_operator(module, size, config.in_chans, regions)
    for name in (*closed, *(name for name in operators if name not in closed)):
        checks.append(Check(name, closed.get(name, 0), operators.get(name, 0), "fvcore"))
    if not is_dense(task):
        checks += _memory_checks(config, module, size, task)
    return Verification(config.name, size, task, tuple(checks))


def _memory_checks(config: ModelConfig, module: nn.Module, image_size: ImageSize, task: NetworkTask) -> list[Check]:
    """Peaks of a pass and of a step, of two images: BatchNorm does not train on one."""
    setting = MemorySetting(batch_size=2, attention="explicit")
    images = torch.zeros(setting.batch_size, config.in_chans, *image_size)
    labels = torch.zeros(setting.batch_size if task == "classification" else 0, dtype=torch.int64)
    passing = inference_memory(config, image_size, task, setting).peak_bytes
    step = training_memory(config, image_size, task, setting).peak_bytes
    return [
        Check("inference_peak_bytes", passing, inference_peak_bytes(module, images), "live tensors"),
        Check(
            "training_peak_bytes", step, training_peak_bytes(module, images, labels, setting.optimizer), "live tensors"
        ),
    ]


class Case(NamedTuple):
    """A network, an input size (height, width) and a task that go together."""

    config: PVTConfig
    image_size: ImageSize
    task: Task


Choose: TypeAlias = Callable[[Sequence[Any]], Any]


def _draw_attention(choose: Choose, grids: Sequence[Grid]) -> Attention:
    if choose((False, False, True)):
        return PooledReduction(choose((1, 2, 3, 7)))
    side = min(min(grid) for grid in grids)
    return SpatialReduction(choose([ratio for ratio in (1, 2, 3, 4) if ratio <= side]))


def draw_case(
    choose: Choose,
    *,
    stage_counts: Sequence[int] = range(1, MAX_STAGES + 1),
    tasks: Sequence[Task] = get_args(NetworkTask),
) -> Case:
    """A small legal network of any kind, its input often of another size than its `image_size`.

    choose: picks one of a sequence; `random.Random(seed).choice`, or a drawing function of a property test.
    stage_counts: how many stages the network may have.
    """
    pool = choose(("cls", "mean"))
    patch_embed = choose(("plain", "overlap"))
    image_side = choose((16, 23, 31))
    image_size = choose(((image_side, image_side), (16, 16), (17, 29), (37, 18), (33, 16)))
    grids = [Grid(image_side, image_side), Grid(*image_size)]
    stages: list[StageConfig] = []
    count = choose(stage_counts)
    for index in range(count):
        side = min(min(grid) for grid in grids)
        sizes = (2, 3, 4) if index == 0 else (1, 2, 3)
        patch_size = choose([size for size in sizes if size <= side] or [1])
        grids = [embedded_grid(grid, patch_size, patch_embed) for grid in grids]
        classified = pool == "cls" and index == count - 1
        num_heads = choose((1, 2, 3))
        stages.append(
            StageConfig(
                patch_size=patch_size,
                embed_dim=num_heads * choose((2, 3, 8)),
                depth=choose((1, 1, 2)),
                num_heads=num_heads,
                mlp_ratio=choose((0.75, 1, 2.3, 4)),
                attention=SpatialReduction(1) if classified else _draw_attention(choose, grids),
            )
        )
    config = PVTConfig(
        name="random",
        stages=tuple(stages),
        num_classes=choose((0, 1, 10)),
        in_chans=choose((1, 3, 4)),
        image_size=image_side,
        patch_embed=patch_embed,
        patch_norm=choose((True, False)),
        norm_stages=choose((None, "last", "every", "none")),
        position=choose(("learned", "none")),
        mlp="plain" if pool == "cls" else choose(("plain", "conv")),
        pool=pool,
        qkv_bias=choose((True, False)),
        drop_path_rate=choose((0.0, 0.1)),
    )
    return Case(config, image_size, choose(tasks))


def random_cases(count: int, *, seed: int) -> Iterator[Case]:
    """`count` small legal networks, the same for the same seed."""
    choose = random.Random(seed).choice  # noqa: S311  repeatable, not secret
    return (draw_case(choose) for _ in range(count))
