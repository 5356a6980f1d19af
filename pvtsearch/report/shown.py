"""Which numbers a report shows: of signals only those that have a card, of metrics those that all networks have."""

from __future__ import annotations

from pvtsearch.accuracy.cards import Card
from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.analysis.metrics import METRICS
from pvtsearch.errors import InputError
from pvtsearch.records import SearchResult
from pvtsearch.report.quantities import Quantity
from pvtsearch.trainings import ACCURACY


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
