"""Latency predicted as a sum over stages: what was measured on a device, turned into nanoseconds of any stage.

Two layers. Weights that are not negative say what a unit of each kind of work costs, fitted on relative errors; what
physics leaves over is a factor by piece, from Bayesian linear regression on logarithms of sizes, their products, and
marks such as a width that is no multiple of 64. A measurement is a sum of pieces, so both layers are fitted on stages
alone and on whole networks at once: the residual of a sum is that of its pieces, each weighted by its share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pvtsearch.analysis.nonnegative import nonnegative_weights
from pvtsearch.analysis.pieces import (
    MARKS,
    SIZES,
    WORK,
    Kind,
    Piece,
    block_piece,
    call_piece,
    embedding_piece,
    head_piece,
    logarithm,
)
from pvtsearch.analysis.regression import NOISE, Posterior, fit
from pvtsearch.analysis.shapes import StageShape, shape_of
from pvtsearch.config import ImageSize, PVTConfig, Task
from pvtsearch.geometry import Grid, Number

Floats = NDArray[np.float64]

NS = 1e9
LEAST_FACTOR, LARGEST_FACTOR = 0.4, 2.5  # of a piece over what its work alone says
# Likely shares of the residuals' variance, before data.
EXPECTED = {"block": 0.5, "block marks": 0.1, "embedding": 0.2, "embedding marks": 0.05, NOISE: 0.3}


class Part(NamedTuple):
    """What is measured: a stage of a network alone, its head (place: the number of stages), or all of it (None)."""

    config: PVTConfig
    place: int | None = None


class Counted(NamedTuple):
    """A piece and how often it is run."""

    times: int
    piece: Piece


def pieces_of(part: Part, image_size: ImageSize, task: Task, batch_size: int) -> list[Counted]:
    """The pieces of a part at an input of (height, width); every measurement has one call."""
    indices: Iterable[int] = range(len(part.config.stages) + 1) if part.place is None else (part.place,)
    found = [Counted(1, call_piece())]
    for index in indices:
        found += _part_pieces(part.config, index, image_size, task, batch_size)
    return found


def _part_pieces(
    config: PVTConfig, index: int, image_size: ImageSize, task: Task, batch_size: int
) -> Iterator[Counted]:
    if index == len(config.stages):
        yield Counted(1, head_piece(config, config.stages[-1].embed_dim, task, batch_size=batch_size))
        return
    stage = config.stages[index]
    shape, grid = shape_of(stage), config.grids(image_size)[index]
    learned = config.grids((config.image_size, config.image_size))[index]
    in_chans = config.stages[index - 1].embed_dim if index else config.in_chans
    yield Counted(
        1,
        embedding_piece(
            config, index, shape, in_chans=in_chans, grid=grid, learned=learned, task=task, batch_size=batch_size
        ),
    )
    yield Counted(stage.depth, block_piece(config, index, shape, grid=grid, task=task, batch_size=batch_size))


@dataclass(frozen=True)
class Scale:
    """Where logarithms of a size lie among what was measured; outside it the nearest end counts."""

    low: float
    high: float

    def __call__(self, size: Number) -> Number:
        """About -1 to 1."""
        if self.high == self.low:
            return 0.0 * logarithm(size)
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2
        return (np.clip(logarithm(size), self.low, self.high) - middle) / half


@dataclass(frozen=True, eq=False)
class LatencyModel:
    """Predicts nanoseconds, in integers, for a batch size and a task at an input of (height, width).

    Numbers are computed entry by entry and never by matrix products: a stage has the same nanoseconds alone and among
    10^5 others.
    """

    image_size: ImageSize
    task: Task
    batch_size: int
    weights: dict[str, float]  # seconds by kind of work
    scales: dict[tuple[Kind, str], Scale]
    posterior: Posterior

    @cached_property
    def _corrections(self) -> list[float]:
        return [float(weight) for weight in self.posterior.weights]

    @cached_property
    def _level(self) -> float:
        """The factor of a piece without features."""
        return 1.0 + float(self.posterior.mean(np.zeros((1, len(self._corrections))))[0])

    def seconds(self, piece: Piece) -> Number:
        """What a piece takes."""
        factor: Number = self._level
        for weight, feature in zip(self._corrections, features_of(piece, self.scales), strict=True):
            if feature is not None:
                factor = factor + weight * feature
        return work_seconds(piece, self.weights) * np.clip(factor, LEAST_FACTOR, LARGEST_FACTOR)

    def _ns(self, piece: Piece) -> Number:
        return np.rint(NS * self.seconds(piece)).astype(np.int64)

    def stage_ns(
        self, config: PVTConfig, index: int, shape: StageShape, *, in_chans: Number, grid: Grid, learned: Grid
    ) -> Number:
        """Nanoseconds of stages; arguments as of `closed_form.stage_cost`."""
        embedding = embedding_piece(
            config, index, shape, in_chans=in_chans, grid=grid, learned=learned, task=self.task,
            batch_size=self.batch_size,
        )  # fmt: skip
        block = block_piece(config, index, shape, grid=grid, task=self.task, batch_size=self.batch_size)
        return self._ns(embedding) + shape.depth * self._ns(block)

    def head_ns(self, config: PVTConfig, channels: Number) -> Number:
        """Nanoseconds of what every network has beside its stages: the call, and the head."""
        return self._ns(call_piece()) + self._ns(head_piece(config, channels, self.task, batch_size=self.batch_size))

    def network_ns(self, config: PVTConfig) -> int:
        """Nanoseconds of a network: the sum of its stages and its head."""
        grids, widths = config.grids(self.image_size), (config.in_chans, *(s.embed_dim for s in config.stages))
        learned = config.grids((config.image_size, config.image_size))
        stages = (
            self.stage_ns(config, i, shape_of(stage), in_chans=widths[i], grid=grids[i], learned=learned[i])
            for i, stage in enumerate(config.stages)
        )
        return int(sum(stages)) + int(self.head_ns(config, widths[-1]))

    def part_seconds(self, part: Part) -> float:
        """What a part takes, a call included."""
        pieces = pieces_of(part, self.image_size, self.task, self.batch_size)
        return float(sum(times * self.seconds(piece) for times, piece in pieces))

    def deviation(self, part: Part) -> float:
        """The standard deviation of a part's prediction as a share of it, as far as the fit knows; without noise."""
        pieces = pieces_of(part, self.image_size, self.task, self.batch_size)
        row = _row(pieces, self.weights, self.scales)
        return float(self.posterior.deviation(row[None])[0])


