"""The exact front of a problem: a dynamic programme over stages that forgets only what cannot matter.

Partial networks that leave the same state (`Entering`) have the same future. So of those that tie in all parts one
stands for all, and one that another beats is forgotten, as is what no completion keeps within the limits.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from pvtsearch.analysis.parts import Parts
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.cost import Cost
from pvtsearch.errors import InputError
from pvtsearch.search.composition import Composition, Points
from pvtsearch.search.epsilon import cells
from pvtsearch.search.partials import (
    Counts,
    Exact,
    Gathering,
    Integers,
    Partials,
    Pruning,
    Rounded,
    bundled,
    stacked,
    unbundled,
)
from pvtsearch.search.paths import costs_of
from pvtsearch.search.problem import Branch
from pvtsearch.space import Entering, SearchSpace

MAX_PARTIALS = 4_000_000
NEAREST_HEAD_DIM = 64

_CHUNK = 2**19  # candidates that are made at once
_SAMPLE = 16  # one partial network in so many goes first: the sieve that these make removes most of the others
_LARGEST_COUNT = 2**62


@dataclass(frozen=True)
class Front:
    """One configuration per point of a front, sorted by the objectives in turn, and how many tie with each.

    A point is the objectives, less is better. No `ties` where they were not counted: in a front that is only near the
    exact one.
    """

    points: tuple[tuple[int, ...], ...]
    configs: tuple[PVTConfig, ...]
    costs: tuple[Cost, ...]
    ties: tuple[int, ...]


def solve(composition: Composition, epsilon: Fraction | None = None, *, most: int = MAX_PARTIALS) -> Front:
    """The exact front of a composition's problem; empty where nothing is feasible.

    With epsilon a part of it, such that every feasible configuration is within a factor of 1 + epsilon of one of them
    in every objective. Raises `InputError` where more than `most` partial networks of a stage are needed at once.
    """
    rules = _rules(composition, epsilon)
    solvers = [_Solver(composition, template, rules, most) for template in composition.problem.space.templates]
    ends = [_numbered(end, number) for number, solver in enumerate(solvers) if (end := solver.solve()) is not None]
    if not ends:
        return Front((), (), (), ())
    table = rules.wholes.pruned(stacked(ends))
    networks: dict[int, tuple[PVTConfig, Cost]] = {}
    for number in np.unique(table.parent):
        mine = np.flatnonzero(table.parent == number)
        networks.update(zip(mine.tolist(), solvers[number].networks(table.row[mine]), strict=True))
    found = [networks[place] for place in range(len(table))]
    return Front(
        points=tuple(map(tuple, table.parts.tolist())),
        configs=tuple(config for config, _ in found),
        costs=tuple(cost for _, cost in found),
        ties=() if epsilon else tuple(int(count) for count in table.counts),
    )


class _Rules(NamedTuple):
    """What may be forgotten of stages, of beginnings of networks and of whole ones."""

    stages: Pruning
    partials: Pruning
    wholes: Pruning


def _rules(composition: Composition, epsilon: Fraction | None) -> _Rules:
    strict, objectives = composition.strict, len(composition.objectives)
    stages = Exact(strict, composition.levels)
    if epsilon is None:
        return _Rules(stages, Exact(strict, composition.spent), Exact(objectives, _themselves))
    starts = cells(epsilon, len(composition.problem.space.stages))
    rounded = Rounded(dict.fromkeys(composition.relaxable, starts), composition.spent)
    return _Rules(stages, rounded, Rounded(dict.fromkeys(range(objectives), starts), _themselves))


def _themselves(points: Points) -> Points:
    return points


def _numbered(end: Partials, number: int) -> Partials:
    """Whole networks of a template, each by the template's number and its own."""
    template = np.full(len(end), number)
    return replace(end, parent=template, rank=template, row=np.arange(len(end)))


class _Layer(NamedTuple):
    """All partial networks up to a stage, and which rows of the table leave which state."""

    table: Partials
    ranks: Integers  # of each row's point among the layer's
    states: dict[Entering, Integers]


class _Job(NamedTuple):
    """Rows of a layer, all that may follow them on one branch, and the state that is left."""

    rows: Integers
    choices: Partials
    bundles: Parts  # of so many choices in a row each, the least in each column: what none of them is better than
    leaving: Entering


