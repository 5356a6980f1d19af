"""Objectives whose truth is known here and hidden from samplers: what `sample_efficiency.py` compares samplers on.

Three families, drawn by seed: `additive` adds up over stages (concave effects of every knob, their products within a
stage, roughness); `interaction` has at least half of its variance in products of knobs of different stages, neighbours
or not; `pit` is a Gaussian process fitted to the PiT networks of ViT-Bench-101, in a space like theirs. Each is seen
without noise and with noise of half the spread: the standard deviation of the truth over uniform feasible draws.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.cost import Budget
from pvtsearch.search.draws import uniform_draws
from pvtsearch.search.limits import baseline_budget
from pvtsearch.search.problem import Problem
from pvtsearch.serialize import load_config
from pvtsearch.serialize_space import load_space
from pvtsearch.space import SearchSpace

Family = Literal["additive", "interaction", "pit"]
Truth = Callable[[Sequence[PVTConfig]], NDArray[np.float64]]

FAMILIES: tuple[Family, ...] = get_args(Family)
NOISES = (0.0, 0.5)  # standard deviation of the noise as a share of the spread
SPREAD_DRAWS = 2_000
PIT_SPACE = Path(__file__).with_name("pit_like.yaml")
PIT_BUDGET = Budget({"params": 4_000_000, "macs": 1_000_000_000}, "near the median of the space")

_SIZES = ("embed_dim", "depth", "mlp_ratio")  # more of these never hurts on average
_KNOBS = (*_SIZES, "head_dim", "reduction", "patch_size")
_ADDITIVE_SHARE = 0.45  # of the variance of `interaction`, at most, that any sum over stages explains
_ACCURACIES = ("c100_base_acc", "c100_kd_acc", "flower_base_acc", "flower_kd_acc")


@dataclass(frozen=True)
class Objective:
    """A truth over a problem's configurations, and the standard deviation of what is added when it is observed."""

    problem: Problem
    truth: Truth
    noise: float


@cache
def problem_of(family: Family) -> Problem:
    """Where a family lives: pvt_v1 under ResNet-50's budget, or PiT's space under half of what it spans."""
    if family == "pit":
        return Problem(load_space(PIT_SPACE), (224, 224), budget=PIT_BUDGET)
    return Problem(load_space("pvt_v1"), (224, 224), budget=baseline_budget(load_config("resnet50"), (224, 224)))


def objective(family: Family, noise: float, seed: int, *, table: Path | None = None) -> Objective:
    """A family's objective of one seed; table: the PiT networks, for that family. The pit truth is the same for all."""
    problem, draws = problem_of(family), _draws(family)
    truth = _truth(family, problem, draws, seed, table)
    return Objective(problem, truth, noise * float(np.std(truth(draws))))


@cache
def _draws(family: Family) -> list[PVTConfig]:
    return uniform_draws(problem_of(family), SPREAD_DRAWS, seed=0)


def _truth(family: Family, problem: Problem, draws: Sequence[PVTConfig], seed: int, table: Path | None) -> Truth:
    rng = np.random.default_rng([20261123, seed])
    match family:
        case "additive":
            return _additive(problem.space, rng)
        case "interaction":
            return _interacting(problem.space, rng, draws)
        case "pit":
            if table is None:
                raise ValueError("the family pit needs a table of trained networks")
            return pit_truth(table)


def _knob(stage: StageConfig, name: str) -> int | float:
    return getattr(stage.attention, "sr_ratio", 0) if name == "reduction" else getattr(stage, name)


class _Positions:
    """Knobs of networks as numbers from 0 to 1: the rank of a value among all that its stage can take."""

    def __init__(self, space: SearchSpace) -> None:
        every = ({name: {_knob(s, name) for s in options.stages} for name in _KNOBS} for options in space.options)
        self.values = [{name: sorted(found) for name, found in stage.items() if len(found) > 1} for stage in every]

    def of(self, configs: Sequence[PVTConfig]) -> list[dict[str, NDArray[np.float64]]]:
        """For each stage (N,) positions by knob, of the knobs that have a choice."""
        return [
            {
                name: np.array([known.index(_knob(config.stages[stage], name)) for config in configs])
                / (len(known) - 1)
                for name, known in knobs.items()
            }
            for stage, knobs in enumerate(self.values)
        ]


