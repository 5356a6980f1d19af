"""Optuna studies over feasible configurations only, from any number of processes; resumable at any moment."""

from __future__ import annotations

import copy
import os
import platform
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from pvtsearch import locks
from pvtsearch.errors import Ended, EvaluationFailed, InputError
from pvtsearch.records import TrialRecord
from pvtsearch.search.claims import verdict
from pvtsearch.search.decode import Decoded, Decoder
from pvtsearch.search.definition import founded_or_joined
from pvtsearch.search.ending import Ending
from pvtsearch.search.mirror import Mirror
from pvtsearch.search.pulse import Liveness, Pulse, Watch
from pvtsearch.search.question import Question
from pvtsearch.search.standings import Standings
from pvtsearch.search.storages import file_of, patiently
from pvtsearch.search.structured import Structure
from pvtsearch.search.trials import (
    FAILED,
    PULSE,
    RECORD,
    RELEASED,
    VOID,
    Standing,
    claim_of,
    plain,
    record_of,
    standing,
    token_of,
)
from pvtsearch.trainings import Epoch, OnEpoch

WORKER_NAME = f"{platform.node()}:{os.getpid()}"
MOST_FAILURES = 5  # with no success: then it is not the configurations
MOST_CHARACTERS = 500  # of a reason
MOST_DEATHS = 5  # of workers over one configuration; then it is taken for what kills them
FRESH_SECONDS = 1.0  # what was read of a study stands for its present for so long
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.05, 2.0

T = TypeVar("T")
Evaluate = Callable[[Decoded, OnEpoch], dict[str, float]]

PRUNERS: dict[str, Callable[[], BasePruner]] = {
    "median": lambda: MedianPruner(n_startup_trials=5, n_warmup_steps=1),
    "hyperband": HyperbandPruner,
    "none": NopPruner,
}


@dataclass(frozen=True)
class StudyPlan:
    """What a study evaluates and how long. `definition` is stored with it: another one may not join."""

    structure: Structure
    question: Question
    evaluate: Evaluate  # scores of a decoded configuration, by signal; told of its epochs
    trials: int
    sampler: str
    seed: int
    definition: dict[str, Any]
    pruner: str = "none"
    liveness: Liveness = field(default_factory=Liveness)

    @property
    def decoder(self) -> Decoder:
        """What turns points into configurations."""
        return self.structure.decoder


class Drawn(NamedTuple):
    """A configuration to claim: its trial in the mirror, and how many workers have died over it."""

    trial: Trial
    decoded: Decoded
    deaths: int


class Taken(NamedTuple):
    """A configuration that this worker holds: nobody else evaluates it."""

    trial: Trial  # of the mirror
    decoded: Decoded
    stored: FrozenTrial  # as it was claimed

    @property
    def number(self) -> int:
        """Of the stored trial."""
        return self.stored.number

    @property
    def trial_id(self) -> int:
        """By which the storage knows it."""
        return self.stored._trial_id


