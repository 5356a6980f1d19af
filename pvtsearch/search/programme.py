"""The dynamic programme over the stages of one template's networks: which of them are kept, stage after stage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.parts import Parts
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.cost import Cost
from pvtsearch.errors import InputError
from pvtsearch.search.choices import Choice, Choices, ones
from pvtsearch.search.partials import Gathering, Integers, Partials, Pruning, stacked, unbundled
from pvtsearch.search.paths import costs_of
from pvtsearch.space import Entering, SearchSpace

Keep = Callable[[int, Entering, Parts], NDArray[np.bool_]]

_CHUNK = 2**19  # candidates that are made at once
_LARGE = 2**14  # candidates of a job from which on a sample of it pays
_SAMPLE = 16  # one partial network in so many goes first: the sieve that these make removes most of the others


class Rules(NamedTuple):
    """What may be forgotten of beginnings of networks and of whole ones."""

    partials: Callable[[Choices, int, Entering], Pruning]  # before a stage, of those that leave a state
    wholes: Pruning


def everything(_index: int, _entering: Entering, parts: Parts) -> NDArray[np.bool_]:
    """A mask that keeps all beginnings before stage `index` that leave `entering`."""
    return np.ones(len(parts), dtype=bool)


class _Layer(NamedTuple):
    """All partial networks up to a stage, and which rows of the table leave which state."""

    table: Partials
    ranks: Integers  # of each row's point among the layer's
    states: dict[Entering, Integers]


class _Job(NamedTuple):
    """Rows of a layer, and what may follow them."""

    rows: Integers
    choice: Choice


class Programme:
    """The dynamic programme of one template. keep: which beginnings of networks to go on with, of those left."""

    def __init__(self, choices: Choices, rules: Rules, most: int, keep: Keep) -> None:
        self.choices, self.rules, self.most, self.keep = choices, rules, most, keep
        self.composition, self.problem, self.template = choices.composition, choices.problem, choices.template
        self._tables: list[Partials] = []  # one per stage
        self._largest = [0] * self.composition.algebra.width  # what parts can sum to, up to the stage reached

    def solve(self) -> Partials | None:
        """The front of the template's whole networks, their parts the objectives; None where nothing is feasible."""
        none = np.zeros(1, dtype=np.int64)
        start = Partials(self.composition.nothing, ones(1, self.problem.space), none, none, none, none)
        layer = _Layer(start, none, {self.problem.start(): none})
        last = self.choices.last
        for index in range(last):
            pruning = partial(self.rules.partials, self.choices, index + 1)
            reached = self._reached(index, layer, lambda leaving: leaving, lambda parts: parts, pruning)
            if not reached:
                return None
            layer = _layer(reached)
            self._tables.append(layer.table)
        ends = self._reached(last, layer, lambda _: None, self.composition.totals, lambda _: self.rules.wholes)
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
        pruning: Callable[[Any], Pruning],
    ) -> dict[Any, Partials]:
        """What is kept of the networks up to stage `index`, by the key of the state they leave, their parts shown."""
        gatherings: dict[Any, Gathering] = {}
        for job in self._jobs(index, layer):
            left = key(job.choice.leaving)
            if left not in gatherings:
                gatherings[left] = Gathering(pruning(left))
            gathering = gatherings[left]
            for rows in _chunks(job.rows, len(job.choice.stages)):
                gathering.add(self._continued(index, layer, job._replace(rows=rows), shown, gathering))
                self._check_size(index, sum(map(len, gatherings.values())))
        return {leaving: table for leaving, each in gatherings.items() if (table := each.kept()) is not None}

    def _jobs(self, index: int, layer: _Layer) -> Iterator[_Job]:
        """All that may follow each row of a layer; where that is much, a sample of the rows first."""
        jobs = [
            _Job(rows, choice)
            for entering, rows in layer.states.items()
            for choice in self.choices.after(index, entering)
        ]
        self._check_range([job.choice.stages for job in jobs])
        large = [len(job.rows) * len(job.choice.stages) > _LARGE for job in jobs]
        for job, is_large in zip(jobs, large, strict=True):
            yield job._replace(rows=job.rows[::_SAMPLE]) if is_large else job
        for job in compress(jobs, large):
            yield job._replace(rows=np.delete(job.rows, np.s_[::_SAMPLE]))

    def _continued(
        self, index: int, layer: _Layer, job: _Job, shown: Callable[[Parts], Parts], gathering: Gathering
    ) -> Partials:
        """The job's rows, each with all that may follow it, as far as some completion is within the limits."""
        table, (choices, least, leaving) = layer.table.take(job.rows), job.choice

        def open_places(parts: Parts) -> Integers:
            places = np.flatnonzero(gathering.promising(shown(parts)))
            places = places[self.composition.can_end(self.template, index + 1, leaving, parts[places])]
            return places[self.keep(index + 1, leaving, parts[places])]

        bundles = self.composition.joined(table.parts[:, None], least[None]).reshape(-1, least.shape[1])
        first, second = unbundled(open_places(bundles), len(least), len(choices))
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
