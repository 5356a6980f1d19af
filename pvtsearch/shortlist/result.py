"""A campaign as a search's result: its networks with the mean of their accuracies, the recommended one in front."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pvtsearch.analysis.metrics import analytic_cost
from pvtsearch.config import PVTConfig
from pvtsearch.records import SearchResult, TrialRecord
from pvtsearch.search.question import Question
from pvtsearch.search.results import library_versions, make_result
from pvtsearch.trainings import ACCURACY, Campaign

_LIBRARIES = ("pvtsearch", "numpy", "scipy", "torch", "torchvision")


def as_result(question: Question, found: Campaign, *, seed: int, circumstances: Mapping[str, Any]) -> SearchResult:
    """The networks of the space that were trained, each once; the recommended one is the front."""
    problem = question.problem
    by_network: dict[PVTConfig, list[float]] = {}
    for each in found.of("start", "random", "chosen", "again"):
        by_network.setdefault(each.config, []).append(each.accuracy_percent)
    records = tuple(
        TrialRecord(
            number,
            config,
            analytic_cost(config, problem.image_size, problem.task, problem.costing),
            {ACCURACY: float(np.mean(accuracies))},
        )
        for number, (config, accuracies) in enumerate(by_network.items())
    )
    front = [record for record in records if record.config == found.recommended]
    facts = {**circumstances, "versions": library_versions(_LIBRARIES)}
    made = make_result(
        question,
        records,
        front,
        method="predict",
        sampler=None,
        seed=seed,
        circumstances=facts,
        certificate=None,
    )
    return replace(made, campaign=found)
