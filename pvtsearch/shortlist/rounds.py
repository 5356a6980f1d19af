"""From a question to a recommended network: spread trainings, then rounds of the best predicted, until they do not pay.

Nothing here is random but by the seed, and nothing is remembered but trainings: with a trainer that remembers its own
results a killed campaign goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from pvtsearch.config import PVTConfig
from pvtsearch.errors import InputError, NothingFeasible
from pvtsearch.search.ascent import highest
from pvtsearch.search.draws import uniform_draws
from pvtsearch.search.lattice import Edges
from pvtsearch.search.predictor import FEWEST, Predictor
from pvtsearch.search.proposals import Proposer
from pvtsearch.search.question import Question, nothing_feasible
from pvtsearch.shortlist.trainings import Labelled, Role, Trainer
from pvtsearch.shortlist.verdict import expected_gain, noise_percent

STARTS, CHOSEN = 16, 5
WORTH = 0.25  # of the noise: a round that promises to gain less is not trained
_TRIES = 20  # draws from the posterior for each network of a round


@dataclass(frozen=True)
class Plan:
    """How many trainings: `starts` spread ones, then rounds of `CHOSEN` while networks stay within `trials`."""

    trials: int = STARTS + 2 * CHOSEN
    starts: int = STARTS
    seed: int = 0

    def __post_init__(self) -> None:
        if self.starts < FEWEST:
            raise InputError(f"a predictor needs at least {FEWEST} trainings to start from, got {self.starts}")
        if self.trials < self.starts + 1:
            raise InputError(f"{self.trials} trials leave none to choose after {self.starts} spread ones: give more")


@dataclass(frozen=True)
class Campaign:
    """All trainings in their order, the predictor of all of them, and the network that is recommended."""

    labelled: tuple[Labelled, ...]
    predictor: Predictor
    recommended: PVTConfig
    stopped: str  # why no further round was trained

    def of(self, *roles: Role) -> tuple[Labelled, ...]:
        """The trainings of these roles."""
        return tuple(each for each in self.labelled if each.role in roles)


class _Run:
    """A campaign under way."""

    def __init__(self, question: Question, trainer: Trainer, plan: Plan, done: Callable[[Labelled], None]) -> None:
        self.proposer = Proposer(question.problem, question.objectives)
        if not self.proposer.lattice.roots:
            raise nothing_feasible(question.problem)
        self.trainer, self.plan, self.done = trainer, plan, done
        self.labelled: list[Labelled] = []

    def train(self, role: Role, config: PVTConfig, seed: int, predicted: tuple[float, float] | None = None) -> None:
        """Train a network and remember it."""
        self.labelled.append(Labelled(role, config, seed, self.trainer(config, seed), predicted))
        self.done(self.labelled[-1])

    def edges(self, *roles: Role) -> list[Edges]:
        """Paths of the trained networks of the space."""
        found = (self.proposer.lattice.edges(each.config) for each in self.labelled if each.role in roles)
        return [edges for edges in found if edges is not None]

    def predictor(self) -> Predictor:
        """The predictor of all trained networks of the space."""
        of_space = [each for each in self.labelled if each.role in ("start", "chosen", "random", "again")]
        pairs = [(self.proposer.lattice.edges(each.config), each.accuracy_percent) for each in of_space]
        known = [(edges, accuracy) for edges, accuracy in pairs if edges is not None]
        return Predictor(self.proposer.features, [edges for edges, _ in known], [accuracy for _, accuracy in known])

    def spread(self) -> None:
        """Train networks that are spread over what is within the limits."""
        for number in range(self.plan.starts):
            rng = np.random.default_rng([self.plan.seed, number])
            edges = self.proposer.spread(set(self.edges("start")), rng)
            if edges is None:
                return
            self.train("start", self.proposer.lattice.config(edges), self.plan.seed)

    def promising(self, predictor: Predictor) -> Iterator[Edges]:
        """Networks that were not trained: where the mean is highest, then where draws from what is believed are."""
        known = set(self.edges("start", "chosen", "random"))
        best = predictor.networks[int(np.argmax(predictor.mean(predictor.networks)))]
        for number in range(1 + CHOSEN * _TRIES):
            rng = np.random.default_rng([self.plan.seed, len(self.labelled), number])
            weights = predictor.posterior.draw(rng) if number else predictor.posterior.weights
            surface = predictor.features.surface(weights)
            limits = self.proposer.problem.limits
            found = highest(self.proposer.maximiser, predictor.features, surface, limits, [] if number else [best])
            if found is None:
                return
            near = (tuple(path) for stage in range(len(found)) for path in self._near(found, stage))
            for edges in (found, *near) if number == 0 else (found,):
                if edges not in known:
                    known.add(edges)
                    yield edges

    def _near(self, edges: Edges, stage: int) -> Sequence[Sequence[int]]:
        near: list[list[int]] = self.proposer.lattice.variants(edges, stage).tolist()
        return near

    def choose(self, predictor: Predictor) -> list[Edges]:
        """The best predicted networks that were not trained, the best first."""
        found = list(self.promising(predictor))
        means = predictor.mean(found) if found else np.zeros(0)
        return [found[place] for place in np.argsort(-means, kind="stable").tolist()]


def campaign(
    question: Question,
    trainer: Trainer,
    plan: Plan,
    *,
    reference: PVTConfig | None = None,
    on_trained: Callable[[Labelled], None] = lambda _labelled: None,
) -> Campaign:
    """Train, predict, choose and check, within all hard limits.

    reference: a known shape at the budget, trained from two seeds; its two results, and those of a uniform feasible
    draw, say how noisy trainings are. Raises `NothingFeasible` where nothing is within the limits.
    """
    run = _Run(question, trainer, plan, on_trained)
    seeds = (plan.seed, plan.seed + 1)
    run.spread()
    beside = [("reference", reference)] if reference else []
    for role, config in [*beside, ("random", _random(question, run, plan))]:
        for seed in seeds:
            run.train(role, config, seed)  # type: ignore[arg-type]  # mypy widens the literal
    stopped = _rounds(run)
    predictor = run.predictor()
    best = predictor.networks[int(np.argmax(predictor.mean(predictor.networks)))]
    recommended = run.proposer.lattice.config(best)
    run.train("again", recommended, seeds[1] + 1)
    return Campaign(tuple(run.labelled), predictor, recommended, stopped)


def _random(question: Question, run: _Run, plan: Plan) -> PVTConfig:
    drawn = uniform_draws(question.problem, 50, seed=plan.seed)
    known = set(run.edges("start"))
    fresh = (config for config in drawn if run.proposer.lattice.edges(config) not in known)
    found = next(fresh, None) or next(iter(drawn), None)
    if found is None:
        raise NothingFeasible(f"{question.problem.space.name}: nothing to draw within the limits")
    return replace(found, name=question.problem.space.name)


def _rounds(run: _Run) -> str:
    """Rounds of the best predicted networks; why there was no further one."""
    evaluated = len(run.edges("start"))
    while evaluated < run.plan.trials:
        predictor = run.predictor()
        promising = run.choose(predictor)
        if not promising:
            return "every network within the limits was trained"
        gain, noise = expected_gain(predictor, promising), noise_percent(run.labelled)
        if evaluated > run.plan.starts and gain < WORTH * noise:
            return f"a further round promised {gain:.2f} points, below {WORTH:g} of the noise of {noise:.2f}"
        for edges in islice(promising, min(CHOSEN, run.plan.trials - evaluated)):
            predicted = float(predictor.mean([edges])[0]), float(predictor.deviation([edges])[0])
            run.train("chosen", run.proposer.lattice.config(edges), run.plan.seed, predicted)
            evaluated += 1
    return f"the limit of {run.plan.trials} trials"
