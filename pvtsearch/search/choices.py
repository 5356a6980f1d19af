"""What may follow each state of a half-built network, as far as it can matter to a front."""

from __future__ import annotations

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.parts import Parts
from pvtsearch.config import PVTConfig
from pvtsearch.search.composition import Composition
from pvtsearch.search.partials import Counts, Exact, Partials, bundled, stacked
from pvtsearch.search.problem import Branch
from pvtsearch.space import Entering, SearchSpace

NEAREST_HEAD_DIM = 64

_LARGEST_COUNT = 2**62


class Choice(NamedTuple):
    """Stages that may follow, and the state that is left."""

    stages: Partials
    bundles: Parts  # of so many stages in a row each, the least in each column: what none of them is better than
    leaving: Entering


class Choices:
    """The stages that may follow each state that a template's networks can be in, made when first asked for."""

    def __init__(self, composition: Composition, template: PVTConfig) -> None:
        self.composition, self.problem, self.template = composition, composition.problem, template
        self._known: dict[tuple[int, Entering], tuple[Choice, ...]] = {}

    @property
    def last(self) -> int:
        """The last stage."""
        return len(self.problem.space.stages) - 1

    def after(self, index: int, entering: Entering) -> tuple[Choice, ...]:
        """What stage `index` may be after a stage that left `entering` behind."""
        if (index, entering) not in self._known:
            branches = self.problem.branches(self.template, index, entering)
            tables = [(self._stages(index, branch), branch.leaving) for branch in branches]
            if index == self.last:  # nothing follows, so all states are one
                tables = [(stacked([stages for stages, _ in tables]), leaving) for _, leaving in tables[:1]]
            self._known[index, entering] = tuple(self._choice(stages, leaving) for stages, leaving in tables)
        return self._known[index, entering]

    @cached_property
    def layers(self) -> tuple[Parts, ...]:
        """For each stage the parts of all that it may be, (N, columns)."""
        states, layers = {self.problem.start()}, list[Parts]()
        for index in range(self.last + 1):
            choices = [choice for entering in states for choice in self.after(index, entering)]
            states = {choice.leaving for choice in choices}
            layers.append(np.concatenate([self.composition.nothing[:0], *(each.stages.parts for each in choices)]))
        return tuple(layers)

    @cached_property
    def largest(self) -> NDArray[np.float64]:
        """What each column of parts is at most, signs aside, in any of the template's networks, (columns,)."""
        largest = np.zeros(self.composition.algebra.width)
        for parts in self.layers:
            largest += np.abs(parts).max(axis=0, initial=0)
        return largest

    def rate(self, column: int, other: int) -> int:
        """The least whole multiple of another column that one is at most, in all stages after the first.

        Where the other is 0 it is not asked.
        """
        parts = np.concatenate([self.composition.nothing, *self.layers[1:]])
        parts = parts[parts[:, other] > 0]
        return int((-(-parts[:, column] // parts[:, other])).max(initial=0))

    def _stages(self, index: int, branch: Branch) -> Partials:
        columns = self.problem.space.options[index].columns
        head_dims = columns["embed_dim"][branch.rows] // columns["num_heads"][branch.rows]
        none = np.zeros(len(branch.rows), dtype=np.int64)
        parts, counts = self.composition.parts(index, branch), ones(len(branch.rows), self.problem.space)
        return Partials(parts, counts, np.abs(head_dims - NEAREST_HEAD_DIM), none, none, branch.rows)

    def _choice(self, stages: Partials, leaving: Entering) -> Choice:
        """Of stages those that no other beats wherever they stand, those of equal parts as one."""
        kept = self._pruning.pruned(stages)
        return Choice(kept, bundled(kept), leaving)

    @cached_property
    def _pruning(self) -> Exact:
        return Exact(self.composition.strict, self.composition.levels)


def ones(rows: int, space: SearchSpace) -> Counts:
    """A count of one per row, as Python integers where counts of a space may pass 64 bits."""
    combinations = len(space.templates) * math.prod(len(options.stages) for options in space.options)
    return np.ones(rows, dtype=np.int64 if combinations < _LARGEST_COUNT else object)
