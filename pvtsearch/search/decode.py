"""From a sampler's point to a configuration that is inside the budget, whatever the point."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from pvtsearch.analysis.parts import Parts
from pvtsearch.analysis.table import as_dict
from pvtsearch.config import PVTConfig
from pvtsearch.knobs import Rows
from pvtsearch.search.completions import Completions, fits
from pvtsearch.search.problem import Problem
from pvtsearch.space import Entering

Point = Mapping[str, int]
NETWORK = "network"


class Decoded(NamedTuple):
    """A configuration and what it costs, by metric name."""

    config: PVTConfig
    cost: dict[str, int]


class Follow(NamedTuple):
    """All that may follow a state, branch after branch, as flat arrays over R rows."""

    rows: Rows  # of the stage's options
    costs: Parts  # (R, columns of the problem's algebra)
    knobs: Rows  # (R, knobs): index of each knob's value
    branch: Rows  # which of `leaving` a row leads to
    leaving: tuple[Entering, ...]


class Path(NamedTuple):
    """A whole network: its template, and for each stage the state it entered and its place in `Follow`."""

    template: PVTConfig
    steps: tuple[tuple[Entering, int], ...]


def knob_name(stage: int, knob: str) -> str:
    """Name of a knob of a stage (counted from 0) as samplers see it."""
    return f"stage{stage + 1}.{knob}"


class Decoder:
    """Turns points into feasible configurations, knob by knob.

    A knob of n values is an index in 0 .. n-1, always, so a sampler sees fixed ranges. Of the n values those m are kept
    that still have a completion within all limits jointly, and the index is scaled onto them: index * m // n.
    Where every value is feasible the index means the value itself. No point decodes to anything outside the limits.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._completions = Completions(problem)
        self._following: dict[tuple[PVTConfig, int, Entering], Follow] = {}

    @cached_property
    def templates(self) -> tuple[PVTConfig, ...]:
        """The choices of network-wide parts that leave anything feasible."""
        start = self.problem.start()
        return tuple(t for t in self.problem.space.templates if len(self._completions.front(t, 0, start)))

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Number of values of every knob that has a choice, by the name that samplers see."""
        sizes = {NETWORK: len(self.problem.space.templates)}
        for stage, knobs in enumerate(self.problem.space.stages):
            sizes |= {knob_name(stage, name): len(values) for name, values in knobs.by_name().items()}
        return {name: size for name, size in sizes.items() if size > 1}

    def decode(self, point: Point) -> Decoded:
        """The configuration of a point: an index for every knob in `sizes`. Needs `templates` not to be empty."""
        template = self.templates[_scaled(point.get(NETWORK, 0), self.sizes.get(NETWORK, 1), len(self.templates))]
        entering, spent = self.problem.start(), self._nothing()
        steps = []
        for index in range(len(self.problem.space.stages)):
            follow = self._follow(template, index, entering)
            places = self._feasible(template, index, follow, spent)
            for column, name in enumerate(self._knob_names(index)):
                kept = np.unique(follow.knobs[places, column])
                value = kept[_scaled(point.get(name, 0), self.sizes.get(name, 1), len(kept))]
                places = places[follow.knobs[places, column] == value]
            place = int(places[0])
            steps.append((entering, place))
            spent, entering = self._spend(spent, follow, place), follow.leaving[follow.branch[place]]
        return self.decoded(Path(template, tuple(steps)))

    def encode(self, path: Path) -> dict[str, int]:
        """The smallest point that decodes to the network of path."""
        point = {
            NETWORK: _unscaled(self.templates.index(path.template), self.sizes.get(NETWORK, 1), len(self.templates))
        }
        spent = self._nothing()
        for index, (entering, place) in enumerate(path.steps):
            follow = self._follow(path.template, index, entering)
            places = self._feasible(path.template, index, follow, spent)
            for column, name in enumerate(self._knob_names(index)):
                kept = np.unique(follow.knobs[places, column])
                value = follow.knobs[place, column]
                point[name] = _unscaled(int(np.searchsorted(kept, value)), self.sizes.get(name, 1), len(kept))
                places = places[follow.knobs[places, column] == value]
            spent = self._spend(spent, follow, place)
        return {name: point[name] for name in self.sizes}

    def path(self, template: PVTConfig, rows: Sequence[int]) -> Path:
        """The path through rows of the stages' options, of which each may follow the one before."""
        entering, steps = self.problem.start(), list[tuple[Entering, int]]()
        for index, row in enumerate(rows):
            follow = self._follow(template, index, entering)
            place = int(np.flatnonzero(follow.rows == row)[0])
            steps.append((entering, place))
            entering = follow.leaving[follow.branch[place]]
        return Path(template, tuple(steps))

    def unseen(self, seen: Collection[PVTConfig], rng: np.random.Generator) -> dict[str, int] | None:
        """A point whose configuration is not in seen, or None where every feasible configuration is."""
        for path in self.walk(rng):
            if self.decoded(path).config not in seen:
                return self.encode(path)
        return None

    def walk(self, rng: np.random.Generator) -> Iterator[Path]:
        """Every feasible network once, depth first, in an order drawn from rng."""
        for choice in rng.permutation(len(self.templates)):
            template = self.templates[choice]
            yield from self._walk(template, (), self.problem.start(), self._nothing(), rng)

    def _walk(
        self,
        template: PVTConfig,
        steps: tuple[tuple[Entering, int], ...],
        entering: Entering,
        spent: Parts,
        rng: np.random.Generator,
    ) -> Iterator[Path]:
        index = len(steps)
        if index == len(self.problem.space.stages):
            yield Path(template, steps)
            return
        follow = self._follow(template, index, entering)
        for place in rng.permutation(self._feasible(template, index, follow, spent)):
            leaving = follow.leaving[follow.branch[place]]
            step = (entering, int(place))
            yield from self._walk(template, (*steps, step), leaving, self._spend(spent, follow, place), rng)

    def decoded(self, path: Path) -> Decoded:
        """The configuration of a path through the space, and its cost."""
        stages, spent = [], self._nothing()
        for index, (entering, place) in enumerate(path.steps):
            follow = self._follow(path.template, index, entering)
            stages.append(self.problem.space.options[index].stages[follow.rows[place]])
            spent = self._spend(spent, follow, place)
        return Decoded(self.problem.space.decode(path.template, tuple(stages)), as_dict(spent, self.problem.costing))

    def _knob_names(self, index: int) -> list[str]:
        return [knob_name(index, name) for name in self.problem.space.stages[index].by_name()]

    def _nothing(self) -> Parts:
        return self.problem.algebra.nothing()

    def _spend(self, spent: Parts, follow: Follow, place: int) -> Parts:
        """What is spent after one stage more."""
        return self.problem.algebra.concatenate(spent, follow.costs[place])

    def _follow(self, template: PVTConfig, index: int, entering: Entering) -> Follow:
        key = (template, index, entering)
        if key not in self._following:
            branches = self.problem.branches(template, index, entering)
            rows = np.concatenate([branch.rows for branch in branches])
            self._following[key] = Follow(
                rows,
                np.concatenate([branch.costs for branch in branches]),
                np.stack([column[rows] for column in self.problem.space.options[index].knobs.values()], axis=1),
                np.repeat(np.arange(len(branches)), [len(branch.rows) for branch in branches]),
                tuple(branch.leaving for branch in branches),
            )
        return self._following[key]

    def _feasible(self, template: PVTConfig, index: int, follow: Follow, spent: Parts) -> Rows:
        """Places in follow that some completion still takes to the end within all limits."""
        limited, algebra = self.problem.limited, self.problem.limited_algebra
        beginnings = algebra.concatenate(spent[limited], follow.costs[:, limited])
        room = algebra.room(beginnings, self.problem.limits)
        inside = np.zeros(len(follow.rows), dtype=bool)
        for number, leaving in enumerate(follow.leaving):
            here = follow.branch == number
            inside[here] = fits(self._completions.front(template, index + 1, leaving), room[here])
        return np.flatnonzero(inside)


def _scaled(index: int, values: int, kept: int) -> int:
    """Place among the kept values of an index among all values."""
    return index * kept // values


def _unscaled(place: int, values: int, kept: int) -> int:
    """The smallest index among all values that is scaled onto place."""
    return -(-place * values // kept)
