"""What a report shows, as values: every number and sentence of the page before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pvtsearch.accuracy.cards import Card
from pvtsearch.accuracy.frame import frame_of
from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.metrics import METRICS, Costing, PeakMetric, analytic_cost, costing_with
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import ModelConfig, PVTConfig, StageConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import ConfigError, InputError, ScoreError
from pvtsearch.presets import PRESETS, Published
from pvtsearch.records import SearchResult, TrialRecord
from pvtsearch.report.campaign_wording import campaign_in_words
from pvtsearch.report.comparison import Comparison, compared
from pvtsearch.report.latency_wording import finalists_in_words, prediction_in_words
from pvtsearch.report.networks import Circumstances
from pvtsearch.report.quantities import Quantity
from pvtsearch.report.shapes import reduction_in_words
from pvtsearch.report.wording import (
    FactRow,
    certificate_in_words,
    fact_rows,
    headline,
    quality_in_words,
    reference_in_words,
    unfinished_in_words,
)
from pvtsearch.trainings import ACCURACY

REFERENCES = ("pvt_small", "resnet50")
CHOSEN_NETWORKS = 4


@dataclass(frozen=True)
class StageRow:
    """The settings of one stage; `reduction` is how its keys and values are made fewer."""

    patch_size: int
    embed_dim: int
    depth: int
    num_heads: int
    mlp_ratio: float
    reduction: str


@dataclass(frozen=True)
class NetworkRow:
    """One evaluated network; `shares` are its costs over the budget's limits, `measured_ns` its latency if measured.

    ties: of a front that is proven, how many networks within the limits have these values.
    """

    name: str
    trial: int
    values: Mapping[str, float]
    shares: Mapping[str, float]
    stages: tuple[StageRow, ...]
    measured_ns: int | None = None
    ties: int | None = None


@dataclass(frozen=True)
class LandmarkRow:
    """A published network at the run's input size and task; `within_budget` is None where a limited cost is unknown."""

    name: str
    values: Mapping[str, float]
    published: tuple[Published, ...]
    within_budget: bool | None


@dataclass(frozen=True)
class ProgressRow:
    """What share of the exact front's hypervolume the first `evaluated` networks reach."""

    evaluated: int
    share: float


@dataclass(frozen=True)
class ReportRows:
    """Everything a report shows; `claims` say what is proven, or how near the search came to what is."""

    headline: str
    claims: tuple[str, ...]
    reference: str
    quantities: tuple[Quantity, ...]
    objectives: Mapping[str, str]
    front: tuple[NetworkRow, ...]
    trials: tuple[NetworkRow, ...]
    exact: tuple[Mapping[str, float], ...]
    progress: tuple[ProgressRow, ...]
    landmarks: tuple[LandmarkRow, ...]
    chosen: Comparison
    cards: tuple[Card, ...]
    facts: tuple[FactRow, ...]


def report_rows(result: SearchResult) -> ReportRows:
    """Everything a report on result shows. Raises `InputError` for a signal that has no card."""
    shown = quantities(result)
    return ReportRows(
        headline=headline(result, [quantity.name for quantity in shown]),
        claims=claims(result),
        reference=reference_in_words(result),
        quantities=shown,
        objectives={objective.name: objective.direction for objective in result.objectives},
        front=front_rows(result),
        trials=trial_rows(result),
        exact=exact_rows(result),
        progress=progress_rows(result),
        landmarks=landmark_rows(result),
        chosen=chosen_networks(result),
        cards=cards(result),
        facts=fact_rows(result),
    )


def claims(result: SearchResult) -> tuple[str, ...]:
    """What is proven, how near trials came to it, and what predicted latencies are worth; each in sentences."""
    said = (
        unfinished_in_words(result),
        certificate_in_words(result),
        quality_in_words(result),
        prediction_in_words(result),
        finalists_in_words(result),
        *campaign_in_words(result),
    )
    return tuple(claim for claim in said if claim)


def signals(result: SearchResult) -> tuple[str, ...]:
    """The objectives that are signals. Only their scores are shown, and never without their card."""
    costs = set(result.budget.limits).union(*(record.cost for record in (*result.records, *result.front)))
    names = tuple(
        objective.name for objective in result.objectives if objective.name not in {*METRICS, ACCURACY, *costs}
    )
    for name in names:
        if name not in SIGNALS:
            raise InputError(f"{name}: a score is not shown without a card, cards exist for {', '.join(SIGNALS)}")
    return names


def cards(result: SearchResult) -> tuple[Card, ...]:
    """The card of every signal whose scores are shown."""
    return tuple(SIGNALS[name].card for name in signals(result))


