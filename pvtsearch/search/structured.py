"""An Optuna sampler that knows what a network is made of: stages, budgets, and which costs are exact."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

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
from pvtsearch.search.question import Question, make_question, nothing_feasible
from pvtsearch.space import SearchSpace

ATTEMPTS = 8  # proposals for a trial, where other processes keep proposing the same network at the same time
_PROPOSED = "pvtsearch:proposed"  # of a trial, before its parameters are suggested: what keeps others away from it
_PROPOSING = threading.Lock()  # threads of a study propose in turn, each knowing what those before it proposed


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
    seed: with it and the trials so far a proposal is determined. What running trials were given is never proposed
    again, whether they run in other threads or, through the study's storage, in other processes; what failed may be.
    Parameters that are none of the decoder's are drawn at random, with a warning. `InputError` at the first trial of a
    study with other objectives, or with trials of another space.
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
        other name is the caller's own. The rest as of `run_search`. Raises `InputError` for what cannot be and
        `NothingFeasible` where no configuration is within the limits.
        """
        _check_objectives(objectives)
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
        structure = Structure(replace(question, objectives=goals))
        if not structure.decoder.templates:
            raise nothing_feasible(question.problem)
        return cls(structure, seed)

    def decode(self, trial: optuna.Trial | FrozenTrial) -> Decoded:
        """The configuration that a trial is to evaluate, and its cost; within the limits whatever the trial is."""
        sizes = self._structure.decoder.sizes
        return self._structure.decoder.decode({name: trial.suggest_int(name, 0, n - 1) for name, n in sizes.items()})

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Refuse a study that asks for something else than this sampler proposes for."""
        wanted = [goal.direction for goal in self._structure.proposer.objectives]
        directions = [direction.name.lower() for direction in study.directions]
        if directions != wanted:
            raise InputError(
                f"study '{study.study_name}': its directions are {', '.join(directions)}, the sampler's objectives "
                f"{', '.join(f'{goal.direction} {goal.name}' for goal in self._structure.proposer.objectives)}"
            )
        evaluated = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        for each in [*evaluated[:1], *evaluated[-1:]]:
            self._check_parameters(study, each)

    def _check_parameters(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Trials without any of the knobs are a caller's own and teach nothing."""
        knobs = self.infer_relative_search_space(study, trial)
        other = [name for name, knob in knobs.items() if trial.distributions.get(name) != knob]
        if other and not trial.distributions.keys().isdisjoint(knobs):
            raise InputError(
                f"study '{study.study_name}', trial {trial.number} is of another space or budget: its {other[0]} is "
                f"{trial.distributions.get(other[0])}, the sampler's {knobs[other[0]]}; give the study another name"
            )

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The knobs of the question's space, whatever the trials so far had."""
        return {name: IntDistribution(0, size - 1) for name, size in self._structure.decoder.sizes.items()}

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters of the network to evaluate next."""
        with _PROPOSING:
            for attempt in range(ATTEMPTS):
                rng = np.random.default_rng([self._seed, _place(study, trial), *[attempt] * (attempt > 0)])
                params = self._propose(study, trial, rng)
                study._storage.set_trial_system_attr(trial._trial_id, _PROPOSED, params)
                if not params or params not in _running(study, trial).values():
                    break
        return params

    def _propose(self, study: optuna.Study, trial: FrozenTrial, rng: np.random.Generator) -> dict[str, int]:
        """The parameters of one network; none where none comes to mind."""
        try:
            seen, pending = self._history(study, trial)
            edges = self._structure.proposer.propose(seen, pending, rng)
        except TooManyEdges as error:
            self._warn(f"{error}: knobs are drawn at random")
            return {}
        return {} if edges is None else self._structure.params(edges)

    def _history(self, study: optuna.Study, current: FrozenTrial) -> tuple[list[Observed], list[Edges]]:
        """Evaluated networks, and those that are being evaluated."""
        signs = [1.0 if direction == StudyDirection.MAXIMIZE else -1.0 for direction in study.directions]
        running = (self._structure.edges(params) for params in _running(study, current).values())
        seen = []
        for trial in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
            edges = self._structure.edges(trial.params)
            if edges is not None and all(math.isfinite(value) for value in trial.values):
                seen.append(Observed(edges, tuple(s * v for s, v in zip(signs, trial.values, strict=True))))
        return seen, [edges for edges in running if edges is not None]

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


def _place(study: optuna.Study, current: FrozenTrial) -> int:
    """A trial's number among those that did not fail, which leave no trace in what is proposed after them."""
    failed = study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    return current.number - sum(trial.number < current.number for trial in failed)


def _running(study: optuna.Study, current: FrozenTrial) -> dict[int, dict[str, Any]]:
    """What the other running trials were given, by their numbers: their parameters, or what was proposed for them."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return {
        trial.number: trial.system_attrs.get(_PROPOSED) or trial.params
        for trial in trials
        if trial.number != current.number
    }


def _check_objectives(objectives: Mapping[str, Direction]) -> None:
    if not objectives:
        raise InputError('objectives: give at least one, such as {"accuracy": "maximize"}')
    for name, direction in objectives.items():
        if direction not in get_args(Direction):
            raise InputError(f"objectives: {name} must be one of {', '.join(get_args(Direction))}, got '{direction}'")
        if name in METRICS and direction == "maximize":
            raise InputError(f"objectives: {name} is a cost: minimize it, or call what is maximized otherwise")
