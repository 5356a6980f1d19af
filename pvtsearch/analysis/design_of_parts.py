"""Which parts of a space's networks a calibration measures: stages that fill the space, heads, and whole networks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.latency_model import Part, pieces_of
from pvtsearch.analysis.pieces import MARKS, SIZES, logarithm
from pvtsearch.analysis.sweep import Sweep
from pvtsearch.config import ImageSize, PVTConfig, StageConfig, Task
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError
from pvtsearch.space import Entering, SearchSpace

CANDIDATES = 2000  # random networks whose stages a design chooses from
DEEPEST = 4  # blocks of a stage that is measured alone: more tell nothing new and take longer
MAX_DRAWS = 200_000  # uniform draws among which networks within a budget are looked for

Floats = NDArray[np.float64]


class Designed(NamedTuple):
    """What a calibration measures: stages and heads alone, whole networks to learn from, whole networks to test on."""

    alone: tuple[Part, ...]
    whole: tuple[Part, ...]
    held_out: tuple[Part, ...]


def designed(
    space: SearchSpace,
    image_size: ImageSize,
    task: Task,
    *,
    stages: int,
    networks: int,
    held_out: int,
    budget: Budget,
    seed: int,
) -> Designed:
    """A design of so many stages alone, whole networks, and others that are held out; networks are within the budget.

    The same arguments give the same design; a larger count of held-out networks keeps the smaller's. Raises
    `InputError` where the space has no network at image_size, or hardly any within the budget.
    """
    tested = _networks(space, image_size, task, budget, held_out, seed=seed * 2 + 1)
    known = set(tested)
    whole = [
        c for c in _networks(space, image_size, task, budget, networks + held_out, seed=seed * 2) if c not in known
    ]
    alone = stages_alone(space, image_size, task, stages, seed=seed)
    return Designed((*alone, *_heads(whole[:networks])), tuple(map(Part, whole[:networks])), tuple(map(Part, tested)))


def stages_alone(space: SearchSpace, image_size: ImageSize, task: Task, count: int, *, seed: int) -> list[Part]:
    """Stages of a space that fill it: as many of each stage, each far from those before it.

    Among random legal stages each is drawn with a probability that grows with the squared distance to the nearest one
    before it (Arthur and Vassilvitskii 2007, k-means++): corners come early, the inside is not forgotten.
    """
    rng = np.random.default_rng(seed)
    walks = list(_walks(space, image_size, rng))
    if not walks:
        raise InputError(f"{space.name}: no network of it is legal at {image_size[0]}x{image_size[1]}")
    chosen = []
    for place in range(len(space.stages)):
        share = count // len(space.stages) + (place < count % len(space.stages))
        candidates = list(dict.fromkeys(_alone(config, place, rng) for config in walks))
        chosen.append([candidates[row] for row in _spread(candidates, image_size, task, share, rng)])
    return [part for parts in zip(*chosen, strict=False) for part in parts] + [
        part for parts in chosen for part in parts[min(map(len, chosen)) :]
    ]


def _walks(space: SearchSpace, image_size: ImageSize, rng: np.random.Generator) -> Iterator[PVTConfig]:
    """Random networks: every stage that may follow is as likely, so shallow and narrow ones are not rare."""

    @cache
    def following(template: PVTConfig, index: int, entering: Entering) -> list[tuple[StageConfig, Entering]]:
        options = space.options[index].stages
        return [(options[row], m.leaving) for m in space.moves(template, index, entering) for row in m.rows]

    for _ in range(CANDIDATES):
        template = space.templates[rng.integers(len(space.templates))]
        entering, stages = space.start(image_size), list[StageConfig]()
        for index in range(len(space.stages)):
            choices = following(template, index, entering)
            if not choices:
                break
            stage, entering = choices[rng.integers(len(choices))]
            stages.append(stage)
        else:
            yield space.decode(template, tuple(stages))


def _alone(config: PVTConfig, place: int, rng: np.random.Generator) -> Part:
    """A stage of a network with few blocks; of the other stages nothing counts but what they hand over."""
    depth = min(config.stages[place].depth, int(rng.integers(1, DEEPEST + 1)))
    stages = (replace(stage, depth=depth if at == place else 1) for at, stage in enumerate(config.stages))
    return Part(replace(config, stages=tuple(stages)), place)


def _spread(
    candidates: Sequence[Part], image_size: ImageSize, task: Task, count: int, rng: np.random.Generator
) -> list[int]:
    """Rows of `count` candidates (or all) that are far from each other."""
    points = np.array([_coordinates(part, image_size, task) for part in candidates])
    points = (points - points.min(axis=0)) / np.maximum(np.ptp(points, axis=0), 1e-9)
    distances = np.ones(len(points))
    chosen: list[int] = []
    while len(chosen) < min(count, len(points)) and distances.sum() > 0:
        chosen.append(int(rng.choice(len(points), p=distances / distances.sum())))
        distances = np.minimum(distances, ((points - points[chosen[-1]]) ** 2).sum(axis=1))
    return chosen


def _coordinates(part: Part, image_size: ImageSize, task: Task) -> list[float]:
    """Where a stage lies: logarithms of the sizes of its pieces, their marks, and its depth."""
    found = []
    for times, piece in pieces_of(part, image_size, task, 1):
        if piece.kind in SIZES:
            found += [float(logarithm(piece.sizes[name])) for name in SIZES[piece.kind]]
            found += [0.5 * float(piece.marks[name]) for name in MARKS[piece.kind]]
            found.append(float(logarithm(times)))
    return found


def _heads(networks: Sequence[PVTConfig]) -> list[Part]:
    """The heads of a few networks, of different widths."""
    widths = {config.stages[-1].embed_dim: config for config in networks if config.num_classes}
    ordered = [widths[width] for width in sorted(widths)]
    places = sorted({0, len(ordered) // 2, len(ordered) - 1}) if ordered else []
    return [Part(ordered[place], len(ordered[place].stages)) for place in places]


def _networks(
    space: SearchSpace, image_size: ImageSize, task: Task, budget: Budget, count: int, *, seed: int
) -> list[PVTConfig]:
    """Uniform draws from the networks of a space within a budget on params and MACs, without repetition."""
    if count == 0:
        return []
    sweep = Sweep(space, image_size, task)
    found: dict[PVTConfig, None] = {}
    for points, costs in sweep.sample(MAX_DRAWS, seed=seed):
        for point, cost in zip(points, costs, strict=True):
            if budget.admits(dict(zip(sweep.costing.metrics, cost.tolist(), strict=True))):
                found.setdefault(sweep.config(point))
                if len(found) == count:
                    return list(found)
    raise InputError(
        f"{space.name}: of {MAX_DRAWS:,} uniform draws {len(found)} distinct networks are within the budget, "
        f"{count} are needed: give a larger --budget, or fewer --networks and --held-out"
    )