def quantities(result: SearchResult) -> tuple[Quantity, ...]:
    """What every network of the report has: objectives first, then the metrics that all records share."""
    scores = signals(result)
    records = (*result.records, *result.front)
    metrics = [name for name in records[0].cost if all(name in r.cost for r in records)] if records else []
    names = dict.fromkeys((*(objective.name for objective in result.objectives), "params", "macs", *metrics))
    limits = result.budget.limits
    return tuple(
        Quantity(n, is_score=n in scores, extrapolated=n in scores and result.extrapolated, limit=limits.get(n))
        for n in names
    )


def front_rows(result: SearchResult) -> tuple[NetworkRow, ...]:
    """The front in its own order, named by position."""
    digits = max(3, len(str(len(result.front))))
    names = (f"front_{position:0{digits}}" for position in range(1, len(result.front) + 1))
    rows = _network_rows(result, zip(names, result.front, strict=True))
    measured = {each.position: each.measured_ns for each in result.finalists}
    ties = dict(enumerate(result.certificate.ties if result.certificate else ()))
    return tuple(
        replace(row, measured_ns=measured.get(position), ties=ties.get(position)) for position, row in enumerate(rows)
    )


def trial_rows(result: SearchResult) -> tuple[NetworkRow, ...]:
    """The evaluated networks that are not on the front."""
    front = {record.trial for record in result.front}
    others = (record for record in result.records if record.trial not in front)
    return _network_rows(result, ((f"trial {record.trial}", record) for record in others))


def exact_rows(result: SearchResult) -> tuple[Mapping[str, float], ...]:
    """The points of the exact front beside a search by trials, by rising first objective; none where unknown."""
    names = [objective.name for objective in result.objectives]
    records = () if result.quality is None else result.quality.exact
    points = [{name: _plain(record.value(name)) for name in names} for record in records]
    return tuple(sorted(points, key=lambda values: values[names[0]]))


def _plain(value: float) -> float:
    """A whole number as an integer, whatever it went through."""
    return int(value) if float(value).is_integer() else value


def progress_rows(result: SearchResult) -> tuple[ProgressRow, ...]:
    """The steps by which the trials came nearer to the exact front, from nothing to the last trial."""
    if result.quality is None:
        return ()
    steps = ((0, 0.0), *result.quality.history, (len(result.records), result.quality.share))
    return tuple(ProgressRow(evaluated, share) for evaluated, share in dict(steps).items())


def _network_rows(result: SearchResult, named: Any) -> tuple[NetworkRow, ...]:
    names = tuple(quantity.name for quantity in quantities(result))
    return tuple(_network_row(name, record, names, result.budget) for name, record in named)


def _network_row(name: str, record: TrialRecord, names: Sequence[str], budget: Budget) -> NetworkRow:
    return NetworkRow(
        name=name,
        trial=record.trial,
        values={n: record.value(n) for n in names},
        shares={metric: record.cost[metric] / limit for metric, limit in budget.limits.items()},
        stages=tuple(stage_row(stage) for stage in record.config.stages),
    )


def stage_row(stage: StageConfig) -> StageRow:
    """The settings of one stage."""
    return StageRow(
        stage.patch_size, stage.embed_dim, stage.depth, stage.num_heads, stage.mlp_ratio, reduction_in_words(stage)
    )


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
    frame = frame_of(result.image_size, result.task, result.budget.limits, stages_of(result))
    names = [name for name in signals(result) if within or SIGNALS[name].by_stage is not None]
    try:
        return {name: SIGNALS[name].score(config, frame) for name in names}
    except ScoreError:  # of networks with another number of stages: not compared
        return {}


def stages_of(result: SearchResult) -> int:
    """How many stages the networks of a result have."""
    return len(result.front[0].config.stages) if result.front else 0


def _within(budget: Budget, values: Mapping[str, float]) -> bool | None:
    if not budget.limits or not budget.limits.keys() <= values.keys():
        return None
    return budget.admits({metric: int(values[metric]) for metric in budget.limits})


def chosen(result: SearchResult) -> tuple[int, ...]:
    """Positions of a few networks of the front, evenly spaced along its first objective, both ends among them."""
    first = result.objectives[0].name
    order = sorted(range(len(result.front)), key=lambda position: result.front[position].value(first))
    count = min(CHOSEN_NETWORKS, len(order))
    return tuple(order[index * (len(order) - 1) // max(1, count - 1)] for index in range(count))


def chosen_networks(result: SearchResult) -> Comparison:
    """A few networks of the front beside the references that this input is large enough for."""
    names = [row.name for row in front_rows(result)]
    circumstances = {name: value for name, value in (result.memory or {}).items() if name in ("batch_size", "dtype")}
    about = Circumstances(result.image_size, result.task, **circumstances)
    references = [PRESETS[name].config for name in REFERENCES if _fits(PRESETS[name].config, result)]
    return compared([result.front[i].config.named(names[i]) for i in chosen(result)], about, against=references)


def _fits(config: ModelConfig, result: SearchResult) -> bool:
    try:
        network_cost(config, result.image_size, result.task)
    except ConfigError:
        return False
    return True