class StoredStudy:
    """A study in a storage, joined by this process, which takes configurations from it one at a time."""

    def __init__(self, storage: BaseStorage, name: str, plan: StudyPlan) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        directions = [objective.direction for objective in plan.question.objectives]
        self.stored = founded_or_joined(storage, name, directions, plan.definition)
        self._storage, self._plan = storage, plan
        self._id = storage.get_study_id_from_name(name)
        self._mirror = Mirror(name, directions, PRUNERS[plan.pruner]())
        self._standings, self._watch, self._pulse = Standings(), Watch(), Pulse(storage, plan.liveness)
        self._settled = 0  # trials before this one are finished and taken in
        self._count, self._last_id = 0, -1  # of the trials that are known
        self._own_seed = int.from_bytes(os.urandom(4))
        self._claiming: tuple[str, Trial | None] = ("", None)  # the last claim of this worker, and its trial
        self._read = 0.0
        self._known = set(remembered := storage.get_study_system_attrs(self._id))
        self.read()
        self._mirror.learn(remembered)

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Work on the study: with a pulse, and with all claims of the dead buried where it is known that all are."""
        path = file_of(self._storage)
        with self._pulse:
            if path is None:
                yield
                return
            with locks.joined(path.with_name(f"{path.name}.workers"), self._bury_all):
                yield

    @property
    def standings(self) -> Standings:
        """What the trials come to, as they were last read."""
        return self._standings

    def records(self) -> list[TrialRecord]:
        """The evaluated configurations, numbered in the order in which they were claimed."""
        trials = [trial for trial in self._trials() if standing(trial) == "complete"]
        config, objectives = self._standings.config, self._plan.question.objectives
        return [record_of(number, trial, config(trial), objectives) for number, trial in enumerate(trials)]

    def count(self, *wanted: Standing) -> int:
        """How many trials stand so, as they were last read."""
        return self._standings.count(*wanted)

    def news(self) -> list[TrialRecord]:
        """Records that have come in since this was last asked for, as far as the study was read."""
        trials, self._standings.complete = self._standings.complete, []
        config, objectives = self._standings.config, self._plan.question.objectives
        return [record_of(trial.number, trial, config(trial), objectives) for trial in trials]

    def failures(self) -> list[str]:
        """Why evaluations failed."""
        return [trial.user_attrs[FAILED] for trial in self._trials() if standing(trial) == "failed"]

    def read(self) -> None:
        """Take in what has changed since, and bury whoever is dead."""
        trials = self._trials()
        token, mine = self._claiming
        for trial in trials[self._settled :]:
            if mine is not None and token_of(trial) == token:
                self._mirror.stands_for(mine, trial.number)
            self._take_in(trial)
        while self._settled < len(trials) and trials[self._settled].state.is_finished():
            self._settled += 1
        live = self._standings.live
        since = self._watch.unchanged_since({n: trial.user_attrs.get(PULSE) for n, trial in live.items()})
        for number in [number for number in live if self._pulse.judges(since[number])]:
            self._end_as_dead(live[number])
        self._read = time.monotonic()

    def take(self, ending: Callable[[], bool] = lambda: False) -> Taken | None:
        """The next configuration to evaluate; None where the study is done, or this worker is told to end.

        Where enough are claimed already it waits: a worker that dies leaves its configuration to others.
        """
        pause = _FIRST_WAIT_SECONDS
        if time.monotonic() - self._read > FRESH_SECONDS:
            self.read()
        while not ending():
            if self.count("complete", "pruned", "failed") >= self._plan.trials:
                return None
            drawn = None if len(self._standings.claims) >= self._plan.trials else self._draw()
            if drawn is not None:
                if (taken := self._claim(drawn)) is not None:
                    return taken
                continue
            if not self._standings.live and len(self._standings.claims) < self._plan.trials:
                return None
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_WAIT_SECONDS)
            self.read()
        return None

    def finish(self, taken: Taken, scores: dict[str, float]) -> TrialRecord | None:
        """Store what came out; None where this worker was taken for dead, so that others evaluate it."""
        found = {name: plain(value) for name, value in scores.items()}
        record = TrialRecord(self.count("complete"), taken.decoded.config, taken.decoded.cost, found)
        values = [record.value(objective.name) for objective in self._plan.question.objectives]
        return record if self._end(taken, TrialState.COMPLETE, values) else None

    def prune(self, taken: Taken) -> None:
        """Store that a training was ended early."""
        self._end(taken, TrialState.PRUNED)

    def fail(self, taken: Taken, reason: str) -> None:
        """Store why an evaluation failed. It counts as evaluated: nobody tries it again."""
        self._end(taken, TrialState.FAIL, attributes={FAILED: reason})

    def release(self, taken: Taken) -> None:
        """Leave a configuration to others."""
        self._end(taken, TrialState.FAIL, attributes={VOID: RELEASED})

    def hears(self, taken: Taken) -> OnEpoch:
        """Told of the epochs of an evaluation; ends it where a pruner says so, or others have taken it over."""

        def hear(epoch: Epoch) -> None:
            if self._pulse.lost:
                raise EvaluationFailed("others took this worker for dead and evaluate it")
            if self._plan.pruner != "none":
                self._report(taken, epoch)

        return hear

    def _report(self, taken: Taken, epoch: Epoch) -> None:
        taken.trial.report(epoch.accuracy_percent, epoch.number)
        with suppress(UpdateFinishedTrialError):  # it ends at the next epoch
            self._patiently(
                lambda: self._storage.set_trial_intermediate_value(taken.trial_id, epoch.number, epoch.accuracy_percent)
            )
        if taken.trial.should_prune():
            raise optuna.TrialPruned

    def _draw(self) -> Drawn | None:
        """A configuration that nobody claims: one that was left undone, else one that the sampler proposes."""
        structure = self._plan.structure
        if (orphan := self._standings.orphan()) is not None:
            return Drawn(*self._mirror.drawn(structure, orphan.trial.params), orphan.deaths)
        own = [self._own_seed] if self._standings.live else []  # among others each draws something else
        drawn = self._mirror.draw(structure, self._plan.sampler, [self._plan.seed, *own], self._standings.seen)
        return None if drawn is None else Drawn(*drawn, 0)

    def _claim(self, drawn: Drawn) -> Taken | None:
        """Write that this worker holds a configuration, then read who else does; None where it gives way."""
        token = uuid.uuid4().hex
        self._claiming = token, drawn.trial
        template = self._template(drawn, token)
        trial_id = self._patiently(lambda: self._storage.create_new_trial(self._id, template_trial=template))
        if not self._came_next(template, trial_id):
            self.read()
        mine = [trial for trial in self._standings.live.values() if token_of(trial) == token]
        mine.sort(key=lambda trial: trial.number)
        for again in mine[1:]:  # written twice, since the answer to the first was lost with the connection
            self._end(Taken(drawn.trial, drawn.decoded, again), TrialState.FAIL, attributes={VOID: "duplicate"})
        taken = Taken(drawn.trial, drawn.decoded, mine[0])
        claims = self._standings.claims
        found = verdict(claims.values(), claims[taken.number], self._plan.trials)
        if found != "evaluate":
            self._end(taken, TrialState.FAIL, attributes={VOID: found})
            return None
        self._pulse.hold(taken.trial_id)
        if drawn.deaths >= MOST_DEATHS:
            self.fail(taken, f"{drawn.deaths} workers died over it")
            return None
        return taken

    def _came_next(self, claim: FrozenTrial, trial_id: int) -> bool:
        """Take a claim in as it was written, where nobody can have come between: then there is nothing to read.

        Storages number trials as they come, so after the last one that is known there is no room for another's; and
        none that is known was alive, so none of them can have changed.
        """
        if trial_id != self._last_id + 1 or self._standings.live or self._settled != self._count:
            return False
        claim.number, claim._trial_id = self._count, trial_id
        self._mirror.stands_for(self._claiming[1], claim.number)
        self._take_in(claim)
        return True

    def _take_in(self, trial: FrozenTrial) -> None:
        self._mirror.take_in(trial, self._standings.take_in(trial))
        self._count, self._last_id = max(self._count, trial.number + 1), max(self._last_id, trial._trial_id)

    def _template(self, drawn: Drawn, token: str) -> FrozenTrial:
        """The trial of a claim: one transaction stores it whole."""
        frozen = self._mirror.frozen(drawn.trial)
        return create_trial(
            state=TrialState.RUNNING,
            params=frozen.params,
            distributions=frozen.distributions,
            user_attrs={RECORD: claim_of(drawn.decoded, worker=WORKER_NAME, token=token)},
            system_attrs={key: value for key, value in frozen.system_attrs.items() if not isinstance(value, dict)},
        )

    def _end(
        self,
        taken: Taken,
        state: TrialState,
        values: Sequence[float] | None = None,
        attributes: Mapping[str, Any] = MappingProxyType({}),
    ) -> bool:
        """End a trial of this worker's; False where it had been ended by others."""
        self._pulse.hold(None)
        mine = self._write_end(taken.trial_id, state, values, attributes)
        if not mine:
            state, values, attributes = TrialState.FAIL, None, {}
        self._mirror.end(taken.trial, state, values)
        ended = copy.copy(taken.stored)
        ended.state, ended.values, ended.user_attrs = state, values, {**ended.user_attrs, **attributes}
        self._take_in(ended)
        if self._settled == ended.number:
            self._settled += 1
        self._remember()
        return mine

    def _write_end(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None, attributes: Mapping[str, Any]
    ) -> bool:
        try:
            for key, value in attributes.items():
                self._patiently(partial(self._storage.set_trial_user_attr, trial_id, key, value))
            self._patiently(lambda: self._storage.set_trial_state_values(trial_id, state, values))
        except UpdateFinishedTrialError:  # by others; or by this very call, whose answer was lost with the connection
            return self._patiently(lambda: self._storage.get_trial(trial_id)).state == state != TrialState.FAIL
        return True

    def _end_as_dead(self, trial: FrozenTrial) -> None:
        with suppress(UpdateFinishedTrialError):
            self._patiently(lambda: self._storage.set_trial_state_values(trial._trial_id, TrialState.FAIL))

    def _bury_all(self) -> None:
        for trial in self._trials():
            if standing(trial) == "live":
                self._end_as_dead(trial)

    def _trials(self) -> list[FrozenTrial]:
        return self._patiently(lambda: self.stored.get_trials(deepcopy=False))

    def _patiently(self, call: Callable[[], T]) -> T:
        return patiently(call, on_outage=self._pulse.stumble)

    def _remember(self) -> None:
        """Store what samplers draw once and keep, and nobody has stored before."""
        for key, value in self._mirror.remembers(self._known).items():
            stored = self._patiently(lambda: self._storage.get_study_system_attrs(self._id))
            if key not in stored:
                self._patiently(partial(self._storage.set_study_system_attr, self._id, key, value))
            self._known.add(key)


