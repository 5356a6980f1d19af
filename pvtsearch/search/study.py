"""Optuna studies over feasible configurations only: ask, decode, evaluate, tell; resumable at any moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import FrozenTrial, Trial, TrialState
from sqlalchemy import event
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from pvtsearch.config import PVTConfig
from pvtsearch.errors import StudyError
from pvtsearch.reading import hide_password
from pvtsearch.records import TrialRecord
from pvtsearch.search.decode import Decoded, Decoder
from pvtsearch.search.question import Question
from pvtsearch.search.samplers import make_sampler
from pvtsearch.search.structured import Structure
from pvtsearch.serialize import config_from_dict, config_to_dict
from pvtsearch.shown import printable
from pvtsearch.trainings import Epoch, OnEpoch, unheard

MAX_DRAWS = 3
_RECORD = "record"
_PRUNED = "pruned"
_DEFINITION = "definition"
_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)

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

    @property
    def decoder(self) -> Decoder:
        """What turns points into configurations."""
        return self.structure.decoder


def sqlite_storage(path: Path) -> BaseStorage:
    """A study storage in one file; write-ahead logging halves the time of a trial and survives a killed process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return open_storage(f"sqlite:///{path}", shown=str(path))


def open_storage(url: str, *, shown: str | None = None) -> BaseStorage:
    """Optuna's relational storage at a URL, shown as `shown` in errors; `StudyError` where it cannot be opened."""
    try:
        unformatted = url.replace("{", "{{").replace("}", "}}")  # Optuna formats it
        storage = RDBStorage(
            unformatted, engine_kwargs={"connect_args": {"timeout": 60}} if url.startswith("sqlite") else None
        )
    except (SQLAlchemyError, ImportError, ValueError) as error:
        name = shown or f"--storage {printable(hide_password(url))}"
        raise StudyError(f"{name}: no study storage that can be opened: {_reason(error)}") from error
    if url.startswith("sqlite"):
        event.listen(storage.engine, "connect", _write_ahead)
        storage.engine.dispose()  # connections made before the listener was there
    return storage


def _reason(error: Exception) -> str:
    """Why a storage cannot be opened, without its URL, which may hold a password."""
    match error:
        case ArgumentError():
            return "not a database URL such as sqlite:///study.db"
        case ImportError():
            return f"its driver {error.name or ''} is not installed".replace("  ", " ")
        case DBAPIError():
            return "the database does not answer, or the file is none of Optuna's"
        case _:
            return "the database is not one of this version of Optuna"


