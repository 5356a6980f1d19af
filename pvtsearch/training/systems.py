"""Classes of formula-driven images: iterated function systems, and jitters of them, which are a class's instances.

The principle is FractalDB's (Kataoka et al. 2020, arXiv 2101.08515): a class is the parameters of a system, an instance
is a slight change of them. Systems are drawn as by Anderson and Farrell 2022 (arXiv 2110.03091, section 3): each map is
rotation x scaling x rotation x reflection, and the scalings of a system are drawn so that its picture neither collapses
nor fills the plane. Letters: N instances, K maps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

FEWEST_MAPS, MOST_MAPS = 2, 8
LARGEST_SCALE = 0.98  # a jittered map stays a contraction
TURN = 0.15  # jitter of angles, in radians
STRETCH = 0.1  # jitter of scales and of translations, as a share
DARK = 96  # of 255: backgrounds are at most so bright, pictures as much below white


@dataclass(frozen=True)
class System:
    """Of K maps x -> R(turn_0) diag(scales) R(turn_1) diag(1, flip) x + shift; each is taken as often as it scales."""

    turns: Floats  # (K, 2)
    scales: Floats  # (K, 2), the larger first
    flips: Floats  # (K,), 1 or -1
    shifts: Floats  # (K, 2)


@dataclass(frozen=True)
class Instances:
    """Of one class: maps as rows a b c d e f of x' = a x + b y + e, y' = c x + d y + f, and colours.

    maps: (N, 8, 6). chances: (N, 8), cumulated, 1 from a system's last map on. colours: (N, 2, 3) of background and
    picture, 0 to 255.
    """

    maps: NDArray[np.float32]
    chances: NDArray[np.float32]
    colours: NDArray[np.uint8]


def system(seed: int, number: int) -> System:
    """The class of that number. The same seed and number give the same class, whatever else is drawn."""
    rng = np.random.default_rng([seed, number])
    count = int(rng.integers(FEWEST_MAPS, MOST_MAPS + 1))
    return System(
        turns=rng.uniform(-np.pi, np.pi, (count, 2)),
        scales=_scales(count, rng),
        flips=rng.choice([-1.0, 1.0], count),
        shifts=rng.uniform(-1, 1, (count, 2)),
    )


def _scales(count: int, rng: np.random.Generator) -> Floats:
    """(K, 2): larger and smaller scale s and t of each map, the sum of s + 2 t over maps being (5 to 6 + K) / 2.

    That range held the systems that make good pictures (arXiv 2110.03091, section 3.2).
    """
    left = float(rng.uniform(5 + count, 6 + count)) / 2
    drawn = np.empty((count, 2))
    for place in range(count):
        owed = left - 3 * (count - 1 - place)  # what the maps that follow cannot take
        large = rng.uniform(max(0.0, owed / 3), min(1.0, left))
        small = rng.uniform(max(0.0, (owed - large) / 2), min(large, (left - large) / 2))
        drawn[place] = large, small
        left -= large + 2 * small
    return np.minimum(drawn, LARGEST_SCALE)


def instances(seed: int, number: int, split: int, count: int) -> Instances:
    """The first `count` instances of a class in a split; more of them begin with the same ones."""
    found = system(seed, number)
    maps = len(found.flips)
    rng = np.random.default_rng([seed, number, 1 + split])
    jitter = rng.uniform(-1, 1, (count, 6 * maps + 6)).astype(np.float64)
    changes, tints = jitter[:, : 6 * maps].reshape(count, maps, 3, 2), jitter[:, 6 * maps :].reshape(count, 2, 3)
    scales = np.minimum(found.scales * (1 + STRETCH * changes[:, :, 1]), LARGEST_SCALE)
    linear = _linear(found.turns + TURN * changes[:, :, 0], scales, found.flips)
    shifts = found.shifts * (1 + STRETCH * changes[:, :, 2])
    return Instances(
        maps=_padded(np.concatenate([linear.reshape(count, maps, 4), shifts], axis=2), 0).astype(np.float32),
        chances=_padded(_chances(scales)[:, :, None], 1)[:, :, 0].astype(np.float32),
        colours=_colours(tints),
    )


def _linear(turns: Floats, scales: Floats, flips: Floats) -> Floats:
    """(N, K, 2, 2) of turns and scales (N, K, 2) and flips (K,)."""
    first, second = _rotation(turns[..., 0]), _rotation(turns[..., 1])
    reflected = second * np.stack([np.ones_like(flips), flips], axis=-1)[:, None, :]
    matrices: Floats = np.einsum("nkij,nkj,nkjl->nkil", first, scales, reflected)
    return matrices


def _rotation(angles: Floats) -> Floats:
    cos, sin = np.cos(angles), np.sin(angles)
    return np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=-2)


def _chances(scales: Floats) -> Floats:
    """(N, K): cumulated chances of the maps, by the area that each keeps, none of them hopeless."""
    areas = np.maximum(scales.prod(axis=-1), 0.01)
    cumulated: Floats = np.cumsum(areas, axis=1) / areas.sum(axis=1, keepdims=True)
    cumulated[:, -1] = 1
    return cumulated


def _padded(rows: Floats, value: float) -> Floats:
    """(N, K, ...) as (N, 8, ...)."""
    missing = MOST_MAPS - rows.shape[1]
    return np.pad(rows, ((0, 0), (0, missing), (0, 0)), constant_values=value)


def _colours(tints: Floats) -> NDArray[np.uint8]:
    """(N, 2, 3) of numbers from -1 to 1: a dark background and a bright picture."""
    ground, picture = tints[:, 0], tints[:, 1]
    darkest, brightest = np.rint((ground + 1) / 2 * DARK), np.rint(255 - (picture + 1) / 2 * DARK)
    return np.stack([darkest, brightest], axis=1).astype(np.uint8)
