"""What a report shows, as values: every number and sentence of the page before anything is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pvtsearch.accuracy.cards import Card
from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.metrics import Costing, analytic_cost
from pvtsearch.config import ModelConfig, StageConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import ConfigError
from pvtsearch.presets import PRESETS
from pvtsearch.records import SearchResult, TrialRecord
from pvtsearch.report.campaign_wording import campaign_in_words, trials_in_words
from pvtsearch.report.comparison import Comparison, compared
from pvtsearch.report.landmarks import LandmarkRow, landmark_rows
from pvtsearch.report.latency_wording import finalists_in_words, prediction_in_words
from pvtsearch.report.networks import Circumstances
from pvtsearch.report.quantities import Quantity
from pvtsearch.report.shapes import reduction_in_words
from pvtsearch.report.shown import cards, quantities
from pvtsearch.report.wording import (
    FactRow,
    certificate_in_words,
    fact_rows,
    headline,
    noun,
    quality_in_words,
    reference_in_words,
    unfinished_in_words,
)

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
        trials_in_words(result),
        *campaign_in_words(result),
        beside_in_words(result),
    )
    return tuple(claim for claim in said if claim)


def beside_in_words(result: SearchResult) -> str:
    """What the best network has of the network that the budget is of; nothing where that is no published one."""
    source = (result.budget.source or "").partition(" ")[0]
    if source not in PRESETS or not result.front or not _fits(PRESETS[source].config, result):
        return ""
    goal = result.objectives[0]
    best = (max if goal.direction == "maximize" else min)(front_rows(result), key=lambda row: row.values[goal.name])
    theirs = analytic_cost(PRESETS[source].config, result.image_size, result.task, Costing())
    found = [f"{best.values[metric] / theirs[metric]:.2f} of its {noun(metric)}" for metric in ("params", "macs")]
    measured = result.prediction.measured_ns.get(source) if result.prediction else None
    if measured and best.measured_ns:
        found.append(f"{best.measured_ns / measured:.2f} of its latency, measured")
    *first, last = found
    return (
        f"Beside {source}, {best.name}, the best of the front by {noun(goal.name)}, has {', '.join(first)} and {last}."
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
