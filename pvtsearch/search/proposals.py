"""Which network to evaluate next where an objective must be trained or measured, by a model that adds up over stages.

First come uniform feasible draws of which the model learns most. Then its mean and draws from its posterior (Thompson
1933) are maximised within all limits, exactly as far as they add up over stages; of what that finds, the network is
taken whose upper confidence bound is highest, or with several objectives adds most to the hypervolume of the front.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.metrics import METRICS
from pvtsearch.analysis.regression import Posterior, fit
from pvtsearch.analysis.table import LARGEST_EXACT
from pvtsearch.cost import Budget
from pvtsearch.records import Objective
from pvtsearch.search.ascent import highest
from pvtsearch.search.draws import uniform_draws
from pvtsearch.search.features import EXPECTED, Features, Floats
from pvtsearch.search.lattice import Edges, Integers, Lattice
from pvtsearch.search.maximise import Maximiser
from pvtsearch.search.pareto import nondominated
from pvtsearch.search.problem import Problem

STARTS = 8  # evaluated networks before a model is asked
POOL = 256  # uniform draws that the first networks are taken from, and features are scaled on
DRAWS = 3  # from the posterior, beside its mean
NEIGHBOURS = 20  # of what the mean is highest at, in each stage
CONFIDENCE = 1.0  # standard deviations above the mean that a network is judged by
_MARGIN = 0.1  # of a front's extent that a hypervolume goes beyond it


@dataclass(frozen=True)
class Observed:
    """An evaluated network and its objectives, signs turned so that more is better in each."""

    edges: Edges
    values: tuple[float, ...]


class Proposer:
    """Proposes networks of one problem. Metrics among the objectives are known exactly; all else is modelled."""

    def __init__(self, problem: Problem, objectives: Sequence[Objective]) -> None:
        self.objectives = tuple(objectives)
        self._limited = problem
        metrics = [goal.name for goal in objectives if goal.name in METRICS]
        loose = {name: LARGEST_EXACT for name in metrics if name not in problem.budget.limits}
        budget = Budget({**problem.budget.limits, **loose}, problem.budget.source)
        self.problem = replace(problem, budget=budget)

    @cached_property
    def _places(self) -> dict[int, int]:
        """Of each objective that is known, its place among the problem's limits."""
        limited = list(self.problem.budget.limits)
        return {n: limited.index(goal.name) for n, goal in enumerate(self.objectives) if goal.name in METRICS}

    @cached_property
    def lattice(self) -> Lattice:
        """The networks to choose from. Raises `TooManyEdges` where they are too many for tables."""
        return Lattice(self.problem)

    @cached_property
    def maximiser(self) -> Maximiser:
        """What finds maxima of scores that add up over stages."""
        return Maximiser(self.lattice)

    @cached_property
    def pool(self) -> list[Edges]:
        """Distinct uniform draws within the limits."""
        drawn = (self.lattice.edges(config) for config in uniform_draws(self._limited, POOL, seed=0))
        return list(dict.fromkeys(edges for edges in drawn if edges is not None))

    @cached_property
    def features(self) -> Features:
        """What models see of networks."""
        return Features(self.lattice, self.pool)

    def propose(self, seen: Sequence[Observed], pending: Sequence[Edges], rng: np.random.Generator) -> Edges | None:
        """A network that is neither seen nor pending (being evaluated elsewhere); None where none comes to mind."""
        known = {each.edges for each in seen} | set(pending)
        if len(seen) < STARTS:
            return self.spread(known, rng)
        posteriors = {
            number: self._posterior(seen, pending, number)
            for number in range(len(self.objectives))
            if number not in self._places
        }
        candidates = dict.fromkeys(self._candidates(seen, posteriors, rng))
        unseen = [edges for edges in candidates if edges not in known]
        if not unseen:
            return self.spread(known, rng)
        hoped = self._hoped(unseen, posteriors)
        gain = hoped[:, 0] if len(self.objectives) == 1 else _gains([each.values for each in seen], hoped)
        return unseen[int(np.argmax(gain))]

    def spread(self, known: set[Edges], rng: np.random.Generator) -> Edges | None:
        """Of half of the uniform draws, that one of which a model of what is known would learn most."""
        pool = [edges for edges in self.pool if edges not in known]
        if not pool:
            return None
        pool = [pool[place] for place in sorted(rng.choice(len(pool), -(-len(pool) // 2), replace=False))]
        features = self.features.of(sorted(known))
        blank = Posterior(features, self.features.groups, EXPECTED, 0.0, 1.0, np.zeros(len(known)))
        return pool[int(np.argmax(blank.deviation(self.features.of(pool))))]

    def _posterior(self, seen: Sequence[Observed], pending: Sequence[Edges], number: int) -> Posterior:
        """The model of an objective; networks that are pending count as if they came out as expected."""
        features = self.features.of([each.edges for each in seen])
        values = np.array([each.values[number] for each in seen])
        found = fit(features, values, self.features.groups, EXPECTED)
        more = self.features.of(pending)
        residual = (found.mean(more) - found.offset) / found.scale
        return replace(
            found,
            features=np.concatenate([features, more]),
            residual=np.concatenate([found.residual, residual]),
        )

    def _candidates(
        self, seen: Sequence[Observed], posteriors: dict[int, Posterior], rng: np.random.Generator
    ) -> Iterator[Edges]:
        """What the mean and draws are highest at, each within limits of its own, and neighbours of the mean's."""
        known = self.features.of([each.edges for each in seen])
        for number in range(1 + DRAWS):
            limits = self._tightened(seen, rng)
            if not posteriors:
                yield from self._cheapest(limits, rng)
                continue
            weights = self._weights(posteriors, rng, drawn=number > 0)
            surface = self.features.surface(weights)
            best = seen[int(np.argmax(known @ weights))].edges
            found = highest(self.maximiser, self.features, surface, limits, [] if number else [best])
            if found is None:
                continue
            yield found
            if number == 0:
                for stage in range(len(found)):
                    near = [self.lattice.variants(edges, stage, limits) for edges in (found, best)]
                    paths = np.concatenate(near)
                    order = np.argsort(-self.features.values(surface, paths), kind="stable")[:NEIGHBOURS]
                    yield from map(tuple, paths[order].tolist())

    def _weights(self, posteriors: dict[int, Posterior], rng: np.random.Generator, *, drawn: bool) -> Floats:
        """Weights of features: of the one modelled objective, or of several mixed at random, in equal units."""
        mixture = rng.dirichlet(np.ones(len(posteriors))) if len(posteriors) > 1 else np.ones(1)
        each = [p.draw(rng) if drawn else p.weights for p in posteriors.values()]
        units = [posterior.scale for posterior in posteriors.values()]
        total: Floats = sum(share * one / unit for share, one, unit in zip(mixture, each, units, strict=True))
        return total

    def _tightened(self, seen: Sequence[Observed], rng: np.random.Generator) -> Integers:
        """The limits, and below what a network of the front costs in each metric that is an objective, at random."""
        limits = self.problem.limits.copy()
        front = _front([each.values for each in seen])
        for number, place in self._places.items():
            levels = np.unique(-front[:, number])
            level = rng.integers(len(levels) + 1)  # one beyond: as it is
            if level < len(levels):
                limits[place] = min(limits[place], int(levels[level]) - 1)
        return limits

    def _cheapest(self, limits: Integers, rng: np.random.Generator) -> Iterator[Edges]:
        """The cheapest network in one of the metrics that are all objectives there are."""
        algebra = self.problem.limited_algebra
        sums = [place for place in self._places.values() if algebra.combines[place] == "sum"]
        columns = [algebra.columns[place].start for place in sums]
        if columns:
            column = columns[rng.integers(len(columns))]
            found = self.maximiser.best(
                [-layer.costs[:, column].astype(float) for layer in self.lattice.layers], limits
            )
            if found:
                yield found.edges

    def _hoped(self, networks: Sequence[Edges], posteriors: dict[int, Posterior]) -> Floats:
        """What networks may reach in each objective, shape (N, objectives): exact where it is known."""
        features = self.features.of(networks)
        costs = self.problem.limited_algebra.total(np.stack([self.lattice.cost(edges) for edges in networks]))
        columns = [
            posteriors[number].mean(features) + CONFIDENCE * posteriors[number].deviation(features)
            if number in posteriors
            else -costs[:, self._places[number]].astype(np.float64)
            for number in range(len(self.objectives))
        ]
        return np.stack(columns, axis=1)


def _front(values: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """The rows that no other dominates, more being better."""
    table = np.array(values)
    return table[nondominated(-table)]


def _gains(values: Sequence[Sequence[float]], hoped: Floats) -> Floats:
    """What each hoped-for row would add to the hypervolume of the front of values, more being better."""
    from moocore import hypervolume

    front = _front(values)
    both = np.concatenate([front, hoped])
    least, extent = both.min(axis=0), np.ptp(both, axis=0)
    unit = np.where(extent > 0, extent, 1.0)
    scaled, wanted = (least - front) / unit, (least - hoped) / unit  # 0 at the worst, -1 at the best
    reference = np.full(len(least), _MARGIN)
    before = hypervolume(scaled, ref=reference)
    return np.array([hypervolume(np.vstack([scaled, row]), ref=reference) - before for row in wanted])
