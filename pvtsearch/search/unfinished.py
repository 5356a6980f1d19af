"""A search by trials that is not finished: what it is, and what it found so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna

from pvtsearch.errors import InputError
from pvtsearch.records import SearchResult
from pvtsearch.search.pareto import front_of
from pvtsearch.search.plan import StudyPlan
from pvtsearch.search.results import make_result, named_front
from pvtsearch.search.storages import open_storage
from pvtsearch.search.trials import config_of, record_of, standing


def begun(plan: StudyPlan, circumstances: Mapping[str, Any]) -> SearchResult:
    """What a search is before its first trial."""
    return make_result(
        plan.question,
        (),
        (),
        method="optuna",
        sampler=plan.sampler,
        seed=plan.seed,
        circumstances={**circumstances, "trials": plan.trials},
        certificate=None,
    )


def so_far(result: SearchResult, database: Path, study: str) -> SearchResult:
    """The same search with the trials that a study in a file holds. Raises `InputError` where there is none."""
    if not database.is_file():
        raise InputError(f"{database}: not there: the search has evaluated nothing yet, or its trials are elsewhere")
    try:
        trials = optuna.load_study(study_name=study, storage=open_storage(f"sqlite:///{database}", shown=str(database)))
    except KeyError as error:
        raise InputError(f"{database}: has no study called {study}") from error
    found = [trial for trial in trials.get_trials(deepcopy=False) if standing(trial) == "complete"]
    records = tuple(record_of(number, trial, config_of(trial), result.objectives) for number, trial in enumerate(found))
    said = f"{len(records):,} of {result.circumstances['trials']:,} networks evaluated"
    return replace(
        result,
        records=records,
        front=named_front(front_of(records, result.objectives)),
        circumstances={**result.circumstances, "unfinished": said},
    )