def _additive(space: SearchSpace, rng: np.random.Generator) -> Truth:
    """A sum over stages: of a knob's concave rise (or any slope, where it is no size), roughness, and products."""
    positions = _Positions(space)
    effects = [{name: _effect(name, len(known), rng) for name, known in knobs.items()} for knobs in positions.values]
    pairs = [{pair: rng.normal(0, 0.5) for pair in combinations(knobs, 2)} for knobs in positions.values]

    def truth(configs: Sequence[PVTConfig]) -> NDArray[np.float64]:
        total = np.zeros(len(configs))
        for stage, knobs in enumerate(positions.of(configs)):
            for name, place in knobs.items():
                total += effects[stage][name](place)
            for (one, other), weight in pairs[stage].items():
                total += weight * (knobs[one] - 0.5) * (knobs[other] - 0.5)
        return total

    return truth


def _effect(name: str, values: int, rng: np.random.Generator) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    slope = rng.uniform(0.3, 1.5) if name in _SIZES else rng.normal(0, 0.5)
    power = rng.uniform(0.3, 1.0)
    rough = rng.normal(0, 0.1, values)
    return lambda place: slope * place**power + rough[np.rint(place * (values - 1)).astype(int)]


def _interacting(space: SearchSpace, rng: np.random.Generator, draws: Sequence[PVTConfig]) -> Truth:
    """A sum over stages, and so much of products across stages that no such sum explains half of the variance."""
    base, positions = _additive(space, rng), _Positions(space)
    places = [(stage, name) for stage, knobs in enumerate(positions.values) for name in knobs]
    across = [(one, other) for one, other in combinations(places, 2) if one[0] != other[0]]
    weights = rng.normal(0, 1, len(across))

    def products(configs: Sequence[PVTConfig]) -> NDArray[np.float64]:
        knobs = positions.of(configs)
        total = np.zeros(len(configs))
        for weight, ((s, one), (t, other)) in zip(weights, across, strict=True):
            total += weight * (knobs[s][one] - 0.5) * (knobs[t][other] - 0.5)
        return total

    own, crossed, columns = base(draws), products(draws), _columns_of_stages(positions, draws)
    share = 0.25
    while additive_share(columns, own + share * crossed) > _ADDITIVE_SHARE:
        share *= 1.1
    return lambda configs: base(configs) + share * products(configs)


def _columns_of_stages(positions: _Positions, draws: Sequence[PVTConfig]) -> NDArray[np.float64]:
    """What a sum over stages can be made of: every value of every knob, and products of knobs of one stage."""
    columns = [np.ones(len(draws))]
    for knobs in positions.of(draws):
        columns += [(place == value).astype(float) for place in knobs.values() for value in np.unique(place)]
        columns += [one * other for one, other in combinations(knobs.values(), 2)]
    return np.stack(columns, axis=1)


def additive_share(columns: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """The share of the variance of values that a least-squares fit to columns explains."""
    fitted = columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
    return float(1 - np.var(values - fitted) / np.var(values))


@cache
def pit_truth(table: Path) -> Truth:
    """The mean of a Gaussian process over log widths, depths and the mean MLP ratio, fitted to trained PiT networks.

    Its value is the mean over CIFAR-100 and Flowers, with and without distillation, of standardised top-1 accuracies.
    """
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

    networks: list[dict[str, Any]] = json.loads(table.read_text())["networks"]
    accuracies = np.array([[network[name] for name in _ACCURACIES] for network in networks])
    values = ((accuracies - accuracies.mean(axis=0)) / accuracies.std(axis=0)).mean(axis=1)
    rows = np.array([_pit_row(**network["arch"]) for network in networks])
    centre, scale = rows.mean(axis=0), rows.std(axis=0)
    kernel = ConstantKernel(1.0) * RBF(np.full(rows.shape[1], 2.0), (0.3, 100)) + WhiteKernel(0.05, (1e-3, 1))
    model = GaussianProcessRegressor(kernel, n_restarts_optimizer=3, random_state=0).fit(
        (rows - centre) / scale, values
    )

    def truth(configs: Sequence[PVTConfig]) -> NDArray[np.float64]:
        asked = np.array(
            [_row([s.embed_dim for s in c.stages], [s.depth for s in c.stages], _ratio(c)) for c in configs]
        )
        predicted: NDArray[np.float64] = model.predict((asked - centre) / scale)
        return predicted

    return truth


def _ratio(config: PVTConfig) -> float:
    """The mean MLP ratio of a network's blocks."""
    return sum(s.depth * s.mlp_ratio for s in config.stages) / sum(s.depth for s in config.stages)


def _pit_row(base_dim: int, mlp_ratio: float, depth: list[int], num_heads: list[int]) -> list[float]:
    return _row([base_dim * heads for heads in num_heads], depth, mlp_ratio)


def _row(widths: list[int], depths: list[int], ratio: float) -> list[float]:
    return [*np.log(widths), *depths, ratio]
