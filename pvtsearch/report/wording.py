"""The report in words: its headline, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pvtsearch.accuracy.cards import Card
from pvtsearch.cost import Budget
from pvtsearch.records import SearchResult
from pvtsearch.report.quantities import UNITS, label, magnitude, plural, readable


@dataclass(frozen=True)
class FactRow:
    """One fact on how the report was made."""

    label: str
    value: str


def headline(result: SearchResult, shown: Sequence[str]) -> str:
    """What the search found, in one or two sentences; shown: the metrics and signals of the report, foremost first."""
    space = f"{magnitude(result.space_size)} networks of {result.space}"
    budget = f"within {limits_in_words(result.budget)}" if result.budget.limits else "without a budget"
    if not result.front:
        return f"None of the {space} was evaluated {budget}."
    verb = "is" if len(result.front) == 1 else "are"
    best = f"{len(result.front):,} {verb} Pareto-best"
    if result.certificate is None:
        found = f"Of {plural(len(result.records), 'network')} evaluated {budget}, drawn from the {space}, {best}."
    elif result.certificate.epsilon:
        found = (
            f"Of the {space}, {len(result.front):,} stand for all {budget}{_enveloped(result)}, up to a stated share."
        )
    else:
        found = f"Of the {space}, {best} {budget}{_enveloped(result)}: proven."
    return f"{found} {_extreme(result, shown)}"


def _extreme(result: SearchResult, shown: Sequence[str]) -> str:
    """The network of the front that is best in the first objective, in a sentence."""
    best = result.objectives[0]
    record = (max if best.direction == "maximize" else min)(result.front, key=lambda r: r.value(best.name))
    extreme = "highest" if best.direction == "maximize" else "lowest"
    label = " (extrapolated)" if result.extrapolated and best.name == "prior" else ""
    costs = " and ".join(with_noun(name, record.value(name)) for name in shown[:3] if name != best.name)
    value = readable(best.name, record.value(best.name))
    return f"The {extreme} {noun(best.name)}{label} among them, {value}, comes with {costs}."


def _enveloped(result: SearchResult) -> str:
    """The other bound of what a search with the prior took into account, where it kept to it."""
    return " and inside the prior's envelope" if "envelope" in result.circumstances else ""


def certificate_in_words(result: SearchResult) -> str:
    """What an exact search proved, in sentences; nothing for a search by trials."""
    if result.certificate is None:
        return ""
    inside = f"within the limits{_enveloped(result)}" if result.budget.limits else "of the space"
    feasible = result.certificate.feasible
    number = "All networks" if feasible is None else f"All {plural(feasible, 'network')}"
    taken = f"{number} {inside} were taken into account, none by sampling."
    if result.certificate.epsilon:
        factor = f"{float(1 + Fraction(result.certificate.epsilon)):.6g}"
        nearest = f"Each is at most a factor of {factor} better than some network of this front"
        return f"{taken} {nearest}, in every objective at once."
    ties = sum(result.certificate.ties)
    return (
        f"{taken} None is at least as good as a network of this front in every objective and better in one. {ties:,} "
        "of them tie with a network of this front or are one: of those that tie, the one whose head dims are nearest "
        "64 is shown."
    )


def card_in_words(card: Card) -> str:
    """What a signal is worth, in one line: for where its card has no room."""
    checks = "; ".join(
        f"{check.pair_percent:g} % of pairs of equal MACs in the right order on {check.networks} "
        f"{check.table.split()[0]} networks (tau {check.tau:g})"
        for check in card.validations
    )
    return f"About {card.signal}: {card.meaning} It put {checks}. {card.caveats[0]}"


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
