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
from pvtsearch.config import DenseTask, PooledReduction, PVTConfig, SpatialReduction, Task
from pvtsearch.errors import InputError
from pvtsearch.geometry import Number
from pvtsearch.heads import DENSE_HEADS
from pvtsearch.knobs import StageOptions
from pvtsearch.space import Entering, Move

LARGEST_EXACT = 2**62

Costs = NDArray[np.int64]


def move_costs(
    template: PVTConfig, index: int, options: StageOptions, entering: Entering, move: Move, *, task: Task
) -> Costs:
    """Cost of each row of a move, shape (rows, metrics) in the order of `METRICS`.

    The classifier counts in the last stage; neck and heads of a dense task are `head_costs`. Raises `InputError`
    where a cost could pass 64 bits.
    """
    costs = np.empty((len(move.rows), len(METRICS)), dtype=np.int64)
    kinds = np.array([type(options.stages[row].attention) is SpatialReduction for row in move.rows], dtype=bool)
    for kind in (True, False):
        places = np.flatnonzero(kinds == kind)
        if len(places):
            shape = _shape(options, move.rows[places])
            layers = _layers(template, index, shape, entering, move, task)
            for column, metric in enumerate(METRICS.values()):
                costs[places, column] = metric.of_layers(layers)
    _check_range(template, index, options, entering, move, task)
    return costs


def head_costs(index: int, options: StageOptions, move: Move, *, task: DenseTask) -> Costs:
    """What neck and heads of a dense task cost on the map of each row of a move, shape (rows, metrics).

    Raises `InputError` where a cost could pass 64 bits.
    """
    head, grid, widths = DENSE_HEADS[task], move.leaving.grid, options.columns["embed_dim"][move.rows]
    _check_exact(index, level_cost(head, index, int(widths.max()), grid))
    layers = level_cost(head, index, widths, grid)
    columns = [np.broadcast_to(metric.of_layers(layers), len(move.rows)) for metric in METRICS.values()]
    return np.stack(columns, axis=1).astype(np.int64)


def _layers(
    template: PVTConfig, index: int, shape: StageShape, entering: Entering, move: Move, task: Task
) -> LayerCost:
    leaving = move.leaving
    layers = stage_cost(
        template, index, shape, in_chans=entering.in_chans, grid=leaving.grid, learned=leaving.learned, task=task
    )
    if index == len(template.stages) - 1:
        layers += head_cost(template, shape.embed_dim, task)
    return layers


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
