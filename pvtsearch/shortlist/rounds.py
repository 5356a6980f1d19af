"""From a question to a recommended network: spread trainings, then rounds of the best predicted, until they do not pay.

Nothing here is random but by the seed, and nothing is remembered but trainings: with a trainer that remembers its own
results a killed search goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from pvtsearch.config import PVTConfig
from pvtsearch.errors import InputError
from pvtsearch.search.ascent import highest
from pvtsearch.search.draws import uniform_draws
from pvtsearch.search.lattice import Edges
from pvtsearch.search.predictor import FEWEST, Predictor
from pvtsearch.search.proposals import Proposer
from pvtsearch.search.question import Question, nothing_feasible
from pvtsearch.shortlist.worth import expected_gain, noise_percent, verdict
from pvtsearch.trainings import Campaign, Role, Trainer, Training

STARTS, CHOSEN = 16, 5
WORTH = 0.25  # of the noise: a round that promises to gain less is not trained
OF_SPACE: tuple[Role, ...] = ("start", "random", "chosen")  # what the predictor learns from
_TRIES = 20  # draws from the posterior for each network of a round
_JUDGED = 200  # uniform draws that the spread of predictions is taken over


@dataclass(frozen=True)
class Plan:
    """How many networks: `starts` spread ones, then rounds of `CHOSEN` while they stay within `trials`."""

    trials: int = STARTS + 2 * CHOSEN
    starts: int = STARTS
    seed: int = 0

    def __post_init__(self) -> None:
        if self.starts < FEWEST:
            raise InputError(f"a predictor needs at least {FEWEST} trainings to start from, got {self.starts}")
        if self.trials < self.starts + 1:
            raise InputError(
                f"trials must be at least {self.starts + 1} where accuracy is predicted ({self.starts} spread ones, "
                f"then the best predicted), got {self.trials}"
            )

    @property
    def trainings(self) -> int:
        """The most trainings: reference and random draw twice each, and the recommended network again."""
        return self.trials + 5


def plan_for(trials: int | None, seed: int) -> Plan:
    """The usual plan, or one of so many networks: as many spread ones as leave a round."""
    if trials is None:
        return Plan(seed=seed)
    return Plan(trials, max(FEWEST, min(STARTS, trials - CHOSEN)), seed)


class _Run:
    """A campaign under way."""

    def __init__(self, question: Question, trainer: Trainer, plan: Plan, done: Callable[[Training], None]) -> None:
        self.proposer = Proposer(question.problem, question.objectives)
        if not self.proposer.lattice.roots:
            raise nothing_feasible(question.problem)
        self.problem, self.trainer, self.plan, self.done = question.problem, trainer, plan, done
        self.trainings: list[Training] = []

    def train(self, role: Role, config: PVTConfig, seed: int, predicted: tuple[float, float] | None = None) -> None:
        """Train a network and remember it."""
        self.trainings.append(Training(role, config, seed, self.trainer(config, seed), predicted))
        self.done(self.trainings[-1])

    def known(self, *roles: Role) -> list[tuple[Edges, float]]:
        """Trained networks of the space, as paths, and their accuracies."""
        pairs = [(self.proposer.lattice.edges(t.config), t.accuracy_percent) for t in self.trainings if t.role in roles]
        return [(edges, accuracy) for edges, accuracy in pairs if edges is not None]

    def predictor(self) -> Predictor:
        """The predictor of all trained networks of the space."""
        known = self.known(*OF_SPACE)
        return Predictor(self.proposer.features, [edges for edges, _ in known], [accuracy for _, accuracy in known])

    def spread(self) -> None:
        """Train networks that are spread over what is within the limits."""
        for number in range(self.plan.starts):
            rng = np.random.default_rng([self.plan.seed, number])
            edges = self.proposer.spread({edges for edges, _ in self.known("start")}, rng)
            if edges is None:
                return
            self.train("start", self.proposer.lattice.config(edges), self.plan.seed)

    def promising(self, predictor: Predictor) -> Iterator[Edges]:
        """Networks that were not trained: where the mean is highest, then where draws from what is believed are."""
        known = {edges for edges, _ in self.known(*OF_SPACE)}
        best = predictor.networks[int(np.argmax(predictor.mean(predictor.networks)))]
        for number in range(1 + CHOSEN * _TRIES):
            rng = np.random.default_rng([self.plan.seed, len(self.trainings), number])
            weights = predictor.posterior.draw(rng) if number else predictor.posterior.weights
            surface, limits = predictor.features.surface(weights), self.problem.limits
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
    on_trained: Callable[[Training], None] = lambda _training: None,
) -> Campaign:
    """Train, predict, choose and check, within all hard limits.

    reference: a known shape at the budget, trained from two seeds; its two results, and those of a uniform feasible
    draw, say how noisy trainings are. Raises `NothingFeasible` where nothing is within the limits.
    """
    run = _Run(question, trainer, plan, on_trained)
    seeds = (plan.seed, plan.seed + 1)
    run.spread()
    if len(run.trainings) < FEWEST:
        raise InputError(
            f"{question.problem.space.name}: {len(run.trainings)} networks are within the limits, a predictor needs "
            f"{FEWEST}: train them one by one (pvtsearch train), or raise the budget"
        )
    if reference is not None:
        for seed in seeds:
            run.train("reference", reference, seed)
    drawn = _random(run)
    for seed in seeds:
        run.train("random", drawn, seed)
    stopped = _rounds(run)
    predictor = run.predictor()
    best = predictor.networks[int(np.argmax(predictor.mean(predictor.networks)))]
    recommended = run.proposer.lattice.config(best)
    run.train("again", recommended, seeds[1] + 1)
    expected = float(predictor.mean([best])[0]), float(predictor.deviation([best])[0])
    judged = [run.proposer.lattice.edges(config) for config in uniform_draws(run.problem, _JUDGED, seed=plan.seed)]
    worth = verdict(run.trainings, predictor, [edges for edges in judged if edges is not None], seed=plan.seed)
    return Campaign(tuple(run.trainings), recommended, expected, stopped, worth)


def _random(run: _Run) -> PVTConfig:
    """A uniform draw, none of the spread networks where there are others."""
    drawn = uniform_draws(run.problem, 50, seed=run.plan.seed)
    known = {edges for edges, _ in run.known("start")}
    return next((config for config in drawn if run.proposer.lattice.edges(config) not in known), drawn[0])


def _rounds(run: _Run) -> str:
    """Rounds of the best predicted networks; why there was no further one."""
    evaluated = len(run.known("start"))
    while evaluated < run.plan.trials:
        predictor = run.predictor()
        promising = run.choose(predictor)
        if not promising:
            return "every network that was proposed is trained"
        gain, noise = expected_gain(predictor, promising), noise_percent(run.trainings)
        if evaluated > run.plan.starts and gain < WORTH * noise:
            return f"a further round promised {gain:.2f} points, less than a quarter of the noise of {noise:.2f}"
        for edges in islice(promising, min(CHOSEN, run.plan.trials - evaluated)):
            predicted = float(predictor.mean([edges])[0]), float(predictor.deviation([edges])[0])
            run.train("chosen", run.proposer.lattice.config(edges), run.plan.seed, predicted)
            evaluated += 1
    return f"the limit of {run.plan.trials} trials"
