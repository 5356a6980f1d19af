"""Costs of very many points of a space at once: the closed form on arrays, a table per state and stage.

A point is a row of integers: which of the space's `templates`, then for each stage the row of its `options`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.metrics import Costing
from pvtsearch.analysis.parts import Parts
from pvtsearch.analysis.table import move_costs
from pvtsearch.config import ImageSize, PVTConfig, Task
from pvtsearch.errors import InputError
from pvtsearch.space import Entering, SearchSpace

Points = NDArray[np.int64]  # (N, 1 + stages)
Costs = NDArray[np.int64]  # (N, metrics)
_State: TypeAlias = tuple[PVTConfig, Entering]

CHUNK = 100_000
ILLEGAL = -1
MAX_CHUNKS_WITHOUT_A_POINT = 20


class StageTables(NamedTuple):
    """What a stage costs and what it leaves, by the state it enters and the row of its options."""

    parts: Parts  # (states, rows, columns of the algebra)
    leaving: NDArray[np.int64]  # (states, rows): number of the next stage's state, or ILLEGAL


class Sweep:
    """Costs of a space's points at an input of (height, width), in the metrics of costing: by default all that sum.

    Every state that a stage can be entered in has a table over the stage's options, so a point is a lookup per stage.
    """

    def __init__(
        self, space: SearchSpace, image_size: ImageSize, task: Task = "classification", costing: Costing | None = None
    ) -> None:
        self.space, self.image_size, self.task, self.costing = space, image_size, task, costing or Costing()
        self._tables: list[StageTables] = []
        states = [(template, space.start(image_size)) for template in space.templates]
        for stage in range(len(space.stages)):
            tables, states = self._stage_tables(stage, states)
            self._tables.append(tables)

    def _stage_tables(self, stage: int, states: list[_State]) -> tuple[StageTables, list[_State]]:
        options, algebra = self.space.options[stage], self.costing.algebra
        parts = np.zeros((len(states), len(options.stages), algebra.width), dtype=np.int64)
        leaving = np.full(parts.shape[:2], ILLEGAL)
        numbers: dict[_State, int] = {}
        for number, (template, entering) in enumerate(states):
            for move in self.space.moves(template, stage, entering):
                parts[number, move.rows] = move_costs(
                    template, stage, options, entering, move, task=self.task, costing=self.costing
                )
                leaving[number, move.rows] = numbers.setdefault((template, move.leaving), len(numbers))
        return StageTables(parts, leaving), list(numbers)

    def costs(self, points: Points) -> Costs:
        """Cost of each point, shape (N, metrics) in the order of costing; `ILLEGAL` where a point breaks a law."""
        found = [self._costs(points[start : start + CHUNK]) for start in range(0, len(points), CHUNK)]
        return np.concatenate([np.empty((0, len(self.costing.metrics)), dtype=np.int64), *found])

    def _costs(self, points: Points) -> Costs:
        algebra = self.costing.algebra
        states, legal = points[:, 0], np.ones(len(points), dtype=bool)
        parts = np.broadcast_to(algebra.nothing(), (len(points), algebra.width))
        for stage, tables in enumerate(self._tables):
            if not len(tables.parts):  # no point is legal up to here
                return np.full((len(points), len(self.costing.metrics)), ILLEGAL)
            rows = points[:, stage + 1]
            parts = algebra.concatenate(parts, tables.parts[states, rows])
            following = tables.leaving[states, rows]
            legal &= following != ILLEGAL
            states = np.where(legal, following, 0)
        costs = algebra.total(parts)
        costs[~legal] = ILLEGAL
        return costs

    def config(self, point: NDArray[np.int64]) -> PVTConfig:
        """The configuration of a legal point."""
        stages = (options.stages[row] for options, row in zip(self.space.options, point[1:], strict=True))
        return self.space.decode(self.space.templates[int(point[0])], tuple(stages))

    def every_point(self) -> Iterator[tuple[Points, Costs]]:
        """All legal points and their costs, in chunks."""
        counts = (len(self.space.templates), *(len(options.stages) for options in self.space.options))
        total = int(np.prod(counts, dtype=object))
        for start in range(0, total, CHUNK):
            flat = np.arange(start, min(start + CHUNK, total))
            yield self._legal(np.stack(np.unravel_index(flat, counts), axis=1))

    def sample(self, count: int, *, seed: int) -> Iterator[tuple[Points, Costs]]:
        """`count` points drawn uniformly, with replacement, from the legal ones, and their costs, in chunks.

        Raises `InputError` where hardly any combination is legal.
        """
        rng = np.random.default_rng(seed)
        sizes = (len(self.space.templates), *(len(options.stages) for options in self.space.options))
        found, misses = 0, 0
        while found < count:
            points, costs = self._legal(rng.integers(sizes, size=(CHUNK, len(sizes))))
            misses = 0 if len(points) else misses + 1
            if misses == MAX_CHUNKS_WITHOUT_A_POINT:
                raise InputError(f"{self.space.name}: hardly any combination of its knobs is legal, none was drawn")
            points, costs = points[: count - found], costs[: count - found]
            found += len(points)
            if len(points):
                yield points, costs

    def _legal(self, points: Points) -> tuple[Points, Costs]:
        costs = self.costs(points)
        legal = costs[:, 0] != ILLEGAL
        return points[legal], costs[legal]


def columns(sweep: Sweep, points: Points, costs: Costs) -> dict[str, NDArray[np.generic]]:
    """Points and costs as named columns: network-wide parts that vary, the knobs of every stage, the metrics."""
    table: dict[str, NDArray[np.generic]] = {}
    for name, values in sweep.space.network.items():
        if len(values) > 1:
            table[name] = np.array([str(getattr(t, name)) for t in sweep.space.templates])[points[:, 0]]
    for stage, options in enumerate(sweep.space.options):
        rows = points[:, stage + 1]
        for name in ("patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio"):
            table[f"stage{stage + 1}.{name}"] = options.columns[name][rows]
        table[f"stage{stage + 1}.attention"] = np.array([str(s.attention) for s in options.stages])[rows]
    return table | {name: costs[:, column] for column, name in enumerate(sweep.costing.metrics)}