def open_study(storage: BaseStorage, name: str, plan: StudyPlan) -> StoredStudy:
    """The study of that name, new or as it was left. Raises `StudyError` where it is another search's."""
    return StoredStudy(storage, name, plan)


def run_study(
    study: StoredStudy,
    plan: StudyPlan,
    on_record: Callable[[TrialRecord], None] = lambda _record: None,
    ending: Ending | None = None,
) -> list[TrialRecord]:
    """Evaluate until the plan's number of distinct configurations is reached, or no further one is feasible.

    Any number of processes may do so at once: no configuration is evaluated by two of them. One alone that is killed
    goes on exactly as it would have. A configuration whose training a pruner ended, or whose evaluation failed, counts
    as evaluated, and is no record. Raises `EvaluationFailed` where the first ones all fail.
    """
    ending = ending or Ending()
    with study.joined():
        while (taken := study.take(lambda: ending.requested)) is not None:
            record = _evaluated(study, plan, taken, ending)
            if record is not None:
                on_record(record)
            elif study.count("failed") >= MOST_FAILURES and not study.count("complete", "pruned", "live"):
                raise EvaluationFailed(f"all of {study.count('failed')} evaluations failed; {study.failures()[-1]}")
    return study.records()


def _evaluated(study: StoredStudy, plan: StudyPlan, taken: Taken, ending: Ending) -> TrialRecord | None:
    """The record of a configuration; None where there is none, and why is stored."""
    try:
        with ending.interrupts():
            scores = plan.evaluate(taken.decoded, study.hears(taken))
    except optuna.TrialPruned:
        study.prune(taken)
    except (InputError, KeyboardInterrupt, SystemExit, Ended):
        study.release(taken)
        raise
    except Exception as error:  # whatever it is, it is this configuration's, and no other worker's
        study.fail(taken, " ".join(f"{type(error).__name__}: {error}".split())[:MOST_CHARACTERS])
    else:
        return study.finish(taken, scores)
    return None