class _Solver:
    """The dynamic programme of one template."""

    def __init__(self, composition: Composition, template: PVTConfig, rules: _Rules, most: int) -> None:
        self.composition, self.problem, self.template = composition, composition.problem, template
        self.rules, self.most = rules, most
        self._tables: list[Partials] = []  # one per stage
        self._largest = [0] * composition.algebra.width  # what parts can sum to, up to the stage reached

    def solve(self) -> Partials | None:
        """The front of the template's whole networks, their parts the objectives; None where nothing is feasible."""
        none = np.zeros(1, dtype=np.int64)
        start = Partials(self.composition.nothing, _ones(1, self.problem.space), none, none, none, none)
        layer = _Layer(start, none, {self.problem.start(): none})
        last = len(self.problem.space.stages) - 1
        for index in range(last):
            reached = self._reached(index, layer, lambda leaving: leaving, lambda parts: parts, self.rules.partials)
            if not reached:
                return None
            layer = _layer(reached)
            self._tables.append(layer.table)
        ends = self._reached(last, layer, lambda _: None, self.composition.totals, self.rules.wholes)
        self._tables.extend(ends.values())
        return ends.get(None)

    def networks(self, rows: Integers) -> Iterator[tuple[PVTConfig, Cost]]:
        """The configurations that stand for rows of the last table, with what they cost."""
        stages = []
        for table in reversed(self._tables):
            stages.append(table.row[rows])
            rows = table.parent[rows]
        found = np.stack(stages[::-1], axis=1)
        space = self.problem.space
        for row, cost in zip(found.tolist(), costs_of(self.problem, self.template, found), strict=True):
            yield space.decode(self.template, _stages(space, row)), cost

    def _reached(
        self,
        index: int,
        layer: _Layer,
        key: Callable[[Entering], Any],
        shown: Callable[[Parts], Parts],
        pruning: Pruning,
    ) -> dict[Any, Partials]:
        """What is kept of the networks up to stage `index`, by the key of the state they leave, their parts shown."""
        gatherings: dict[Any, Gathering] = defaultdict(lambda: Gathering(pruning))
        for job in self._jobs(index, layer):
            gathering = gatherings[key(job.leaving)]
            for rows in _chunks(job.rows, len(job.choices)):
                gathering.add(self._continued(index, layer, job._replace(rows=rows), shown, gathering))
                self._check_size(index, sum(map(len, gatherings.values())))
        return {leaving: table for leaving, each in gatherings.items() if (table := each.kept()) is not None}

    def _jobs(self, index: int, layer: _Layer) -> Iterator[_Job]:
        """All that may follow each row of a layer; a sample of the rows first."""
        jobs = [
            _Job(rows, choices, bundled(choices), branch.leaving)
            for entering, rows in layer.states.items()
            for branch in self.problem.branches(self.template, index, entering)
            for choices in [self._choices(index, branch)]
        ]
        self._check_range([job.choices for job in jobs])
        for job in jobs:
            yield job._replace(rows=job.rows[::_SAMPLE])
        for job in jobs:
            yield job._replace(rows=np.delete(job.rows, np.s_[::_SAMPLE]))

    def _choices(self, index: int, branch: Branch) -> Partials:
        """The stages of a branch that can be on a front, those of equal parts as one."""
        columns = self.problem.space.options[index].columns
        head_dims = columns["embed_dim"][branch.rows] // columns["num_heads"][branch.rows]
        none = np.zeros(len(branch.rows), dtype=np.int64)
        counts = _ones(len(branch.rows), self.problem.space)
        parts = self.composition.parts(index, branch)
        stages = Partials(parts, counts, np.abs(head_dims - NEAREST_HEAD_DIM), none, none, branch.rows)
        return self.rules.stages.pruned(stages)

    def _continued(
        self, index: int, layer: _Layer, job: _Job, shown: Callable[[Parts], Parts], gathering: Gathering
    ) -> Partials:
        """The job's rows, each with all that may follow it, as far as some completion is within the limits."""
        table, choices = layer.table.take(job.rows), job.choices

        def open_places(parts: Parts) -> Integers:
            places = np.flatnonzero(gathering.promising(shown(parts)))
            return places[self.composition.can_end(self.template, index + 1, job.leaving, parts[places])]

        bundles = self.composition.joined(table.parts[:, None], job.bundles[None]).reshape(-1, job.bundles.shape[1])
        first, second = unbundled(open_places(bundles), len(job.bundles), len(choices))
        parts = self.composition.joined(table.parts[first], choices.parts[second])
        places = open_places(parts)
        first, second = first[places], second[places]
        return Partials(
            shown(parts[places]),
            table.counts[first] * choices.counts[second],
            table.distance[first] + choices.distance[second],
            job.rows[first],
            layer.ranks[job.rows[first]],
            choices.row[second],
        )

    def _check_range(self, choices: Sequence[Partials]) -> None:
        if choices:
            largest = np.max([np.abs(each.parts).max(axis=0) for each in choices], axis=0)
            self._largest = [before + int(more) for before, more in zip(self._largest, largest, strict=True)]
            self.composition.check_range(self._largest)

    def _check_size(self, index: int, rows: int) -> None:
        if rows > self.most:
            raise InputError(
                f"the exact front needs more than {self.most:,} partial networks of {index + 1} stages: give "
                "--epsilon 0.01 for a front that is within 1 % of it, fewer objectives, or a smaller space"
            )


def _layer(reached: dict[Entering, Partials]) -> _Layer:
    """All partial networks of a stage as one table."""
    table = stacked(list(reached.values()))
    ranks = np.empty(len(table), dtype=np.int64)
    ranks[np.lexsort((table.row, table.rank))] = np.arange(len(table))
    ends = np.cumsum([len(each) for each in reached.values()])
    states = {
        leaving: np.arange(end - len(each), end) for (leaving, each), end in zip(reached.items(), ends, strict=True)
    }
    return _Layer(table, ranks, states)


def _chunks(rows: Integers, choices: int) -> Iterator[Integers]:
    """Rows in portions that make a bounded number of candidates."""
    portion = max(1, _CHUNK // max(1, choices))
    for start in range(0, len(rows), portion):
        yield rows[start : start + portion]


def _stages(space: SearchSpace, rows: Sequence[int]) -> tuple[StageConfig, ...]:
    """The stages of rows of the options."""
    return tuple(options.stages[row] for options, row in zip(space.options, rows, strict=True))


def _ones(rows: int, space: SearchSpace) -> Counts:
    """A count of one per row, as Python integers where counts of a space may pass 64 bits."""
    combinations = len(space.templates) * math.prod(len(options.stages) for options in space.options)
    return np.ones(rows, dtype=np.int64 if combinations < _LARGEST_COUNT else object)
