"""The closed form as polynomials in the input's height H and width W."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pvtsearch.analysis.baselines import level_shapes, resnet_cost
from pvtsearch.analysis.closed_form import cost_on_grids
from pvtsearch.analysis.dense import head_cost_of_levels
from pvtsearch.analysis.layers import LayerCost
from pvtsearch.analysis.memory_formula import MemoryFormula, memory_formula
from pvtsearch.analysis.polynomials import HEIGHT, WIDTH, Polynomial, polynomial
from pvtsearch.analysis.setting import Dtype, MemorySetting
from pvtsearch.config import (
    AttentionKernel,
    DenseTask,
    ModelConfig,
    PVTConfig,
    SpatialReduction,
    Task,
    check_task,
    is_dense,
)
from pvtsearch.geometry import Grid
from pvtsearch.heads import DENSE_HEADS

LARGEST_SIDE = 10**7
RESNET_STRIDE = 32
COARSER_LEVELS: dict[DenseTask, int] = {"retinanet": 4, "mask_rcnn": 2}  # P7 and P6 over C5


@dataclass(frozen=True)
class Formula:
    """What a network costs for ONE image whose sides are multiples of `divisor`; others are rounded stage by stage.

    matmul: the attention products' part of macs. memory: of a whole batch; none for a dense task.
    """

    name: str
    task: Task
    divisor: int
    params: int
    macs: Polynomial
    matmul: Polynomial
    memory: MemoryFormula | None

    def attention_share(self, side: int) -> float:
        """Share of the attention products in the MACs of a square input."""
        return float(self.matmul.at((side, side)) / self.macs.at((side, side)))

    def attention_overtakes(self) -> int | None:
        """The smallest side, a multiple of `divisor`, of a square whose attention products outweigh the rest.

        None where there is none below 10^7 pixels.
        """
        low, high = 0, LARGEST_SIDE // self.divisor
        if not self._outweighed(high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._outweighed(middle) else (middle, high)
        return high * self.divisor

    def _outweighed(self, multiple: int) -> bool:
        side = multiple * self.divisor
        return 2 * self.matmul.at((side, side)) > self.macs.at((side, side))


def formula(
    config: ModelConfig,
    *,
    task: Task = "classification",
    batch_size: int = 1,
    dtype: Dtype = "float32",
    attention: AttentionKernel = "fused",
) -> Formula:
    """The closed form of a network on polynomials: the same formulas that `profile` evaluates on numbers.

    batch_size, dtype, attention: what peak memory is computed for. Raises `ConfigError` for what no task is or can do.
    """
    check_task(task)
    setting = MemorySetting(batch_size=batch_size, dtype=dtype, attention=attention)
    step = divisor(config, task)
    entering = Grid(step * HEIGHT, step * WIDTH)
    cost = _symbolic_cost(config, entering, task)
    macs, matmul = (polynomial(count).per(step) for count in (cost.macs, cost.matmul))
    memory = None
    if not is_dense(task):
        memory = memory_formula(config, entering=entering, step=step, params=cost.params, task=task, setting=setting)
    return Formula(config.name, task, step, cost.params, macs, matmul, memory)


def divisor(config: ModelConfig, task: Task = "classification") -> int:
    """What the sides of an input must be multiples of for nothing to round: every stride times its reduction."""
    coarsest = COARSER_LEVELS.get(task, 1) if is_dense(task) else 1
    if not isinstance(config, PVTConfig):
        return RESNET_STRIDE * coarsest
    stride, common = 1, 1
    for stage in config.stages:
        stride *= stage.patch_size
        ratio = stage.attention.sr_ratio if isinstance(stage.attention, SpatialReduction) else 1
        common = math.lcm(common, stride * ratio)
    return math.lcm(common, stride * coarsest)


def _symbolic_cost(config: ModelConfig, entering: Grid, task: Task) -> LayerCost:
    if is_dense(task):
        head = head_cost_of_levels(DENSE_HEADS[task], *level_shapes(config, entering, task))
        return _symbolic_cost(config, entering, "backbone") + head
    if isinstance(config, PVTConfig):
        return cost_on_grids(config, config.grids_of(entering), task).total
    return resnet_cost(config, entering, task).total
