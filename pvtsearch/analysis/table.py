"""Costs of all options of a stage at once: the closed form on arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.closed_form import (
    StageShape,
    head_cost,
    pooled_reduction,
    reduction_of,
    spatial_reduction,
    stage_cost,
)
from pvtsearch.analysis.dense import level_cost
from pvtsearch.analysis.layers import LayerCost
from pvtsearch.analysis.metrics import METRICS
from pvtsearch.config import PooledReduction, PVTConfig, SpatialReduction, Task, is_dense
from pvtsearch.errors import InputError
from pvtsearch.geometry import Grid, Number
from pvtsearch.heads import DENSE_HEADS
from pvtsearch.knobs import StageOptions
from pvtsearch.space import Entering, Move

LARGEST_EXACT = 2**62

Costs = NDArray[np.int64]


def move_costs(
    template: PVTConfig, index: int, options: StageOptions, entering: Entering, move: Move, *, task: Task
) -> Costs:
    """Cost of each row of a move with the part of the head that it carries, shape (rows, metrics), as `METRICS`.

    Raises `InputError` where a cost could pass 64 bits.
    """
    stages = stage_costs(template, index, options, entering, move, task=task)
    return stages + head_costs(template, index, options, move, task=task)


def stage_costs(
    template: PVTConfig, index: int, options: StageOptions, entering: Entering, move: Move, *, task: Task
) -> Costs:
    """Cost of each row of a move as a stage alone: what limits on single stages are held against."""
    costs = np.empty((len(move.rows), len(METRICS)), dtype=np.int64)
    kinds = np.array([type(options.stages[row].attention) is SpatialReduction for row in move.rows], dtype=bool)
    for kind in (True, False):
        places = np.flatnonzero(kinds == kind)
        if len(places):
            shape = _shape(options, move.rows[places])
            layers = _layers(template, index, shape, entering, move, task)
            costs[places] = _columns(layers, len(places))
    _check_range(template, index, options, entering, move, task)
    return costs


def head_costs(template: PVTConfig, index: int, options: StageOptions, move: Move, *, task: Task) -> Costs:
    """What the head costs on each row's map: the classifier with the last stage, necks and heads level by level."""
    widths = options.columns["embed_dim"][move.rows]
    _check_exact(index, _head_layers(template, index, int(widths.max()), move.leaving.grid, task))
    return _columns(_head_layers(template, index, widths, move.leaving.grid, task), len(move.rows))


def _head_layers(template: PVTConfig, index: int, widths: Number, grid: Grid, task: Task) -> LayerCost:
    if is_dense(task):
        return level_cost(DENSE_HEADS[task], index, widths, grid)
    return head_cost(template, widths, task) if index == len(template.stages) - 1 else LayerCost()


def _columns(layers: LayerCost, rows: int) -> Costs:
    columns = [np.broadcast_to(metric.of_layers(layers), rows) for metric in METRICS.values()]
    return np.stack(columns, axis=1).astype(np.int64)


def _layers(
    template: PVTConfig, index: int, shape: StageShape, entering: Entering, move: Move, task: Task
) -> LayerCost:
    leaving = move.leaving
    return stage_cost(
        template, index, shape, in_chans=entering.in_chans, grid=leaving.grid, learned=leaving.learned, task=task
    )


def _shape(options: StageOptions, rows: NDArray[np.int64]) -> StageShape:
    """The numbers of rows that share a kind of attention, as arrays."""
    column = {name: values[rows] for name, values in options.columns.items()}
    attention = [options.stages[row].attention for row in rows]
    if isinstance(attention[0], PooledReduction):
        reduction = pooled_reduction(np.array([a.pool_size for a in attention if isinstance(a, PooledReduction)]))
    else:
        reduction = spatial_reduction(np.array([a.sr_ratio for a in attention if isinstance(a, SpatialReduction)]))
    return StageShape(column["patch_size"], column["embed_dim"], column["depth"], column["mlp_width"], reduction)


def _check_range(
    template: PVTConfig, index: int, options: StageOptions, entering: Entering, move: Move, task: Task
) -> None:
    """Costs grow with every number but the reduction: hold the largest of each, in Python ints, against 64 bits."""

    def largest(name: str) -> int:
        return int(options.columns[name][move.rows].max())

    for attention in {options.stages[row].attention for row in move.rows}:
        shape = StageShape(
            largest("patch_size"),
            largest("embed_dim"),
            largest("depth"),
            largest("mlp_width"),
            reduction_of(attention),
        )
        layers = _layers(template, index, shape, entering, move, task)
        _check_exact(index, layers)


def _check_exact(index: int, layers: LayerCost) -> None:
    numbers: list[Number] = [metric.of_layers(layers) for metric in METRICS.values()]
    if max(numbers) >= LARGEST_EXACT:
        raise InputError(
            f"stages[{index}]: costs reach {max(numbers):.1e}, beyond exact 64-bit integers: "
            "search at a smaller image size"
        )


def as_dict(costs: Any) -> dict[str, int]:
    """One row of a cost table as metric name -> value."""
    return {name: int(value) for name, value in zip(METRICS, costs, strict=True)}