def work_seconds(piece: Piece, weights: dict[str, float]) -> Number:
    """What the work of a piece takes by weights, before any correction."""
    total: Number = 0.0
    for name, amount in piece.work.items():
        total = total + weights[name] * np.asarray(amount, dtype=np.float64)
    return total


def features_of(piece: Piece, scales: dict[tuple[Kind, str], Scale]) -> list[Number | None]:
    """What the factor of a piece depends on, one entry per weight of the correction; None for those of other kinds."""
    found: list[Number | None] = []
    for kind, names in SIZES.items():
        if kind == piece.kind:
            logs = [scales[kind, name](piece.sizes[name]) for name in names]
            pairs = [one * other for one, other in combinations_with_replacement(logs, 2)]
            smooth = [*logs, *pairs]
            found += [column / len(smooth) ** 0.5 for column in smooth]
            found += [piece.marks[name] for name in MARKS[kind]]
        else:
            found += [None] * len(_groups_of(kind))
    return found


def _groups_of(kind: Kind) -> list[str]:
    sizes = len(SIZES[kind])
    return [str(kind)] * (sizes + sizes * (sizes + 1) // 2) + [f"{kind} marks"] * len(MARKS[kind])


GROUPS = tuple(group for kind in SIZES for group in _groups_of(kind))


def _row(pieces: Sequence[Counted], weights: dict[str, float], scales: dict[tuple[Kind, str], Scale]) -> Floats:
    """Features of a sum of pieces: theirs, each weighted by its share of the work."""
    seconds = [times * float(work_seconds(piece, weights)) for times, piece in pieces]
    row = np.zeros(len(GROUPS))
    for share, (_times, piece) in zip(np.array(seconds) / max(sum(seconds), 1e-30), pieces, strict=True):
        features = features_of(piece, scales)
        row += share * np.array([0.0 if feature is None else float(feature) for feature in features])
    return row


def _scales(pieces: Iterable[Piece]) -> dict[tuple[Kind, str], Scale]:
    logs: dict[tuple[Kind, str], list[float]] = {(kind, name): [] for kind, names in SIZES.items() for name in names}
    for piece in pieces:
        for name, size in piece.sizes.items():
            logs[piece.kind, name].append(float(logarithm(size)))
    return {key: Scale(min(found, default=0.0), max(found, default=0.0)) for key, found in logs.items()}


def fit_model(
    parts: Sequence[Part], seconds: Sequence[float], *, image_size: ImageSize, task: Task, batch_size: int
) -> LatencyModel:
    """The model of what was measured: seconds of each part. The same measurements give the same model."""
    measured = np.array(seconds, dtype=np.float64)
    pieces = [pieces_of(part, image_size, task, batch_size) for part in parts]
    work = np.zeros((len(parts), len(WORK)))
    for row, counted in zip(work, pieces, strict=True):
        for times, piece in counted:
            row += [times * float(piece.work.get(name, 0)) for name in WORK]
    found = nonnegative_weights(work / measured[:, None], np.ones(len(parts)))
    weights = dict(zip(WORK, found.tolist(), strict=True))
    scales = _scales(piece for counted in pieces for _, piece in counted)
    rows = np.stack([_row(counted, weights, scales) for counted in pieces])
    residual = np.log(measured / (work @ found))  # nearly relative, and as often above as below
    return LatencyModel(image_size, task, batch_size, weights, scales, fit(rows, residual, GROUPS, EXPECTED))
