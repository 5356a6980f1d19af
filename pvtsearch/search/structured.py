"""An Optuna sampler that knows what a network is made of: stages, budgets, and which costs are exact."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from pvtsearch.analysis.metrics import METRICS
from pvtsearch.config import ImageSize, Task
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError
from pvtsearch.records import Direction, Objective
from pvtsearch.search.decode import Decoded, Decoder
from pvtsearch.search.lattice import Edges, TooManyEdges
from pvtsearch.search.limits import DEFAULT_MATCH
from pvtsearch.search.proposals import Observed, Proposer
from pvtsearch.search.question import Question, make_question
from pvtsearch.space import SearchSpace


class Structure:
    """What samplers of one question share: its decoder, its proposer, and which trial was which network."""

    def __init__(self, question: Question) -> None:
        self.decoder = Decoder(question.problem)
        self.proposer = Proposer(question.problem, question.objectives)
        self._edges: dict[tuple[int, ...], Edges | None] = {}

    def edges(self, params: dict[str, Any]) -> Edges | None:
        """The network of a trial's parameters; None where they are not those of this question."""
        if any(name not in params for name in self.decoder.sizes):
            return None
        key = tuple(params[name] for name in self.decoder.sizes)
        if key not in self._edges:
            self._edges[key] = self.proposer.lattice.edges(self.decoder.decode(params).config)
        return self._edges[key]

    def params(self, edges: Edges) -> dict[str, int]:
        """The parameters that stand for a network."""
        layers = self.proposer.lattice.layers
        template, _ = layers[0].nodes[layers[0].leaving[edges[0]]]
        rows = [int(layer.rows[edge]) for layer, edge in zip(layers, edges, strict=True)]
        return self.decoder.encode(self.decoder.path(template, rows))


class StructuredSampler(BaseSampler):
    """Samples points of a `Decoder` by a model that adds up over stages, maximised exactly under all budgets.

    question: the problem, and the study's objectives in its order; one that is a metric is known and never modelled.
    seed: with it and the trials so far a proposal is determined. Trials that are running elsewhere are kept away from.
    Parameters that are none of the decoder's are drawn at random, with a warning.
    """

    def __init__(self, question: Question | Structure, seed: int = 0) -> None:
        self._structure = question if isinstance(question, Structure) else Structure(question)
        self._seed = seed
        self._independent = RandomSampler(seed=seed)
        self._warned = False

    @classmethod
    def over(
        cls,
        space: SearchSpace | str | Path,
        objectives: Mapping[str, Direction],
        budget: Budget | str | Path | None = None,
        *,
        match: Sequence[str] = DEFAULT_MATCH,
        image_size: int | ImageSize | None = None,
        task: Task = "classification",
        seed: int = 0,
    ) -> StructuredSampler:
        """The sampler of a space under hard limits, for a study with these objectives.

        objectives: the direction of each, in the study's order; one that is called as a metric is known exactly, any
        other name is the caller's own. The rest as of `run_search`. Raises `InputError` for what cannot be.
        """
        known = [metric.asked_as for metric in METRICS.values() if metric.name in objectives]
        question = make_question(
            space,
            budget=budget,
            objectives=known or ["macs"],
            image_size=image_size,
            task=task,
            extrapolate=False,
            match=match,
        )
        goals = tuple(Objective(name, direction) for name, direction in objectives.items())
        if wrong := [goal.name for goal in goals if goal.name in METRICS and goal.direction == "maximize"]:
            raise InputError(f"objectives: {wrong[0]} is a cost: minimize it, or call what is maximized otherwise")
        return cls(replace(question, objectives=goals), seed)

    def decode(self, trial: optuna.Trial | FrozenTrial) -> Decoded:
        """The configuration that a trial is to evaluate, and its cost; within the limits whatever the trial is."""
        sizes = self._structure.decoder.sizes
        return self._structure.decoder.decode({name: trial.suggest_int(name, 0, n - 1) for name, n in sizes.items()})

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The knobs of the question's space, whatever the trials so far had."""
        return {name: IntDistribution(0, size - 1) for name, size in self._structure.decoder.sizes.items()}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters of the network to evaluate next."""
        try:
            seen, pending = self._history(study, trial)
            rng = np.random.default_rng([self._seed, trial.number])
            edges = self._structure.proposer.propose(seen, pending, rng)
        except TooManyEdges as error:
            self._warn(f"{error}: knobs are drawn at random")
            return {}
        if edges is None:
            return {}
        return self._structure.params(edges)

    def _history(self, study: optuna.Study, current: FrozenTrial) -> tuple[list[Observed], list[Edges]]:
        """Evaluated networks, and those that are being evaluated."""
        signs = [1.0 if direction == StudyDirection.MAXIMIZE else -1.0 for direction in study.directions]
        seen, pending = [], []
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.RUNNING)):
            edges = None if trial.number == current.number else self._structure.edges(trial.params)
            if edges is None:
                continue
            if trial.state == TrialState.RUNNING:
                pending.append(edges)
            elif all(math.isfinite(value) for value in trial.values):
                seen.append(Observed(edges, tuple(s * v for s, v in zip(signs, trial.values, strict=True))))
        return seen, pending

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value: of what is no knob of the space, or where no network was proposed."""
        if param_name not in self._structure.decoder.sizes:
            self._warn(f"{param_name} is no knob of the space: it is drawn at random")
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Draw otherwise than a copy of this sampler in another process or thread."""
        self._independent.reseed_rng()
        self._seed = int(np.random.SeedSequence().generate_state(1)[0])

    def _warn(self, message: str) -> None:
        if not self._warned:
            warnings.warn(f"StructuredSampler: {message}", stacklevel=2)
        self._warned = True
