"""The files of a search: front.csv, front/*.yaml, trials.csv, summary.json, its page; each whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from pvtsearch.files import write_all, write_whole
from pvtsearch.records import Quality, SearchResult, TrialRecord
from pvtsearch.report.search_page import write_report
from pvtsearch.report.shown import cards
from pvtsearch.report.stored import Stored, write_stored
from pvtsearch.serialize import config_to_dict, dump_config

SCHEMA_VERSION = 1


def write_outputs(result: SearchResult, folder: Path) -> None:
    """Write every file of a search; the summary comes last, so where it stands the others are complete."""
    names = [record.config.name for record in result.front]
    yamls = {folder / "front" / f"{record.config.name}.yaml": dump_config(record.config) for record in result.front}
    write_all(yamls)
    for stale in set((folder / "front").glob("*.yaml")) - yamls.keys():
        stale.unlink()
    ties = {"ties": result.certificate.ties} if result.certificate and result.certificate.ties else {}
    measured = {each.position: each.measured_ns for each in result.finalists}
    latencies = {"measured_latency_ns": [str(measured.get(row, "")) for row in range(len(names))]} if measured else {}
    write_whole(folder / "front.csv", _csv(result.front, {"name": names}, latencies | ties))
    write_whole(folder / "trials.csv", _csv(result.records, {}, {}))
    write_stored(Stored(result), folder)
    write_report(result, folder / "report.html")
    write_whole(folder / "summary.json", json.dumps(summary(result), indent=2) + "\n")


def summary(result: SearchResult) -> dict[str, Any]:
    """What was asked and what came out, in plain values."""
    facts = dict(result.circumstances)
    memory = {} if result.memory is None else {"memory": dict(result.memory)}
    return {
        "schema_version": SCHEMA_VERSION,
        "command": facts.pop("command", None),
        "method": result.method,
        "space": result.space,
        "size": result.space_size,
        "image_size": list(result.image_size),
        "task": result.task,
        **memory,
        "budget": {"limits": dict(result.budget.limits), "source": result.budget.source},
        "objectives": [{"name": o.name, "direction": o.direction} for o in result.objectives],
        "extrapolated": result.extrapolated,
        **_proven(result),
        **_latency(result),
        **_campaign(result),
        "front_size": len(result.front),
        "cards": [asdict(card) for card in cards(result)],
        **facts,
    }


def _proven(result: SearchResult) -> dict[str, Any]:
    """What only one of the methods has: trials, their sampler and how good they are, or what a proof says."""
    if result.certificate is None:
        compared = {} if result.quality is None else {"quality": _quality(result.quality)}
        return {"sampler": result.sampler, "seed": result.seed, "trials": len(result.records), **compared}
    known = {
        "feasible": result.certificate.feasible,
        "ties": sum(result.certificate.ties) or None,
        "epsilon": result.certificate.epsilon,
    }
    return {name: value for name, value in known.items() if value is not None}


def _latency(result: SearchResult) -> dict[str, Any]:
    """What predicted latencies are worth, and what finalists took; nothing where none is predicted."""
    if result.prediction is None:
        return {}
    limit = result.budget.limits.get("latency_ns")
    finalists = [{"name": result.front[each.position].config.name, "predicted_ns": each.predicted_ns,
                  "measured_ns": each.measured_ns} for each in result.finalists]  # fmt: skip
    held = sum(limit is not None and each.measured_ns <= limit for each in result.finalists)
    return {
        "latency": {"is": "predicted", **asdict(result.prediction)},
        **({"finalists": finalists} if finalists else {}),
        **({"finalists_within_limit": held} if finalists and limit is not None else {}),
    }


def _campaign(result: SearchResult) -> dict[str, Any]:
    """What trainings say, each with its role, seed, accuracy and what had been predicted; nothing without them."""
    found = result.campaign
    if found is None:
        return {}
    trainings = [
        {"role": each.role, "seed": each.seed, "accuracy_percent": each.accuracy_percent,
         "predicted_percent": each.predicted, "config": config_to_dict(each.config)}
        for each in found.trainings
    ]  # fmt: skip
    return {
        "campaign": {
            "stopped": found.stopped,
            "expected_percent": found.expected,
            "resolvable": found.verdict.resolvable,
            **asdict(found.verdict),
            "trainings": trainings,
        }
    }


def _quality(quality: Quality) -> dict[str, Any]:
    """How near trials came to the exact front, in plain values."""
    return {
        "hypervolume_share": quality.share,
        "reference": dict(quality.reference),
        "factor": quality.factor,
        "found": quality.found,
        "exact_front_size": len(quality.exact),
    }


def _csv(records: Sequence[TrialRecord], before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    metrics = list(dict.fromkeys(name for record in records for name in (*record.cost, *record.scores)))
    rows = [_row(record, metrics) for record in records]
    frame = pd.DataFrame(rows, columns=["trial", "state", *metrics, "config"])
    frame = frame.assign(**{name: list(values) for name, values in (*before.items(), *after.items())})
    frame = frame[[*before, "trial", "state", *metrics, *after, "config"]]
    return str(frame.to_csv(index=False, lineterminator="\n"))


def _row(record: TrialRecord, metrics: Sequence[str]) -> dict[str, Any]:
    values = {name: record.value(name) for name in metrics}
    config = json.dumps(config_to_dict(record.config), separators=(",", ":"))
    return {"trial": record.trial, "state": "complete", **values, "config": config}
