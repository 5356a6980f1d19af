"""A study in memory, which is what samplers see: the trials of a stored one, as far as they teach anything."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.pruners import BasePruner
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, Trial, TrialState

from pvtsearch.config import PVTConfig
from pvtsearch.records import Direction
from pvtsearch.search.decode import Decoded
from pvtsearch.search.samplers import knobs_of, make_sampler
from pvtsearch.search.structured import Structure
from pvtsearch.search.trials import Standing

MAX_DRAWS = 3
_TEACHES: tuple[Standing, ...] = ("live", "complete", "pruned", "failed")


class Mirror:
    """Optuna writes every suggested value by itself: in memory that costs nothing, in a database a transaction each.

    It knows trials by their numbers in the stored study, and hands out trials of its own that are given one later.
    """

    def __init__(self, name: str, directions: Sequence[Direction], pruner: BasePruner) -> None:
        self._memory = InMemoryStorage()
        self.study = optuna.create_study(storage=self._memory, study_name=name, directions=directions, pruner=pruner)
        self._id = self._memory.get_study_id_from_name(name)
        self._places: dict[int, int] = {}  # by number in the stored study
        self._open: set[int] = set()

    def take_in(self, trial: FrozenTrial, standing: Standing) -> None:
        """Know a trial of another process, or what has become of it."""
        if trial.number not in self._places:
            if standing in _TEACHES:
                self._add(trial)
        elif trial.number in self._open and standing != "live":
            self._end(trial)

    def _add(self, trial: FrozenTrial) -> None:
        bare = copy.copy(trial)
        bare.user_attrs = {}
        self._places[trial.number] = self._memory.create_new_trial(self._id, template_trial=bare)
        if not trial.state.is_finished():
            self._open.add(trial.number)

    def _end(self, trial: FrozenTrial) -> None:
        place = self._places[trial.number]
        for step, value in trial.intermediate_values.items():
            self._memory.set_trial_intermediate_value(place, step, value)
        self._memory.set_trial_state_values(place, trial.state, trial.values)
        self._open.discard(trial.number)

    def stands_for(self, trial: Trial, number: int) -> None:
        """A trial drawn here is the one of that number."""
        self._places[number] = trial._trial_id

    def end(self, trial: Trial, state: TrialState, values: Sequence[float] | None = None) -> None:
        """What has become of a trial drawn here."""
        self.study.tell(trial, values, state=state)

    def frozen(self, trial: Trial) -> FrozenTrial:
        """A trial drawn here, as it is now."""
        return self._memory.get_trial(trial._trial_id)

    def draw(
        self, structure: Structure, sampler: str, seeds: Sequence[int], seen: Collection[PVTConfig]
    ) -> tuple[Trial, Decoded] | None:
        """A trial whose configuration is not in seen; None where there is none left.

        The sampler is made anew for every draw, seeded by seeds and the number of seen configurations. A duplicate is
        redrawn; after `MAX_DRAWS` of them the sampler is stuck, and an unseen configuration is taken.
        """
        for attempt in range(MAX_DRAWS):
            self.study.sampler = make_sampler(sampler, structure, _seed(seeds[0], len(seen), attempt, *seeds[1:]))
            trial, decoded = self._ask(structure)
            if decoded.config not in seen:
                return trial, decoded
            self.end(trial, TrialState.FAIL)
        point = structure.decoder.unseen(seen, np.random.default_rng([seeds[0], len(seen), *seeds[1:]]))
        return None if point is None else self.drawn(structure, point)

    def drawn(self, structure: Structure, point: Mapping[str, int]) -> tuple[Trial, Decoded]:
        """A trial of this very point."""
        self.study.enqueue_trial(dict(point))
        return self._ask(structure)

    def again(self, structure: Structure, left: FrozenTrial) -> tuple[Trial, Decoded]:
        """The trial of a worker that is gone, with what its sampler wrote into it, such as its generation."""
        trial, decoded = self.drawn(structure, left.params)
        for key, value in left.system_attrs.items():
            self._memory.set_trial_system_attr(trial._trial_id, key, value)
        return trial, decoded

    def _ask(self, structure: Structure) -> tuple[Trial, Decoded]:
        trial = self.study.ask(fixed_distributions=knobs_of(structure))
        return trial, structure.decoder.decode(trial.params)

    def learn(self, remembered: Mapping[str, Any]) -> None:
        """Know what `remembers` told, as far as its trials are known."""
        for key, numbers in remembered.items():
            if _is_numbers(numbers) and all(number in self._places for number in numbers):
                self._memory.set_study_system_attr(self._id, key, [self._places[number] for number in numbers])

    def remembers(self, known: Collection[str]) -> dict[str, list[int]]:
        """What samplers drew once and keep, parents of generations, by numbers of the stored study; less known."""
        kept = self._memory.get_study_system_attrs(self._id)
        new = {key: places for key, places in kept.items() if key not in known and _is_numbers(places)}
        numbers = {place: number for number, place in self._places.items()} if new else {}
        return {key: [numbers[place] for place in places] for key, places in new.items()}


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, int) for each in value)


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
