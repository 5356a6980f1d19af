"""From a question and what was found to a result, whatever the method was."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pvtsearch.accuracy.frame import Frame
from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.analysis.calibration_document import digest
from pvtsearch.analysis.metrics import Costing
from pvtsearch.config import PVTConfig
from pvtsearch.records import Certificate, Objective, Prediction, SearchResult, TrialRecord
from pvtsearch.search.problem import Problem
from pvtsearch.search.question import Question


def make_result(
    question: Question,
    records: Sequence[TrialRecord],
    front: Sequence[TrialRecord],
    *,
    method: str,
    sampler: str | None,
    seed: int | None,
    circumstances: Mapping[str, Any],
    certificate: Certificate | None,
) -> SearchResult:
    """A search's result; the space's size, the envelope and what was dropped are added to its circumstances."""
    problem = question.problem
    size = problem.space.size(problem.image_size)
    return SearchResult(
        space=problem.space.name,
        space_size=size.legal,
        image_size=problem.image_size,
        task=problem.task,
        memory=problem.costing.circumstances or None,
        budget=problem.budget,
        objectives=question.objectives,
        method=method,
        sampler=sampler,
        seed=seed,
        records=tuple(records),
        front=named_front(front),
        extrapolated=question.extrapolated,
        circumstances={
            **circumstances,
            **_envelope_in_words(problem),
            "dropped": {law: count for law, count in size.dropped().items() if count},
        },
        certificate=certificate,
        prediction=prediction_of(problem.costing),
    )


def prediction_of(costing: Costing) -> Prediction | None:
    """What predicted latencies are worth, where a costing predicts any."""
    if "latency_ns" not in costing.metrics:
        return None
    calibration = costing.predicted
    return Prediction(
        calibration=calibration.file,
        digest=digest(calibration),
        circumstances={"device_name": calibration.device_name, **asdict(calibration.setting)},
        errors={} if calibration.errors is None else asdict(calibration.errors),
        measured_ns=calibration.references_ns,
        range_ns=calibration.range_ns,
    )


def scores(config: PVTConfig, objectives: Sequence[Objective], frame: Frame) -> dict[str, float]:
    """The score of every signal among the objectives."""
    return {goal.name: SIGNALS[goal.name].score(config, frame) for goal in objectives if goal.name in SIGNALS}


def named_front(front: Sequence[TrialRecord]) -> tuple[TrialRecord, ...]:
    """The records of a front, their configurations named by position: front_001 and so on."""
    digits = max(3, len(str(len(front))))
    return tuple(
        replace(record, config=record.config.named(f"front_{position:0{digits}}"))
        for position, record in enumerate(front, start=1)
    )


def _envelope_in_words(problem: Problem) -> dict[str, Any]:
    """The intervals that stages were kept in, by stage; nothing where there were none."""
    stages: dict[str, list[str]] = {}
    for limit in problem.stage_limits:
        unit, name = (10**9, "GMACs") if limit.quantity == "macs" else (1, limit.quantity)
        span = f"{name} {limit.lower / unit:.3g} to {limit.upper / unit:.3g}"
        stages.setdefault(f"stage {limit.stage + 1}", []).append(span)
    return {"envelope": {stage: ", ".join(spans) for stage, spans in stages.items()}} if stages else {}


def library_versions(libraries: Sequence[str]) -> dict[str, str]:
    """Versions of Python and of what computed a result."""
    versions = {"python": platform.python_version()}
    for name in libraries:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # run from a source tree that was never installed
            versions[name] = "not installed"
    return versions
