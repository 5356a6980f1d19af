"""What a stored trial says: which configuration it claims, where it stands, and what came out of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from optuna.trial import FrozenTrial, TrialState

from pvtsearch.config import PVTConfig
from pvtsearch.records import Objective, TrialRecord
from pvtsearch.search.decode import Decoded
from pvtsearch.serialize import config_from_dict, config_to_dict

RECORD = "record"  # configuration, its hash, its cost, and whose claim; in schema 1 configuration, cost and scores
PULSE = "pulse"
FAILED = "failed"  # why its evaluation failed, which counts as evaluated
VOID = "void"  # why a claim was given up
RELEASED = "released"  # its worker was told to end
_PRUNED_1 = "pruned"

Standing: TypeAlias = Literal["live", "complete", "pruned", "failed", "void", "released", "died", "foreign"]


def standing(trial: FrozenTrial) -> Standing:
    """Where a trial stands. died: it was ended without a word, as whoever finds a worker dead ends its trial."""
    match trial.state:
        case TrialState.COMPLETE:
            return "complete" if RECORD in trial.user_attrs else "foreign"
        case TrialState.PRUNED:
            return "pruned" if trial.user_attrs.keys() & {RECORD, _PRUNED_1} else "foreign"
        case TrialState.RUNNING:
            return "live" if RECORD in trial.user_attrs else "foreign"
        case TrialState.FAIL if FAILED in trial.user_attrs:
            return "failed"
        case TrialState.FAIL if VOID in trial.user_attrs:
            return "released" if trial.user_attrs[VOID] == RELEASED else "void"
        case TrialState.FAIL if RECORD in trial.user_attrs:
            return "died"
        case _:
            return "foreign"


def config_of(trial: FrozenTrial) -> PVTConfig:
    """The configuration that a trial claims, or has evaluated."""
    held = trial.user_attrs[RECORD]["config"] if RECORD in trial.user_attrs else trial.user_attrs[_PRUNED_1]
    return config_from_dict(held, f"trial {trial.number}")


def record_of(number: int, trial: FrozenTrial, config: PVTConfig, objectives: Sequence[Objective]) -> TrialRecord:
    """The record of a complete trial: its values are its scores, and of metrics its costs."""
    cost = trial.user_attrs[RECORD]["cost"]
    values = {goal.name: plain(value) for goal, value in zip(objectives, trial.values, strict=True)}
    return TrialRecord(number, config, cost, {name: value for name, value in values.items() if name not in cost})


def plain(value: float) -> float:
    """A whole number as an int: storages know floats only."""
    return int(value) if float(value).is_integer() else float(value)


def hash_of(trial: FrozenTrial) -> str:
    """The hash of a trial's configuration; studies of schema 1 have none."""
    held: str | None = trial.user_attrs.get(RECORD, {}).get("hash")
    return held or config_hash(config_of(trial))


def token_of(trial: FrozenTrial) -> str | None:
    """By which the writer of a claim knows it again."""
    token: str | None = trial.user_attrs.get(RECORD, {}).get("token")
    return token


def config_hash(config: PVTConfig) -> str:
    """Tells a configuration from any other; its name does not count."""
    return hashlib.sha256(json.dumps(config_to_dict(config) | {"name": ""}, sort_keys=True).encode()).hexdigest()[:16]


def claim_of(decoded: Decoded, *, worker: str, token: str) -> dict[str, Any]:
    """What a worker writes of a configuration before it evaluates it; worker: who, for people."""
    return {
        "hash": config_hash(decoded.config),
        "token": token,
        "worker": worker,
        "config": config_to_dict(decoded.config),
        "cost": dict(decoded.cost),
    }
