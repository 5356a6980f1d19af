"""All trials of a stored study as they were last read: where each stands, who is alive, what samplers see of them."""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from pvtsearch.search.mirror import Mirror
from pvtsearch.search.pulse import Pulse, Watch
from pvtsearch.search.standings import Standings
from pvtsearch.search.storages import patiently
from pvtsearch.search.trials import PULSE, standing, token_of

FRESH_SECONDS = 1.0  # what was read of a study stands for its present for so long

T = TypeVar("T")


class Roll:
    """Read again and again; only what may have changed is looked at again."""

    def __init__(self, storage: BaseStorage, stored: optuna.Study, mirror: Mirror, pulse: Pulse) -> None:
        self.stored, self.mirror, self.pulse = stored, mirror, pulse
        self.storage, self.study_id = storage, storage.get_study_id_from_name(stored.study_name)
        self.standings, self._watch = Standings(), Watch()
        self._settled = 0  # trials before this one are finished and taken in
        self._count, self._last_id = 0, -1  # of the trials that are known
        self._read = 0.0
        self._first, self._tokens = sys.maxsize, set[str | None]({None})
        self.crowded = False  # whether others have claimed anything since this worker came
        remembered = storage.get_study_system_attrs(self.study_id)
        self._remembered = set(remembered)
        self.read()
        self._first = self._count
        mirror.learn(remembered)

    def trials(self) -> list[FrozenTrial]:
        """All of them, by number."""
        return self.patiently(lambda: self.stored.get_trials(deepcopy=False))

    def read(self, own: tuple[str, Trial] | None = None) -> None:
        """Take in what has changed since, and bury whoever is dead.

        own: the token of a claim that was just written, and its trial in the mirror.
        """
        trials = self.trials()
        if own is not None:
            self._tokens.add(own[0])
        for trial in trials[self._settled :]:
            if own is not None and token_of(trial) == own[0]:
                self.mirror.stands_for(own[1], trial.number)
            self.crowded |= trial.number >= self._first and token_of(trial) not in self._tokens
            self._take_in(trial)
        while self._settled < len(trials) and trials[self._settled].state.is_finished():
            self._settled += 1
        live = self.standings.live
        since = self._watch.unchanged_since({n: trial.user_attrs.get(PULSE) for n, trial in live.items()})
        for number in [number for number in live if self.pulse.judges(since[number])]:
            self._bury(live[number])
        self._read = time.monotonic()

    def refresh(self) -> None:
        """Read, unless that was just done."""
        if time.monotonic() - self._read > FRESH_SECONDS:
            self.read()

    def came_next(self, claim: FrozenTrial, trial_id: int, own: Trial) -> bool:
        """Take a claim in as it was written, where nobody can have come between: then there is nothing to read.

        Storages number trials as they come, so after the last one that is known there is no room for another's; and
        none that is known was alive, so none of them can have changed.
        """
        if trial_id != self._last_id + 1 or self.standings.live or self._settled != self._count:
            return False
        claim.number, claim._trial_id = self._count, trial_id
        self._tokens.add(token_of(claim))
        self.mirror.stands_for(own, claim.number)
        self._take_in(claim)
        return True

    def ended(self, trial: FrozenTrial) -> None:
        """Take in the end of this worker's own trial."""
        self._take_in(trial)
        if self._settled == trial.number:
            self._settled += 1

    def bury_all(self) -> None:
        """End all trials that seem alive: it is known that nobody is."""
        for trial in self.trials():
            if standing(trial) == "live":
                self._bury(trial)

    def remember(self) -> None:
        """Store what samplers draw once and keep, and nobody has stored before."""
        for key, value in self.mirror.remembers(self._remembered).items():
            stored = self.patiently(lambda: self.storage.get_study_system_attrs(self.study_id))
            if key not in stored:
                self.patiently(partial(self.storage.set_study_system_attr, self.study_id, key, value))
            self._remembered.add(key)

    def patiently(self, call: Callable[[], T]) -> T:
        """What call returns of the storage, however long that takes; nobody is judged by the time it took."""
        return patiently(call, on_outage=self.pulse.stumble)

    def _take_in(self, trial: FrozenTrial) -> None:
        self.mirror.take_in(trial, self.standings.take_in(trial))
        self._count, self._last_id = max(self._count, trial.number + 1), max(self._last_id, trial._trial_id)

    def _bury(self, trial: FrozenTrial) -> None:
        ended = copy.copy(trial)
        ended.state = TrialState.FAIL
        with suppress(UpdateFinishedTrialError):  # then it is read as what it has become
            self.patiently(lambda: self.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL))
            self._take_in(ended)
