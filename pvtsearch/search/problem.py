"""A search problem: a space, hard limits on whole networks and on single stages, and what may follow what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pvtsearch.accuracy.frame import Frame, frame_of
from pvtsearch.analysis.metrics import ASKED_AS, METRICS, Costing
from pvtsearch.analysis.parts import Algebra, Parts
from pvtsearch.analysis.table import LARGEST_EXACT, head_costs, stage_costs
from pvtsearch.config import ImageSize, PVTConfig, Task, check_pyramid, is_dense
from pvtsearch.cost import Budget
from pvtsearch.errors import BudgetError
from pvtsearch.knobs import Rows, ShareRule
from pvtsearch.space import Entering, SearchSpace


@dataclass(frozen=True)
class StageLimit:
    """An interval, ends included, for a knob or a metric of one stage (counted from 0)."""

    stage: int
    quantity: str
    lower: float
    upper: float


class Branch(NamedTuple):
    """Stages that may follow, within their stage's limits: rows of its options, their costs, and what they leave."""

    rows: Rows
    costs: Parts  # (rows, columns of the problem's algebra); for metrics that sum the columns are the metrics
    leaving: Entering


def share_limit(rule: ShareRule, budget: Budget) -> StageLimit:
    """The interval a rule such as `stage 3: macs <= 0.7 budget` means under a budget."""
    metric = ASKED_AS[rule.metric]
    if metric not in budget.limits:
        raise BudgetError(f"rule '{rule}' needs a limit on {rule.metric}: give --budget, or a limit by hand")
    bound = rule.share * budget.limits[metric]
    lower, upper = (bound, np.inf) if rule.bound == ">=" else (-np.inf, bound)
    return StageLimit(rule.stage - 1, metric, lower, upper)


@dataclass(frozen=True)
class Problem:
    """A space at an input size, under a budget and limits on stages; `branches` is how it is walked.

    Limits on a stage leave out the neck and heads of a dense task; costs of branches have them. `costing` says which
    metrics they have; `algebra` is how they concatenate. Raises `ConfigError` where the task needs another number of
    stages, `BudgetError` for a limit on what costing does not compute.
    """

    space: SearchSpace
    image_size: ImageSize
    task: Task = "classification"
    budget: Budget = field(default_factory=Budget)
    stage_limits: tuple[StageLimit, ...] = ()
    costing: Costing = field(default_factory=Costing)

    def __post_init__(self) -> None:
        if is_dense(self.task):
            check_pyramid(self.task, len(self.space.stages))
        for metric in self.budget.limits:
            if metric not in METRICS:
                raise BudgetError(f"no metric is called {metric}, known are {', '.join(METRICS)}")
            if metric not in self.costing.metrics:
                raise BudgetError(f"{metric} is limited but not among the metrics that the problem's costing computes")
        self.costing.check_task(self.task)
        self.costing.check_latency(self.image_size, self.task)

    @property
    def frame(self) -> Frame:
        """What scores are relative to."""
        return frame_of(self.image_size, self.task, self.budget.limits, len(self.space.stages))

    @property
    def algebra(self) -> Algebra:
        """How the costs of branches concatenate to those of a network."""
        return self.costing.algebra

    @cached_property
    def limited_algebra(self) -> Algebra:
        """The same for the columns `limited` alone."""
        return Algebra(tuple(METRICS[metric].combine for metric in self.budget.limits))

    @cached_property
    def limits(self) -> NDArray[np.int64]:
        """The budget's limits, one for each metric of `limited_algebra`."""
        # Costs are below LARGEST_EXACT, so a limit beyond it limits nothing.
        return np.array([min(limit, LARGEST_EXACT) for limit in self.budget.limits.values()], dtype=np.int64)

    @cached_property
    def limited(self) -> NDArray[np.int64]:
        """Columns of the cost tables that belong to what the budget limits, in the budget's order."""
        every = np.arange(self.algebra.width)
        places = [every[self.algebra.columns[self.costing.metrics.index(metric)]] for metric in self.budget.limits]
        return np.concatenate([every[:0], *places])

    @cached_property
    def _all_stage_limits(self) -> tuple[StageLimit, ...]:
        shares = tuple(share_limit(rule, self.budget) for rule in self.space.share_rules)
        return (*self.stage_limits, *shares)

    @cached_property
    def _known(self) -> dict[tuple[PVTConfig, int, Entering], tuple[Branch, ...]]:
        return {}

    def start(self) -> Entering:
        """What enters the first stage."""
        return self.space.start(self.image_size)

    def branches(self, template: PVTConfig, index: int, entering: Entering) -> tuple[Branch, ...]:
        """What stage `index` may be after a stage that left `entering` behind."""
        key = (template, index, entering)
        if key not in self._known:
            self._known[key] = tuple(self._make_branches(template, index, entering))
        return self._known[key]

    def _make_branches(self, template: PVTConfig, index: int, entering: Entering) -> Sequence[Branch]:
        options = self.space.options[index]
        branches = []
        for move in self.space.moves(template, index, entering):
            costs = stage_costs(template, index, options, entering, move, task=self.task, costing=self.costing)
            inside = self._inside(index, move.rows, costs)
            if inside.any():
                head = head_costs(template, index, options, move, task=self.task, costing=self.costing)
                whole = self.algebra.concatenate(costs, head)
                branches.append(Branch(move.rows[inside], whole[inside], move.leaving))
        return branches

    def _inside(self, index: int, rows: Rows, costs: Parts) -> NDArray[np.bool_]:
        inside = np.ones(len(rows), dtype=bool)
        for limit in self._all_stage_limits:
            if limit.stage == index:
                values = self._column(index, limit.quantity, rows, costs)
                inside &= (values >= limit.lower) & (values <= limit.upper)
        return inside

    def _column(self, index: int, quantity: str, rows: Rows, costs: Parts) -> NDArray[np.number]:
        if (
            quantity in METRICS and METRICS[quantity].combine == "sum"
        ):  # a peak is no stage's own: what is held before it counts
            return costs[:, self.algebra.columns[self.costing.metrics.index(quantity)]][:, 0]
        return self.space.options[index].columns[quantity][rows]
