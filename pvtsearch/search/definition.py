"""What a study says of itself: the search that it belongs to, with a hash, its schema, and the versions it was made by.

Another search may not join. A study of schema 1 holds no hashes and no versions; it is read, and goes on as schema 2.
"""

from __future__ import annotations

import hashlib
import json
import time
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.exceptions import DuplicatedStudyError, ExperimentalWarning
from optuna.storages import BaseStorage

from pvtsearch.errors import StudyError
from pvtsearch.records import Objective
from pvtsearch.search.results import library_versions

SCHEMA = 2
_DEFINITION, _DIGEST, _SCHEMA, _VERSIONS = "definition", "definition_hash", "schema_version", "versions"
_SHOWN, _WIDTH = 3, 80  # differences in a refusal, characters of a value
_FOUNDING_SECONDS = 10.0  # in which whoever made a study has said what it is, unless it was killed


def founded_or_joined(
    storage: BaseStorage, name: str, objectives: Sequence[Objective], definition: Mapping[str, Any]
) -> optuna.Study:
    """The study called name, new or of the same search. Raises `StudyError` for one of another search or schema.

    Of those who come at the same time the one that makes the study says what it is; the others wait for that.
    """
    directions = [objective.direction for objective in objectives]
    try:
        study = optuna.create_study(storage=storage, study_name=name, directions=directions)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            study.set_metric_names([objective.name for objective in objectives])  # for dashboards
    except DuplicatedStudyError:
        study = optuna.load_study(storage=storage, study_name=name, sampler=optuna.samplers.RandomSampler())
        _await_definition(study)
    stored = study.user_attrs
    if _DEFINITION not in stored and not study.get_trials(deepcopy=False):
        stored = _say(study, definition)
    _check(name, stored, definition)
    if stored.get(_SCHEMA) != SCHEMA:
        _say(study, definition)
    return study


def digest(definition: Mapping[str, Any]) -> str:
    """Tells one search from any other."""
    return hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()[:16]


def _say(study: optuna.Study, definition: Mapping[str, Any]) -> dict[str, Any]:
    """Store what a study is; the definition comes last, since others wait for it."""
    said = {
        _SCHEMA: SCHEMA,
        _DIGEST: digest(definition),
        _VERSIONS: library_versions(("pvtsearch", "numpy", "optuna")),
        _DEFINITION: dict(definition),
    }
    for key, value in said.items():
        study.set_user_attr(key, value)
    return said


def _await_definition(study: optuna.Study) -> None:
    deadline = time.monotonic() + _FOUNDING_SECONDS
    while time.monotonic() < deadline and _DEFINITION not in study.user_attrs:
        if study.get_trials(deepcopy=False):
            return
        time.sleep(0.05)


def _check(name: str, stored: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    schema = stored.get(_SCHEMA, 1)
    if schema not in range(1, SCHEMA + 1):
        raise StudyError(f"study '{name}' has schema {_short(schema)}; this version of pvtsearch reads 1 to {SCHEMA}")
    found, definition = _flat(stored.get(_DEFINITION) or {}), _flat(definition)
    differing = [key for key in dict.fromkeys([*definition, *found]) if found.get(key) != definition.get(key)]
    told = [f"its {key} is {_short(found.get(key))}, this command's {_short(definition.get(key))}" for key in differing]
    made, here = (
        versions.get("pvtsearch") for versions in (stored.get(_VERSIONS, {}), library_versions(["pvtsearch"]))
    )
    if made not in {None, here}:
        told.append(f"it was made by pvtsearch {made}, this is {here}")
    if told:
        raise StudyError(f"study '{name}' belongs to another search: {'; '.join(told[:_SHOWN])}; "
                         "give another --out or --study")  # fmt: skip


def _flat(values: Mapping[str, Any], within: str = "") -> dict[str, Any]:
    """Values of mappings in mappings, each by the keys that lead to it: what differs is named alone."""
    flat = dict[str, Any]()
    for key, value in values.items():
        flat |= _flat(value, f"{within}{key} ") if isinstance(value, Mapping) else {f"{within}{key}": value}
    return flat


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."
