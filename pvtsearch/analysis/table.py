"""Costs of all options of a stage at once: the closed form on arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, assert_never

import numpy as np

from pvtsearch.analysis.closed_form import head_cost, stage_cost
from pvtsearch.analysis.dense import level_cost
from pvtsearch.analysis.layers import LayerCost
from pvtsearch.analysis.metrics import Costing, PeakMetric, PredictedMetric, SumMetric
from pvtsearch.analysis.parts import Parts, to_columns
from pvtsearch.analysis.shapes import StageShape, reduction_of, shape_from
from pvtsearch.analysis.spans import Tape
from pvtsearch.config import MAX_STAGES, Attention, PVTConfig, SpatialReduction, Task, is_dense
from pvtsearch.errors import InputError
from pvtsearch.geometry import Grid, Number
from pvtsearch.heads import DENSE_HEADS
from pvtsearch.knobs import Rows, StageOptions
from pvtsearch.space import Entering, Move

LARGEST_EXACT = 2**62
_LARGEST_PART = LARGEST_EXACT // (MAX_STAGES + 2)  # stages, head, and one to spare add up below LARGEST_EXACT


def move_costs(
    template: PVTConfig,
    index: int,
    options: StageOptions,
    entering: Entering,
    move: Move,
    *,
    task: Task,
    costing: Costing,
) -> Parts:
    """Parts of each row of a move with those of the head that it carries, shape (rows, columns of the algebra).

    Raises `InputError` where a cost could pass 64 bits.
    """
    stages = stage_costs(template, index, options, entering, move, task=task, costing=costing)
    head = head_costs(template, index, options, move, task=task, costing=costing)
    return costing.algebra.concatenate(stages, head)


def stage_costs(
    template: PVTConfig,
    index: int,
    options: StageOptions,
    entering: Entering,
    move: Move,
    *,
    task: Task,
    costing: Costing,
) -> Parts:
    """Parts of each row of a move as a stage alone: what limits on single stages are held against."""
    costing.check_task(task)
    _check_range(template, index, options, entering, move, task, costing)
    costs = np.empty((len(move.rows), costing.algebra.width), dtype=np.int64)
    known, which = options.attentions
    kinds = np.array([type(attention) is SpatialReduction for attention in known], dtype=bool)[which[move.rows]]
    for kind in (True, False):
        places = np.flatnonzero(kinds == kind)
        if len(places):
            shape = _shape_of_rows(options, move.rows[places])
            costs[places] = _stack(_stage(template, index, shape, entering, move, task, costing), len(places))
    return costs


def head_costs(
    template: PVTConfig, index: int, options: StageOptions, move: Move, *, task: Task, costing: Costing
) -> Parts:
    """Parts of the head on each row's map: the classifier with the last stage, necks and heads level by level."""
    widths = options.columns["embed_dim"][move.rows]
    _check_exact(index, _head(template, index, int(widths.max()), move.leaving.grid, task, costing))
    return _stack(_head(template, index, widths, move.leaving.grid, task, costing), len(move.rows))


def _shape_of_rows(options: StageOptions, rows: Rows) -> StageShape:
    """Rows that share a kind of attention, as arrays."""
    known, which = options.attentions
    reductions = [reduction_of(attention) for attention in known]
    numbers: Rows = np.array(reductions)[which[rows], 0]
    kind = type(reductions[which[rows[0]]])
    return shape_from({name: column[rows] for name, column in options.columns.items()}, kind(numbers))


def _largest_shape(options: StageOptions, rows: Rows, attention: Attention) -> StageShape:
    """The largest number of every column, in Python's ints."""
    largest = {name: int(options.columns[name][rows].max()) for name in options.columns if name != "mlp_ratio"}
    return shape_from(largest, reduction_of(attention))


def _stage(
    template: PVTConfig, index: int, shape: StageShape, entering: Entering, move: Move, task: Task, costing: Costing
) -> Iterator[Number]:
    """The columns of stages."""
    where: dict[str, Any] = {"in_chans": entering.in_chans, "grid": move.leaving.grid, "learned": move.leaving.learned}
    layers = stage_cost(template, index, shape, **where, task=task)
    for metric in costing.entries:
        match metric:
            case SumMetric():
                yield metric.of_layers(layers)
            case PeakMetric():
                stretch = metric.of_stage(
                    template, index, shape, **where,
                    params=layers.params, entering=entering.grid, task=task, setting=costing.setting,
                )  # fmt: skip
                yield from to_columns(stretch, metric.combine)
            case PredictedMetric():
                yield costing.predicted.model.stage_ns(template, index, shape, **where)
            case _:
                assert_never(metric)


def _head(
    template: PVTConfig, index: int, widths: Number, grid: Grid, task: Task, costing: Costing
) -> Iterator[Number]:
    """The columns of the part of the head that belongs to stage `index`."""
    last = index == len(template.stages) - 1
    if is_dense(task):
        layers = level_cost(DENSE_HEADS[task], index, widths, grid)
    else:
        layers = head_cost(template, widths, task) if last else LayerCost()
    for metric in costing.entries:
        match metric:
            case SumMetric():
                yield metric.of_layers(layers)
            case PeakMetric():
                stretch = Tape()
                if last:
                    stretch = metric.of_head(
                        template, params=layers.params, channels=widths, grid=grid, task=task, setting=costing.setting
                    )
                yield from to_columns(stretch, metric.combine)
            case PredictedMetric():
                yield costing.predicted.model.head_ns(template, widths) if last else 0
            case _:
                assert_never(metric)


def _stack(columns: Iterator[Number], rows: int) -> Parts:
    return np.stack([np.broadcast_to(column, rows) for column in columns], axis=1).astype(np.int64)


def _check_range(
    template: PVTConfig, index: int, options: StageOptions, entering: Entering, move: Move, task: Task, costing: Costing
) -> None:
    """Costs grow with every number but the reduction: hold the largest of each, in Python ints, against 64 bits."""
    known, which = options.attentions
    for place in np.unique(which[move.rows]):
        shape = _largest_shape(options, move.rows, known[place])
        _check_exact(index, _stage(template, index, shape, entering, move, task, costing))


def _check_exact(index: int, columns: Iterator[Number]) -> None:
    largest = max(map(abs, columns))
    if largest >= _LARGEST_PART:
        raise InputError(
            f"stages[{index}]: costs reach {largest:.1e}, beyond exact 64-bit integers: "
            "search at a smaller image size or batch"
        )


def as_dict(parts: Parts, costing: Costing) -> dict[str, int]:
    """One row of parts of a whole network as metric name -> value."""
    totals = costing.algebra.total(parts)
    return {name: int(value) for name, value in zip(costing.metrics, totals, strict=True)}
