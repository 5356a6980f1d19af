"""Published networks beside those of a search: what they cost at its input, and their scores where they have any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pvtsearch.accuracy.frame import frame_of
from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.analysis.metrics import METRICS, Costing, PeakMetric, analytic_cost, costing_with
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import ModelConfig, PVTConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import ConfigError, ScoreError
from pvtsearch.presets import PRESETS, Published
from pvtsearch.records import SearchResult
from pvtsearch.report.shown import quantities, signals


@dataclass(frozen=True)
class LandmarkRow:
    """A published network at the run's input size and task; `within_budget` is None where a limited cost is unknown."""

    name: str
    values: Mapping[str, float]
    published: tuple[Published, ...]
    within_budget: bool | None


def landmark_rows(result: SearchResult) -> tuple[LandmarkRow, ...]:
    """Every preset that the run's input size allows; pyramids with their scores where scores are shown."""
    rows = []
    for name, preset in PRESETS.items():
        values = _landmark_values(preset.config, result)
        if values is not None:
            rows.append(LandmarkRow(name, values, preset.published, _within(result.budget, values)))
    return tuple(rows)


def _landmark_values(config: ModelConfig, result: SearchResult) -> dict[str, float] | None:
    if result.memory is None:
        costing = Costing()
    else:
        shown = [quantity.name for quantity in quantities(result) if isinstance(METRICS.get(quantity.name), PeakMetric)]
        costing = costing_with(shown, MemorySetting(**result.memory))
    try:
        values: dict[str, float] = dict(analytic_cost(config, result.image_size, result.task, costing))
    except ConfigError:  # the input is too small for this network, or it has too few stages for the task
        return None
    if result.prediction and config.name in result.prediction.measured_ns:
        values["latency_ns"] = result.prediction.measured_ns[config.name]
    if isinstance(config, PVTConfig):
        values |= _landmark_scores(config, result, within=bool(_within(result.budget, values)))
    return values


def _landmark_scores(config: PVTConfig, result: SearchResult, *, within: bool) -> dict[str, float]:
    """Scores of a published network; one that has to be built for a score is only built within the budget."""
    frame = frame_of(result.image_size, result.task, result.budget.limits, _stages_of(result))
    names = [name for name in signals(result) if within or SIGNALS[name].by_stage is not None]
    try:
        return {name: SIGNALS[name].score(config, frame) for name in names}
    except ScoreError:  # of networks with another number of stages: not compared
        return {}


def _stages_of(result: SearchResult) -> int:
    """How many stages the networks of a result have."""
    return len(result.front[0].config.stages) if result.front else 0


def _within(budget: Budget, values: Mapping[str, float]) -> bool | None:
    if not budget.limits or not budget.limits.keys() <= values.keys():
        return None
    return budget.admits({metric: int(values[metric]) for metric in budget.limits})
