"""Where a model of networks is highest within limits: exactly as far as it adds up over stages, by ascent beyond."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pvtsearch.search.features import Features, Surface
from pvtsearch.search.lattice import Edges, Integers
from pvtsearch.search.maximise import Maximiser

ROUNDS = 3


def highest(
    maximiser: Maximiser, features: Features, surface: Surface, limits: Integers, starts: Sequence[Edges]
) -> Edges | None:
    """The network where what adds up over stages is highest, or one reached from there or from starts that is better.

    None where nothing is within the limits.
    """
    best = maximiser.best(surface.edges, limits)
    if best is None:
        return None
    reached = [_ascended(maximiser, features, surface, limits, edges) for edges in dict.fromkeys((best.edges, *starts))]
    return reached[int(np.argmax(features.values(surface, np.array(reached))))]


def _ascended(maximiser: Maximiser, features: Features, surface: Surface, limits: Integers, edges: Edges) -> Edges:
    """Better and better: the best network by how each stage meets the others of this one, or one stage exchanged."""
    lattice = maximiser.lattice
    for _ in range(ROUNDS):
        around = maximiser.best(features.around(surface, edges), limits)
        paths = [np.array([edges])] + ([np.array([around.edges])] if around else [])
        paths += [lattice.variants(edges, stage, limits) for stage in range(len(edges))]
        tried = np.concatenate(paths)
        best = tuple(tried[int(np.argmax(features.values(surface, tried)))].tolist())
        if best == edges:  # the first of equals
            break
        edges = best
    return edges
