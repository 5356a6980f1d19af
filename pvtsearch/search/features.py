"""What a model of networks sees of them: features of stages, of a stage with the width that enters it, and across.

Knobs are positions from -1 to 1 among the values that their stage can take. Features of a stage, alone or with what
enters, add up along a path of the lattice, so a model of them is maximised exactly; products of knobs of different
stages do not, and a model of them is maximised approximately.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from pvtsearch.accuracy.prior import width_sum
from pvtsearch.knobs import StageOptions
from pvtsearch.search.lattice import Edges, Lattice

Floats = NDArray[np.float64]

WAVES = 4  # smooth effects of a knob: cosines of up to so many half waves

# Of each group the share of an objective's variance that it is expected to explain, before anything is seen.
EXPECTED = {
    "widths": 0.5,  # the sum of widths over all blocks, which the accuracy prior was made from
    "parts": 0.1,  # choices for the whole network
    "knobs": 0.5,  # smooth effects of single knobs
    "values": 0.02,  # of single values, whatever their neighbours do
    "pairs": 0.1,  # products of two knobs of a stage
    "entering": 0.05,  # products of a knob with the width that enters
    "across": 0.05,  # products of knobs of different stages
    "noise": 0.05,
}


@dataclass(frozen=True)
class _Stage:
    """Features of the O options of one stage."""

    score: Floats  # (O,): part of the sum of widths
    own: Floats  # (O, D)
    groups: tuple[str, ...]  # (D,)
    linear: Floats  # (O, K): positions of the knobs that have a choice
    width: Floats  # (O,): position of embed_dim


@dataclass(frozen=True)
class Surface:
    """A model with its weights: what the stages of a path add, and what products across stages do.

    edges: per layer (R,). across: for each two stages (K, L), between their `linear` positions.
    """

    edges: tuple[Floats, ...]
    across: dict[tuple[int, int], Floats]


class Features:
    """Features of the networks of a lattice, scaled on a sample of them."""

    def __init__(self, lattice: Lattice, sample: Sequence[Edges]) -> None:
        self.lattice = lattice
        self.stages = tuple(_stage(options) for options in lattice.problem.space.options)
        self.groups = self._groups()
        self._scale = np.ones(len(self.groups))
        self._shift = np.zeros(len(self.groups))
        raw, names = self.of(sample), np.array(self.groups)
        self._shift = raw.mean(axis=0)
        squares = ((raw - self._shift) ** 2).mean(axis=0)
        totals = {name: squares[names == name].sum() for name in set(self.groups)}
        self._scale = np.array([1 / np.sqrt(totals[name]) if totals[name] > 0 else 0.0 for name in self.groups])
        self._shift = self._shift * self._scale

    def _groups(self) -> tuple[str, ...]:
        stages = self.stages
        return (
            "widths",
            *(["parts"] * len(self.lattice.roots)),
            *(group for stage in stages for group in stage.groups),
            *(["entering"] * sum(stage.linear.shape[1] for stage in stages[1:])),
            *(["across"] * sum(a.linear.shape[1] * b.linear.shape[1] for a, b in combinations(stages, 2))),
        )

    def of(self, networks: Sequence[Edges]) -> Floats:
        """Features of networks, shape (N, D)."""
        edges = np.array(networks, dtype=np.int64).reshape(len(networks), len(self.stages))
        rows = [layer.rows[edges[:, index]] for index, layer in enumerate(self.lattice.layers)]
        roots = self.lattice.layers[0].leaving[edges[:, 0]]
        score = sum(stage.score[row] for stage, row in zip(self.stages, rows, strict=True))
        own = [stage.own[row] for stage, row in zip(self.stages, rows, strict=True)]
        linear = [stage.linear[row] for stage, row in zip(self.stages, rows, strict=True)]
        width = [stage.width[row] for stage, row in zip(self.stages, rows, strict=True)]
        entering = [before[:, None] * knobs for before, knobs in zip(width, linear[1:], strict=False)]
        across = [
            (a[:, :, None] * b[:, None]).reshape(len(networks), a.shape[1] * b.shape[1])
            for a, b in combinations(linear, 2)
        ]
        parts = np.eye(len(self.lattice.roots))[roots]
        columns = np.concatenate([np.reshape(score, (-1, 1)), parts, *own, *entering, *across], axis=1)
        return columns * self._scale - self._shift

    def surface(self, weights: Floats) -> Surface:
        """The model of these weights (D,), up to a constant."""
        left = weights * self._scale
        prior, parts, left = np.split(left, [1, 1 + len(self.lattice.roots)])
        scores = []
        for layer, stage in zip(self.lattice.layers, self.stages, strict=True):
            own, left = np.split(left, [stage.own.shape[1]])
            scores.append((stage.own @ own + stage.score * prior)[layer.rows])
        scores[0] += parts[self.lattice.layers[0].leaving]
        for index, (before, stage) in enumerate(pairwise(self.stages), start=1):
            entering, left = np.split(left, [stage.linear.shape[1]])
            layer = self.lattice.layers[index]
            scores[index] += self._entering(index, before)[layer.leaving] * (stage.linear @ entering)[layer.rows]
        across = {}
        for one, other in combinations(range(len(self.stages)), 2):
            shape = self.stages[one].linear.shape[1], self.stages[other].linear.shape[1]
            products, left = np.split(left, [shape[0] * shape[1]])
            across[one, other] = products.reshape(shape)
        return Surface(tuple(scores), across)

    def values(self, surface: Surface, paths: NDArray[np.int64]) -> Floats:
        """What a model says of networks, shape (N,) of paths (N, stages), up to a constant."""
        total: Floats = np.sum([scores[paths[:, index]] for index, scores in enumerate(surface.edges)], axis=0)
        linear = [self._linear(index, paths[:, index]) for index in range(len(self.stages))]
        for (one, other), products in surface.across.items():
            total = total + np.einsum("nk,kl,nl->n", linear[one], products, linear[other], optimize=True)
        return total

    def around(self, surface: Surface, edges: Edges) -> tuple[Floats, ...]:
        """What edges add where each stage meets the others as they are in one network."""
        positions = [self._linear(index, np.array([edge]))[0] for index, edge in enumerate(edges)]
        slopes = [np.zeros(len(position)) for position in positions]
        for (one, other), products in surface.across.items():
            slopes[one] += products @ positions[other]
            slopes[other] += positions[one] @ products
        met = zip(surface.edges, self.stages, self.lattice.layers, slopes, strict=True)
        return tuple(scores + (stage.linear @ slope)[layer.rows] for scores, stage, layer, slope in met)

    def _linear(self, index: int, edges: NDArray[np.int64]) -> Floats:
        return self.stages[index].linear[self.lattice.layers[index].rows[edges]]

    def _entering(self, index: int, before: _Stage) -> Floats:
        """The position of the width that enters at each node of a layer."""
        widths = self.lattice.problem.space.options[index - 1].columns["embed_dim"]
        known = dict(zip(widths.tolist(), before.width.tolist(), strict=True))
        return np.array([known[entering.in_chans] for _, entering in self.lattice.layers[index].nodes])


def _stage(options: StageOptions) -> _Stage:
    names = [name for name, index in options.knobs.items() if index.max(initial=0) > 0]
    sizes = {name: int(options.knobs[name].max()) for name in names}
    linear = {name: 2.0 * options.knobs[name] / sizes[name] - 1 for name in names}
    nothing = np.zeros(len(options.stages))
    features = list[tuple[str, Floats]]()
    for name in names:
        waves = range(1, min(WAVES, sizes[name]) + 1)
        features += [("knobs", np.cos(np.pi * k * (linear[name] + 1) / 2) / k**2) for k in waves]
        features += [("values", (options.knobs[name] == value).astype(float)) for value in range(sizes[name] + 1)]
    features += [("pairs", linear[one] * linear[other]) for one, other in combinations(names, 2)]
    return _Stage(
        np.asarray(width_sum(options.columns["depth"], options.columns["embed_dim"]), dtype=np.float64),
        np.array([column for _, column in features]).reshape(len(features), len(nothing)).T,
        tuple(group for group, _ in features),
        np.array(list(linear.values())).reshape(len(names), len(nothing)).T,
        linear.get("embed_dim", nothing),
    )
