"""What a stored trial says: which configuration it claims, where it stands, and what came out of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from optuna.trial import FrozenTrial, TrialState

from pvtsearch.config import PVTConfig
from pvtsearch.records import TrialRecord
from pvtsearch.search.decode import Decoded
from pvtsearch.serialize import config_from_dict, config_to_dict

RECORD = "record"  # configuration and cost; in schema 1 with its scores, and of pruned trials under a key of their own
SCORES = "scores"
HASH = "hash"
WORKER = "worker"  # who evaluates it, for people
TOKEN = "token"  # noqa: S105  of this very claim: how its writer knows it again
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
            return "live" if HASH in trial.user_attrs else "foreign"
        case TrialState.FAIL if FAILED in trial.user_attrs:
            return "failed"
        case TrialState.FAIL if VOID in trial.user_attrs:
            return "released" if trial.user_attrs[VOID] == RELEASED else "void"
        case TrialState.FAIL if HASH in trial.user_attrs:
            return "died"
        case _:
            return "foreign"


def config_of(trial: FrozenTrial) -> PVTConfig:
    """The configuration that a trial claims, or has evaluated."""
    held = trial.user_attrs[RECORD]["config"] if RECORD in trial.user_attrs else trial.user_attrs[_PRUNED_1]
    return config_from_dict(held, f"trial {trial.number}")


def record_of(number: int, trial: FrozenTrial) -> TrialRecord:
    """The record of a complete trial."""
    held = trial.user_attrs[RECORD]
    scores = trial.user_attrs[SCORES] if SCORES in trial.user_attrs else held["scores"]
    return TrialRecord(number, config_of(trial), held["cost"], scores)


def hash_of(trial: FrozenTrial) -> str:
    """The hash of a trial's configuration; studies of schema 1 have none."""
    held: str = trial.user_attrs[HASH] if HASH in trial.user_attrs else config_hash(config_of(trial))
    return held


def config_hash(config: PVTConfig) -> str:
    """Tells a configuration from any other; its name does not count."""
    return hashlib.sha256(json.dumps(config_to_dict(config) | {"name": ""}, sort_keys=True).encode()).hexdigest()[:16]


def claim_attributes(decoded: Decoded, *, worker: str, token: str) -> Mapping[str, Any]:
    """What a worker writes of a configuration before it evaluates it."""
    return {
        HASH: config_hash(decoded.config),
        TOKEN: token,
        WORKER: worker,
        RECORD: {"config": config_to_dict(decoded.config), "cost": dict(decoded.cost)},
    }
