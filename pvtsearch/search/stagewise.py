"""The exact front of a problem: a dynamic programme over stages that forgets only what cannot matter.

Partial networks that leave the same state (`Entering`) have the same future. So of those that tie in all parts one
stands for all, and one that another beats is forgotten, as is what no completion keeps within the limits. With one or
two objectives some good networks are looked for first: what cannot end as good as these is forgotten too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from pvtsearch.config import PVTConfig
from pvtsearch.cost import Cost
from pvtsearch.search.choices import Choices
from pvtsearch.search.composition import Composition, Points
from pvtsearch.search.epsilon import cells
from pvtsearch.search.partials import Exact, Leading, Partials, Rounded, stacked
from pvtsearch.search.programme import Keep, Programme, Rules, everything
from pvtsearch.search.prospects import MOST_OBJECTIVES, Prospects, prices
from pvtsearch.search.slack import Slack

MAX_PARTIALS = 4_000_000

_LEADS = 36  # prices at which good networks are looked for


@dataclass(frozen=True)
class Front:
    """One configuration per point of a front, sorted by the objectives in turn, and how many tie with each.

    A point is the objectives, less is better. No `ties` where they were not counted: in a front that is only near the
    exact one.
    """

    points: tuple[tuple[int, ...], ...]
    configs: tuple[PVTConfig, ...]
    costs: tuple[Cost, ...]
    ties: tuple[int, ...]


def solve(composition: Composition, epsilon: Fraction | None = None, *, most: int = MAX_PARTIALS) -> Front:
    """The exact front of a composition's problem; empty where nothing is feasible.

    With epsilon a part of it, such that every feasible configuration is within a factor of 1 + epsilon of one of them
    in every objective. Raises `InputError` where more than `most` partial networks of a stage are needed at once.
    """
    choices = [Choices(composition, template) for template in composition.problem.space.templates]
    rules = _rules(composition, choices, epsilon)
    keeps = _promising(composition, choices, most) if epsilon is None else [everything for _ in choices]
    programmes = [Programme(each, rules, most, keep) for each, keep in zip(choices, keeps, strict=True)]
    table = _wholes(programmes, rules)
    if table is None:
        return Front((), (), (), ())
    networks: dict[int, tuple[PVTConfig, Cost]] = {}
    for number in np.unique(table.parent):
        mine = np.flatnonzero(table.parent == number)
        networks.update(zip(mine.tolist(), programmes[number].networks(table.row[mine]), strict=True))
    found = [networks[place] for place in range(len(table))]
    return Front(
        points=tuple(map(tuple, table.parts.tolist())),
        configs=tuple(config for config, _ in found),
        costs=tuple(cost for _, cost in found),
        ties=() if epsilon else tuple(int(count) for count in table.counts),
    )


def _wholes(programmes: list[Programme], rules: Rules) -> Partials | None:
    """Whole networks of all templates, each by the template's number and its own; None where nothing is feasible."""
    ends = [_numbered(end, number) for number, each in enumerate(programmes) if (end := each.solve()) is not None]
    return rules.wholes.pruned(stacked(ends)) if ends else None


def _promising(composition: Composition, choices: list[Choices], most: int) -> list[Keep]:
    """For each template, what can end as good as networks that are known."""
    nothing: list[Keep] = [everything for _ in choices]
    objectives = len(composition.objectives)
    if objectives > min(MOST_OBJECTIVES, composition.strict):
        return nothing
    tops = composition.tops(np.max([each.largest for each in choices], axis=0))
    leads = prices(composition, tops, _LEADS)
    rules = Rules(lambda *_: Leading(lambda parts: parts @ leads.T), Exact(objectives, _themselves))
    known = _wholes([Programme(each, rules, most, everything) for each in choices], rules)
    return nothing if known is None else [Prospects(each, tops, known.parts).open for each in choices]


def _rules(composition: Composition, choices: list[Choices], epsilon: Fraction | None) -> Rules:
    objectives = len(composition.objectives)
    slack = {each: Slack(each) for each in choices}
    if epsilon is None:
        return Rules(
            lambda each, index, entering: Exact(composition.strict, slack[each].spent(index, entering)),
            Exact(objectives, _themselves),
        )
    starts = cells(epsilon, len(composition.problem.space.stages))
    relaxed = dict.fromkeys(composition.relaxable, starts)
    return Rules(
        lambda each, index, entering: Rounded(relaxed, slack[each].spent(index, entering)),
        Rounded(dict.fromkeys(range(objectives), starts), _themselves),
    )


def _themselves(points: Points) -> Points:
    return points


def _numbered(end: Partials, number: int) -> Partials:
    """Whole networks of a template, each by the template's number and its own."""
    template = np.full(len(end), number)
    return replace(end, parent=template, rank=template, row=np.arange(len(end)))
