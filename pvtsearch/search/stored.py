"""A stored study that this process has joined: it takes configurations from it, one at a time, and brings results."""

from __future__ import annotations

import copy
import os
import platform
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from pvtsearch import locks
from pvtsearch.errors import EvaluationFailed, StudyError
from pvtsearch.records import TrialRecord
from pvtsearch.search.claims import verdict
from pvtsearch.search.decode import Decoded
from pvtsearch.search.definition import founded_or_joined
from pvtsearch.search.mirror import Mirror
from pvtsearch.search.plan import PRUNERS, StudyPlan
from pvtsearch.search.pulse import Pulse
from pvtsearch.search.roll import Roll
from pvtsearch.search.storages import file_of, patiently
from pvtsearch.search.trials import (
    FAILED,
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
MOST_DEATHS = 5  # of workers over one configuration; then it is taken for what kills them
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.05, 2.0


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
        self.stored = founded_or_joined(storage, name, plan.question.objectives, plan.definition)
        self._storage, self._plan = storage, plan
        self._pulse = Pulse(storage, plan.liveness)
        self._mirror = Mirror(name, directions, PRUNERS[plan.pruner]())
        self._roll = Roll(storage, self.stored, self._mirror, self._pulse)
        self._standings = self._roll.standings
        self._own_seed = int.from_bytes(os.urandom(4))

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Work on the study: with a pulse, and with all claims of the dead buried where it is known that all are."""
        path = file_of(self._storage)
        with self._pulse, ExitStack() as held:
            if path is not None:
                try:
                    held.enter_context(locks.joined(path.with_name(f"{path.name}.workers"), self._roll.bury_all))
                except OSError as error:
                    raise StudyError(f"{path}: cannot be locked: {error.strerror or error}") from error
            yield

    def read(self) -> None:
        """Take in what has changed since."""
        self._roll.read()

    def records(self) -> list[TrialRecord]:
        """The evaluated configurations, numbered in the order in which they were claimed."""
        trials = [trial for trial in self._roll.trials() if standing(trial) == "complete"]
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
        return [trial.user_attrs[FAILED] for trial in self._roll.trials() if standing(trial) == "failed"]

    def take(self, ending: Callable[[], bool] = lambda: False) -> Taken | None:
        """The next configuration to evaluate; None where the study is done, or this worker is told to end.

        Where enough are claimed already it waits: a worker that dies leaves its configuration to others.
        """
        pause = _FIRST_WAIT_SECONDS
        self._roll.refresh()
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
            self._roll.patiently(
                lambda: self._storage.set_trial_intermediate_value(taken.trial_id, epoch.number, epoch.accuracy_percent)
            )
        if taken.trial.should_prune():
            raise optuna.TrialPruned

    def _draw(self) -> Drawn | None:
        """A configuration that nobody claims: one that was left undone, else one that the sampler proposes."""
        structure = self._plan.structure
        if (orphan := self._standings.orphan()) is not None:
            return Drawn(*self._mirror.again(structure, orphan.trial), orphan.deaths)
        crowded = self._roll.crowded or self._standings.live
        own = [self._own_seed] if crowded else []  # among others each draws something else
        drawn = self._mirror.draw(structure, self._plan.sampler, [self._plan.seed, *own], self._standings.seen)
        return None if drawn is None else Drawn(*drawn, 0)

    def _claim(self, drawn: Drawn) -> Taken | None:
        """Write that this worker holds a configuration, then read who else does; None where it gives way."""
        token = uuid.uuid4().hex
        template = self._template(drawn, token)
        trial_id = self._roll.patiently(partial(self._storage.create_new_trial, self._roll.study_id, template))
        if not self._roll.came_next(template, trial_id, drawn.trial):
            self._roll.read((token, drawn.trial))
        mine = [trial for trial in self._standings.live.values() if token_of(trial) == token]
        mine.sort(key=lambda trial: trial.number)
        if not mine:  # this process was stopped for so long that others took it for dead
            self._mirror.end(drawn.trial, TrialState.FAIL)
            return None
        for again in mine[1:]:  # written twice, since the answer to the first was lost with the connection
            self._write_end(again, TrialState.FAIL, None, {VOID: "duplicate"})
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
        mine = self._write_end(taken.stored, state, values, attributes)  # it beats until that is written
        self._pulse.hold(None)
        self._mirror.end(taken.trial, *((state, values) if mine else (TrialState.FAIL, None)))
        self._roll.remember()
        return mine

    def _write_end(
        self, trial: FrozenTrial, state: TrialState, values: Sequence[float] | None, attributes: Mapping[str, Any]
    ) -> bool:
        ended, trial_id = copy.copy(trial), trial._trial_id
        ended.state, ended.values, ended.user_attrs = state, values, {**trial.user_attrs, **attributes}
        try:
            for key, value in attributes.items():
                self._roll.patiently(partial(self._storage.set_trial_user_attr, trial_id, key, value))
            self._roll.patiently(partial(self._storage.set_trial_state_values, trial_id, state, values))
        except UpdateFinishedTrialError:  # by others; or by this very call, whose answer was lost with the connection
            ended = self._roll.patiently(partial(self._storage.get_trial, trial_id))
        self._roll.ended(ended)
        return ended.state == state


def open_study(storage: BaseStorage, name: str, plan: StudyPlan) -> StoredStudy:
    """The study of that name, new or as it was left. Raises `StudyError` where it is another search's.

    Opened half, it is opened again: what is said of a new study is said once more.
    """
    return patiently(lambda: StoredStudy(storage, name, plan))
