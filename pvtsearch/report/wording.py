"""The report in words: its headline, and how it was made."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pvtsearch.accuracy.cards import Card, Validation, verdict
from pvtsearch.cost import Budget
from pvtsearch.records import Quality, SearchResult, TrialRecord
from pvtsearch.report.campaign_wording import recommended_in_words
from pvtsearch.report.quantities import UNITS, label, magnitude, percent, plural, readable


@dataclass(frozen=True)
class FactRow:
    """One fact on how the report was made."""

    label: str
    value: str


def headline(result: SearchResult, shown: Sequence[str]) -> str:
    """What the search found, in one or two sentences; shown: the metrics and signals of the report, foremost first."""
    networks = "network" if result.space_size == 1 else "networks"
    space = f"{magnitude(result.space_size)} {networks} of {result.space}"
    budget = f"within {limits_in_words(result.budget)}" if result.budget.limits else "without a budget"
    if not result.front:
        return f"None of the {space} was evaluated {budget}."
    if result.campaign:
        costs = _costs(result.front[0], shown)
        return f"{recommended_in_words(result.campaign)} It is one of the {space}, {budget}, and costs {costs}."
    verb = "is" if len(result.front) == 1 else "are"
    best = f"{len(result.front):,} {verb} {'the best' if len(result.objectives) == 1 else 'Pareto-best'}"
    if result.certificate is None:
        found = f"Of {plural(len(result.records), 'network')} evaluated {budget}, drawn from the {space}, {best}."
    elif result.certificate.epsilon:
        share = percent(float(Fraction(result.certificate.epsilon)))
        stand = f"{len(result.front):,} {'stands' if len(result.front) == 1 else 'stand'} for all"
        found = f"Of the {space}, {stand} {budget}{_enveloped(result)}, up to {share} in each objective."
    else:
        found = f"Of the {space}, {best} {budget}{_enveloped(result)}: proven."
    return f"{found} {_extreme(result, shown)}"


def _extreme(result: SearchResult, shown: Sequence[str]) -> str:
    """The network of the front that is best in the first objective, in a sentence."""
    best = result.objectives[0]
    record = (max if best.direction == "maximize" else min)(result.front, key=lambda r: r.value(best.name))
    extreme = "highest" if best.direction == "maximize" else "lowest"
    label = " (extrapolated)" if result.extrapolated and best.direction == "maximize" else ""
    costs = " and ".join(with_noun(name, record.value(name)) for name in shown[:3] if name != best.name)
    value = readable(best.name, record.value(best.name))
    return f"The {extreme} {noun(best.name)}{label} among them, {value}, comes with {costs}."


def _costs(record: TrialRecord, shown: Sequence[str]) -> str:
    """What a network costs, in the metrics among the first three things shown."""
    return " and ".join(with_noun(name, record.cost[name]) for name in shown[:3] if name in record.cost)


def _enveloped(result: SearchResult) -> str:
    """The other bound of what a search with the prior took into account, where it kept to it."""
    return " and inside the prior's envelope" if "envelope" in result.circumstances else ""


def certificate_in_words(result: SearchResult) -> str:
    """What an exact search proved, in sentences; nothing for a search by trials."""
    if result.certificate is None:
        return ""
    feasible = result.certificate.feasible
    number = "every network" if feasible is None else f"each of the {plural(feasible, 'network')}"
    taken = f"This is proven, not sampled: {number} {_inside(result)} was taken into account."
    if result.certificate.epsilon:
        factor = f"{float(1 + Fraction(result.certificate.epsilon)):.6g}"
        nearest = f"Each is at most a factor of {factor} better than some network of this front"
        return f"{taken} {nearest}, in every objective at once."
    return f"{taken} {_unbeaten(result)} {_ties_in_words(sum(result.certificate.ties), len(result.front))}"


def _inside(result: SearchResult) -> str:
    """What bounds the networks that count, as an end of a phrase."""
    return f"within the limits{_enveloped(result)}" if result.budget.limits else "of the space"


def _unbeaten(result: SearchResult) -> str:
    """That nothing beats the front, with one objective and with several."""
    match result.objectives:
        case [best]:
            return f"None is {'higher' if best.direction == 'maximize' else 'lower'} in {noun(best.name)}."
        case [one, other] if len(result.front) == 1:
            return f"None is better in {noun(one.name)} or in {noun(other.name)}."
        case _ if len(result.front) == 1:
            return "None is better in any objective."
        case [one, other]:
            better = (
                f"Any that is better in {noun(one.name)} than a network of this front is worse in {noun(other.name)}"
            )
            return f"{better}, and the other way round."
        case _:
            return "Any that is better than a network of this front in one objective is worse than it in another."


def _ties_in_words(ties: int, points: int) -> str:
    """How many networks the front stands for, and which of them are shown."""
    if ties == points:
        return "No two networks of the front tie." if points > 1 else "No other network ties with it."
    shown = "of those that tie, the one whose head dims are nearest 64 is shown"
    return f"{ties:,} networks reach {'this point' if points == 1 else f'these {points:,} points'}: {shown}."


def unfinished_in_words(result: SearchResult) -> str:
    """That more is to come, of a search that is not finished."""
    said = result.circumstances.get("unfinished")
    return f"The search is not finished: {said}; what follows is of those." if said else ""


def quality_in_words(result: SearchResult) -> str:
    """How near a search by trials came to the exact front, or why that is not known; nothing for an exact search."""
    if result.quality is None:
        reason = result.circumstances.get("not_compared")
        return f"Not compared with the exact front: {reason}." if reason else ""
    return _gap(result, result.quality) if len(result.objectives) == 1 else _distance(result, result.quality)


def _distance(result: SearchResult, quality: Quality) -> str:
    """The distance between two fronts."""
    points, found = len(quality.exact), quality.found
    known = f"Solved exactly, the same question has {plural(points, 'Pareto-best point')}"
    if found == points:
        return (
            f"{known}: the search found {'all of them' if points > 1 else 'it'}. Nothing {_inside(result)} is better."
        )
    return (
        f"{known}: the evaluated networks hold {f'{found:,}' if found else 'none'} of them and reach "
        f"{percent(quality.share)} of the exact front's hypervolume, measured from {reference_in_words(result)}. Every "
        f"network {_inside(result)} is at most a factor of {_factor(quality)} better than some evaluated one, in every "
        "objective at once."
    )


def _gap(result: SearchResult, quality: Quality) -> str:
    """The distance between two values."""
    name = result.objectives[0].name
    known = f"Solved exactly, the same question has the answer {with_noun(name, quality.exact[0].value(name))}"
    if quality.found:
        return f"{known}: the search found it. Nothing {_inside(result)} is better."
    return (
        f"{known}: a factor of {_factor(quality)} better than the best evaluated network, which comes "
        f"{percent(quality.share)} of the way to it from {reference_in_words(result)}."
    )


def reference_in_words(result: SearchResult) -> str:
    """The values that hypervolume is measured from, each with what it is; nothing where it is not known."""
    if result.quality is None:
        return ""
    *first, last = [_reference_value(result, name, value) for name, value in result.quality.reference.items()]
    return f"{', '.join(first)} and {last}" if first else last


def _reference_value(result: SearchResult, name: str, value: float) -> str:
    if name in result.budget.limits:
        return f"the limit of {with_noun(name, result.budget.limits[name])}"
    return f"{with_noun(name, value)}{' (twice the most on the exact front)' if value else ''}"


def _factor(quality: Quality) -> str:
    """A factor above 1, rounded up: what is stated holds."""
    return f"{math.ceil(quality.factor * 1000) / 1000:.3f}"


def card_in_words(card: Card) -> str:
    """What a signal is worth, in one line: for where its card has no room."""
    if not card.validations:
        return f"About {card.signal}: {card.meaning} It was validated on nothing. {card.caveats[0]}"
    checks = "; ".join(validation_in_words(check) for check in card.validations)
    return f"About {card.signal}: {card.meaning} It put {checks}. {card.caveats[0]}"


def validation_in_words(check: Validation) -> str:
    """What a signal did on one table, as the end of a sentence on what it put."""
    lower, upper = check.pair_interval_percent
    return (
        f"{check.pair_percent:.1f} % [{lower:.1f}, {upper:.1f}] of pairs of equal MACs in the right order on "
        f"{check.networks:,} networks of {check.table.split(',')[0]} (tau {check.tau:.2f}): {verdict(check)}"
    )


def with_noun(name: str, value: float) -> str:
    """A readable value beside the word for what it is: 24.49 M parameters, 3.82 G MACs, prior 4,160."""
    if name in UNITS:
        return f"{readable(name, value)} {UNITS[name]}"
    return f"{noun(name)} {readable(name, value)}"


def noun(name: str) -> str:
    """The metric or signal called name in the middle of a sentence."""
    return UNITS.get(name, label(name)[0].lower() + label(name)[1:])


def limits_in_words(budget: Budget) -> str:
    """The limits of a budget in one phrase."""
    *first, last = [with_noun(metric, limit) for metric, limit in budget.limits.items()]
    return f"{', '.join(first)} and {last}" if first else last


def fact_rows(result: SearchResult) -> tuple[FactRow, ...]:
    """How the report was made: space, input, task, budget, objectives, method, then the run's circumstances."""
    height, width = result.image_size
    limits = ", ".join(f"{metric} at most {limit:,}" for metric, limit in result.budget.limits.items())
    facts = {
        "Space": result.space,
        "Size of the space": f"{result.space_size:,} legal, distinct networks",
        "Evaluated": "" if result.certificate else plural(len(result.records), "network"),
        "Proof": certificate_in_words(result),
        "Compared": "" if result.quality is None else quality_in_words(result),
        "Image size": f"{height} × {width}",
        "Task": result.task,
        "Memory computed for": in_words(result.memory),
        "Budget": limits or "none",
        "Source of the budget": result.budget.source if limits else "",
        "Objectives": ", ".join(f"{o.direction} {o.name}" for o in result.objectives),
        "Method": result.method,
        "Sampler": result.sampler or "",
        "Seed": "" if result.seed is None else str(result.seed),
        **{label(key): in_words(value) for key, value in result.circumstances.items()},
    }
    return tuple(FactRow(name, value) for name, value in facts.items() if value)


def in_words(value: Any) -> str:
    """A circumstance as text: mappings as `key value`, sequences with commas, counts with every digit."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {in_words(entry)}" for key, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(in_words(entry) for entry in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return "" if value is None else str(value)
