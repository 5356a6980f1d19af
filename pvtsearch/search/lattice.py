"""A problem's networks as a layered graph in flat arrays: what may stand at each stage, and where it leads.

A node is the state between two stages (a template and what enters); an edge is a stage that may follow it. Every path
from a node of the first layer to the end obeys rules and limits on stages; budgets on whole networks are not in it, but
no edge leads where no network could end within them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.parts import Parts
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.errors import PvtsearchError
from pvtsearch.search.completions import Completions
from pvtsearch.search.problem import Problem
from pvtsearch.space import Entering

Integers = NDArray[np.int64]
Node = tuple[PVTConfig, Entering]
Edges = tuple[int, ...]  # a network: an edge per layer


MAX_EDGES = 5_000_000


class TooManyEdges(PvtsearchError):
    """The stages that may follow the states of a space are too many for a table."""


@dataclass(frozen=True)
class Layer:
    """All that one stage may be: R edges in the order of the N nodes that they leave, those of a node by their rows."""

    nodes: tuple[Node, ...]
    starts: Integers  # (N + 1,): the edges of node n are starts[n] to before starts[n + 1]
    rows: Integers  # (R,) of the stage's options
    costs: Parts  # (R, columns of the problem's limited algebra)
    following: Integers  # (R,) the node of the next layer that an edge leads to; 0 after the last stage

    def edges(self, node: int) -> slice:
        """The edges of a node."""
        return slice(int(self.starts[node]), int(self.starts[node + 1]))

    @cached_property
    def leaving(self) -> Integers:
        """The node that each edge leaves, (R,)."""
        return np.repeat(np.arange(len(self.nodes)), np.diff(self.starts))

    def edge(self, node: int, row: int) -> int | None:
        """The edge of a node that is a row of the stage's options; None where there is none."""
        span = self.edges(node)
        place = span.start + int(np.searchsorted(self.rows[span], row))
        return place if place < span.stop and self.rows[place] == row else None


class Lattice:
    """The layers of a problem, one per stage; none where nothing is within its limits.

    Raises `TooManyEdges` where a layer would have more than `MAX_EDGES`.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem, self.completions = problem, Completions(problem)
        nodes = [(template, problem.start()) for template in problem.space.templates]
        nodes = [node for node in nodes if self._lives(0, node)]
        layers = list[Layer]()
        while nodes and len(layers) < len(problem.space.stages):
            layer, nodes = self._layer(len(layers), tuple(nodes))
            layers.append(layer)
        self.layers = tuple(layers)

    @property
    def roots(self) -> tuple[Node, ...]:
        """The nodes of the first layer: a template each."""
        return self.layers[0].nodes if self.layers else ()

    @cached_property
    def _rows(self) -> tuple[dict[StageConfig, int], ...]:
        return tuple({stage: row for row, stage in enumerate(o.stages)} for o in self.problem.space.options)

    def config(self, edges: Sequence[int]) -> PVTConfig:
        """The configuration of a path: an edge per layer."""
        options = self.problem.space.options
        stages = [o.stages[layer.rows[edge]] for o, layer, edge in zip(options, self.layers, edges, strict=True)]
        return self.problem.space.decode(self.roots[self.layers[0].leaving[edges[0]]][0], tuple(stages))

    def edges(self, config: PVTConfig) -> Edges | None:
        """The path of a configuration, its name aside; None where it is not in the lattice."""
        for node, (template, _) in enumerate(self.roots):
            if all(getattr(config, part) == getattr(template, part) for part in self.problem.space.network):
                return self.path(node, [known.get(s, -1) for known, s in zip(self._rows, config.stages, strict=True)])
        return None

    def path(self, node: int, rows: Sequence[int]) -> Edges | None:
        """The edges of rows of the stages' options from a root on; None where rules or limits part them."""
        edges = list[int]()
        for layer, row in zip(self.layers, rows, strict=True):
            edge = layer.edge(node, row)
            if edge is None:
                return None
            edges.append(edge)
            node = int(layer.following[edge])
        return tuple(edges)

    def cost(self, edges: Sequence[int]) -> Parts:
        """What the budget limits of the network on a path, as parts."""
        parts = self.problem.limited_algebra.nothing()
        for layer, edge in zip(self.layers, edges, strict=True):
            parts = self.problem.limited_algebra.concatenate(parts, layer.costs[edge])
        return parts

    def variants(self, edges: Edges, stage: int, limits: Integers | None = None) -> Integers:
        """The networks within the limits that differ from a path in one stage only, and itself, shape (V, stages)."""
        layer = self.layers[stage]
        changed = np.arange(len(layer.rows))[layer.edges(int(layer.leaving[edges[stage]]))]
        paths = np.tile(np.array(edges), (len(changed), 1))
        paths[:, stage] = changed
        for index in range(stage + 1, len(self.layers)):
            nodes = self.layers[index - 1].following[paths[:, index - 1]]
            row = int(self.layers[index].rows[edges[index]])
            found = {node: self.layers[index].edge(node, row) for node in np.unique(nodes).tolist()}
            places = np.array([-1 if found[node] is None else found[node] for node in nodes.tolist()], dtype=np.int64)
            paths[:, index] = places
            paths = paths[places >= 0]
        parts = self.problem.limited_algebra.nothing()[None]
        for index, layer in enumerate(self.layers):
            parts = self.problem.limited_algebra.concatenate(parts, layer.costs[paths[:, index]])
        bounds = self.problem.limits if limits is None else limits
        return paths[(self.problem.limited_algebra.total(parts) <= bounds).all(axis=1)]

    def _lives(self, index: int, node: Node) -> bool:
        return len(self.completions.front(node[0], index, node[1])) > 0

    def _layer(self, index: int, nodes: tuple[Node, ...]) -> tuple[Layer, list[Node]]:
        """A layer, and the nodes that it leads to."""
        last = index == len(self.problem.space.stages) - 1
        places: dict[Any, int] = {}  # by node; after the last stage all is one
        tables = list[tuple[Integers, Parts, Integers]]()
        for template, entering in nodes:
            rows, costs, following = [np.zeros(0, np.int64)], list[Parts](), list[Integers]()
            for branch in self.problem.branches(template, index, entering):
                node = template, branch.leaving
                if self._lives(index + 1, node):
                    place = places.setdefault(None if last else node, len(places))
                    rows.append(branch.rows)
                    costs.append(branch.costs[:, self.problem.limited])
                    following.append(np.full(len(branch.rows), place))
            if sum(map(len, rows)) + sum(len(known) for known, _, _ in tables) > MAX_EDGES:
                raise TooManyEdges(f"stage {index + 1} of {self.problem.space.name} has more than {MAX_EDGES:,} edges")
            order = np.argsort(np.concatenate(rows))
            tables.append((np.concatenate(rows)[order], np.concatenate(costs)[order], np.concatenate(following)[order]))
        starts = np.cumsum([0, *(len(rows) for rows, _, _ in tables)])
        columns = (np.concatenate(column) for column in zip(*tables, strict=True))
        return Layer(nodes, starts, *columns), list(places)