def _write_ahead(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


class StoredStudy:
    """A study in a storage, and its mirror in memory, which is what samplers see.

    Optuna writes every suggested value by itself; here a trial is one transaction, when it is finished. So it is stored
    whole or not at all, many times faster, and a killed run leaves nothing behind that never ends.
    """

    def __init__(self, storage: BaseStorage, name: str, plan: StudyPlan) -> None:
        directions = [objective.direction for objective in plan.question.objectives]
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._storage, self._memory = storage, InMemoryStorage()
        self.stored = optuna.create_study(storage=storage, study_name=name, directions=directions, load_if_exists=True)
        _claim(self.stored, plan)
        self.mirror = optuna.create_study(
            storage=self._memory, study_name=name, directions=directions, pruner=PRUNERS[plan.pruner]()
        )
        self._stored_id, self._mirror_id = (s.get_study_id_from_name(name) for s in (self._storage, self._memory))
        for key, value in self._storage.get_study_system_attrs(self._stored_id).items():
            self._memory.set_study_system_attr(self._mirror_id, key, value)
        for trial in self.stored.get_trials(deepcopy=False, states=_FINISHED):
            self.mirror.add_trial(trial)

    def records(self) -> list[TrialRecord]:
        """The evaluated configurations, numbered in the order in which they were evaluated."""
        trials = self.mirror.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [_record_of(number, trial) for number, trial in enumerate(trials)]

    def pruned(self) -> list[PVTConfig]:
        """The configurations whose trainings were ended early."""
        trials = self.mirror.get_trials(deepcopy=False, states=(TrialState.PRUNED,))
        return [config_from_dict(trial.user_attrs[_PRUNED], f"trial {trial.number}") for trial in trials]

    def prune(self, trial: Trial, config: PVTConfig) -> None:
        """Store a trial whose training was ended early."""
        trial.set_user_attr(_PRUNED, config_to_dict(config))
        self._store(trial, TrialState.PRUNED, None)

    def finish(self, trial: Trial, values: Sequence[float] | None) -> None:
        """Store a trial with its values, or as one that failed."""
        self._store(trial, TrialState.FAIL if values is None else TrialState.COMPLETE, values)

    def _store(self, trial: Trial, state: TrialState, values: Sequence[float] | None) -> None:
        finished = self.mirror.tell(trial, values, state=state)
        known = self._storage.get_study_system_attrs(self._stored_id)
        for key, value in self._memory.get_study_system_attrs(self._mirror_id).items():
            if key not in known:  # the parents of a generation, which genetic samplers draw once and keep
                self._storage.set_study_system_attr(self._stored_id, key, value)
        self.stored.add_trial(finished)


def open_study(storage: BaseStorage, name: str, plan: StudyPlan) -> StoredStudy:
    """The study of that name, new or as it was left. Raises `StudyError` where it is another search's."""
    return StoredStudy(storage, name, plan)


def _claim(study: optuna.Study, plan: StudyPlan) -> None:
    """Store the plan's definition with a new study; raise `StudyError` where another one is stored."""
    stored = study.user_attrs.get(_DEFINITION)
    if stored is None and not study.get_trials(deepcopy=False):
        study.set_user_attr(_DEFINITION, plan.definition)
        return
    stored = stored or {}
    if differing := [key for key in plan.definition if stored.get(key) != plan.definition[key]]:
        key = differing[0]
        raise StudyError(
            f"study '{study.study_name}' belongs to another search: its {key} is {_short(stored.get(key))}, "
            f"this command's {_short(plan.definition[key])}; give another --out or --study"
        )


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _record_of(number: int, trial: FrozenTrial) -> TrialRecord:
    stored = trial.user_attrs[_RECORD]
    config = config_from_dict(stored["config"], f"trial {trial.number}")
    return TrialRecord(number, config, stored["cost"], stored["scores"])


def run_study(
    study: StoredStudy, plan: StudyPlan, on_record: Callable[[TrialRecord], None] = lambda _record: None
) -> list[TrialRecord]:
    """Evaluate until the plan's number of distinct configurations is reached, or no further one is feasible.

    The sampler is made anew for every draw, seeded by the plan's seed and the number of evaluated configurations, and
    learns from finished trials only: a killed run goes on exactly as it would have. A configuration whose training a
    pruner ended counts as evaluated, and is no record.
    """
    records = study.records()
    seen = {record.config for record in records} | set(study.pruned())
    while len(seen) < plan.trials:
        drawn = _draw(study, plan, seen)
        if drawn is None:
            break
        trial, decoded = drawn
        seen.add(decoded.config)
        try:
            found = plan.evaluate(decoded, _listener(trial, plan))
        except optuna.TrialPruned:
            study.prune(trial, decoded.config)
            continue
        record = TrialRecord(len(records), decoded.config, decoded.cost, found)
        trial.set_user_attr(_RECORD, _stored(record))
        study.finish(trial, [record.value(objective.name) for objective in plan.question.objectives])
        records.append(record)
        on_record(record)
    return records


def _listener(trial: Trial, plan: StudyPlan) -> OnEpoch:
    """Tells a trial of its epochs, and ends it where the plan's pruner says so."""

    def hear(epoch: Epoch) -> None:
        trial.report(epoch.accuracy_percent, epoch.number)
        if trial.should_prune():
            raise optuna.TrialPruned

    return hear if plan.pruner != "none" else unheard


def _stored(record: TrialRecord) -> dict[str, Any]:
    return {"config": config_to_dict(record.config), "cost": dict(record.cost), "scores": dict(record.scores)}


def _draw(study: StoredStudy, plan: StudyPlan, seen: set[PVTConfig]) -> tuple[Trial, Decoded] | None:
    """A trial whose configuration was not evaluated yet; None where there is none left.

    A duplicate is redrawn; after `MAX_DRAWS` of them the sampler is stuck, and an unseen configuration is taken.
    """
    for attempt in range(MAX_DRAWS):
        study.mirror.sampler = make_sampler(plan.sampler, plan.structure, _seed(plan.seed, len(seen), attempt))
        trial, decoded = _ask(study, plan.decoder)
        if decoded.config not in seen:
            return trial, decoded
        study.finish(trial, None)
    point = plan.decoder.unseen(seen, np.random.default_rng([plan.seed, len(seen)]))
    if point is None:
        return None
    study.mirror.enqueue_trial(point)
    return _ask(study, plan.decoder)


def _ask(study: StoredStudy, decoder: Decoder) -> tuple[Trial, Decoded]:
    ranges: dict[str, BaseDistribution] = {name: IntDistribution(0, size - 1) for name, size in decoder.sizes.items()}
    trial = study.mirror.ask(fixed_distributions=ranges)
    return trial, decoder.decode(trial.params)


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
