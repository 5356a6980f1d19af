"""What all trials of a study come to: who claims what, who is alive, and what the dead left undone."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from optuna.trial import FrozenTrial

from pvtsearch.config import PVTConfig
from pvtsearch.search.claims import Claim
from pvtsearch.search.trials import Standing, config_of, hash_of, standing

_CLAIMING: tuple[Standing, ...] = ("live", "complete", "pruned", "failed")


class Orphan(NamedTuple):
    """A configuration that nobody claims, since its workers died or went: its last trial, and how many died."""

    trial: FrozenTrial
    deaths: int


class Standings:
    """Takes trials in, again whenever they have changed."""

    def __init__(self) -> None:
        self.claims: dict[int, Claim] = {}
        self.live: dict[int, FrozenTrial] = {}
        self.seen: set[PVTConfig] = set()
        self.complete: list[FrozenTrial] = []  # in the order in which they came
        self._standings: dict[int, Standing] = {}
        self._configs: dict[str, PVTConfig] = {}
        self._claimed: Counter[str] = Counter()
        self._left: dict[str, Orphan] = {}

    def take_in(self, trial: FrozenTrial) -> Standing:
        """Where a trial stands now."""
        found, before = standing(trial), self._standings.get(trial.number)
        if found == "live":
            self.live[trial.number] = trial
        if found == before:
            return found
        self._standings[trial.number] = found
        if found != "live":
            self.live.pop(trial.number, None)
        if found in _CLAIMING and before not in _CLAIMING:
            self._claim(trial)
        elif found not in _CLAIMING and before in _CLAIMING:
            self._give_up(trial.number)
        if found == "complete":
            self.complete.append(trial)
        if found in {"died", "released"}:
            self._leave(trial, died=found == "died")
        return found

    def config(self, trial: FrozenTrial) -> PVTConfig:
        """A trial's configuration, read once."""
        key = hash_of(trial)
        if key not in self._configs:
            self._configs[key] = config_of(trial)
        return self._configs[key]

    def count(self, *wanted: Standing) -> int:
        """How many trials stand so."""
        return sum(each in wanted for each in self._standings.values())

    def orphan(self) -> Orphan | None:
        """A configuration that was left undone, and that nobody has taken up."""
        return next((orphan for key, orphan in self._left.items() if not self._claimed[key]), None)

    def _claim(self, trial: FrozenTrial) -> None:
        key = hash_of(trial)
        self.claims[trial.number] = Claim(trial.number, key)
        self._claimed[key] += 1
        self.seen.add(self.config(trial))

    def _give_up(self, number: int) -> None:
        key = self.claims.pop(number).hash
        self._claimed[key] -= 1
        if not self._claimed[key]:
            self.seen.discard(self._configs[key])

    def _leave(self, trial: FrozenTrial, *, died: bool) -> None:
        key = hash_of(trial)
        deaths = self._left[key].deaths if key in self._left else 0
        self._left[key] = Orphan(trial, deaths + died)
