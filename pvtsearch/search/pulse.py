"""Who is alive: a worker's trial beats, and whoever sees it not change for long by its own clock takes it for dead.

No two clocks are compared, so none has to be right. And whoever could not beat itself for a while, since its storage
was away or it was stopped, judges nobody until it has beaten regularly for as long again
([decision 0026](../../docs/decisions/0026-alive-is-what-is-seen-to-change.md)).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage

from pvtsearch.search.storages import patiently
from pvtsearch.search.trials import PULSE


@dataclass(frozen=True)
class Liveness:
    """How often a trial beats, and after how long without a change its worker is taken for dead."""

    pulse_seconds: float = 10.0
    grace_seconds: float = 60.0


class Pulse:
    """Beats for the trial that is held, in a thread of its own."""

    def __init__(self, storage: BaseStorage, liveness: Liveness, clock: Callable[[], float] = time.monotonic) -> None:
        self._storage, self._liveness, self._clock = storage, liveness, clock
        self._held: int | None = None
        self._lost = threading.Event()
        self._ended = threading.Event()
        self._steady_since = clock()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=self._liveness.pulse_seconds)

    def hold(self, trial_id: int | None) -> None:
        """Beat for this trial from now on; for none where there is None."""
        self._lost.clear()
        self._held = trial_id

    @property
    def lost(self) -> bool:
        """Whether others took the worker of the held trial for dead."""
        return self._lost.is_set()

    def stumble(self) -> None:
        """Storage or process were away for a while: what was not seen to change meanwhile tells nothing."""
        self._steady_since = self._clock()

    def judges(self, unchanged_since: float) -> bool:
        """Whether what has not changed since then is dead."""
        return self._clock() - max(unchanged_since, self._steady_since) > self._liveness.grace_seconds

    def _run(self) -> None:
        beat, before = 0, self._clock()
        while not self._ended.wait(self._liveness.pulse_seconds):
            held, beat = self._held, beat + 1
            if held is not None:
                self._beat(held, beat)
            if self._clock() - before > 3 * self._liveness.pulse_seconds:
                self.stumble()
            before = self._clock()

    def _beat(self, trial_id: int, beat: int) -> None:
        try:
            patiently(lambda: self._storage.set_trial_user_attr(trial_id, PULSE, beat), on_outage=self.stumble)
        except UpdateFinishedTrialError:
            if self._held == trial_id:  # else it was finished by its own worker in this very moment
                self._lost.set()
        except Exception:  # the worker itself will meet what this thread cannot tell anyone
            self.stumble()


class Watch:
    """What the live trials of others said when they were last seen to change."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[int, tuple[Any, float]] = {}

    def unchanged_since(self, beats: Mapping[int, Any]) -> dict[int, float]:
        """Since when each live trial, by number, has not changed, given its beat as it was just read."""
        now = self._clock()
        self._seen = {
            number: self._seen[number]
            if self._seen.get(number, (beat, now))[0] == beat and number in self._seen
            else (beat, now)
            for number, beat in beats.items()
        }
        return {number: since for number, (_beat, since) in self._seen.items()}
