"""How a search stands while it runs: on standard error of a terminal, nothing in a pipe.

What is shown are words made from a `Glance`, whoever evaluates: this process, those that it started, or others.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pvtsearch.records import Objective, TrialRecord

if TYPE_CHECKING:
    from rich.console import Group

    from pvtsearch.search.stored import StoredStudy

_RECENT_SECONDS = 60.0  # over which a rate is taken


@dataclass(frozen=True)
class Glance:
    """A search under way: trials that are done, of how many; what others and this process are at; the best so far."""

    done: int
    total: int
    running: int
    failed: int
    pruned: int
    front: int
    best: tuple[tuple[str, float], ...]  # by objective
    rate: float | None  # trials per second, None while nothing is known

    @property
    def left_seconds(self) -> float | None:
        """Until the end, as things go."""
        return (self.total - self.done) / self.rate if self.rate else None


def words(glance: Glance) -> list[str]:
    """What is said of a search, in three lines."""
    rate = "" if glance.rate is None else _rate(glance.rate)
    left = "" if glance.left_seconds is None else f"{_duration(glance.left_seconds)} left"
    counts = {"running": glance.running, "failed": glance.failed, "pruned": glance.pruned}
    first = [f"{glance.done:,}/{glance.total:,}", left]
    second = [rate, *(f"{count:,} {name}" for name, count in counts.items() if count)]
    best = [f"best {name} {_amount(value)}" for name, value in glance.best]
    third = [f"front {glance.front:,}", *best] if glance.front else ["nothing evaluated yet"]
    return [" · ".join(part for part in line if part) for line in (first, second, third)]


class Watched:
    """A study as it is looked at again and again."""

    def __init__(
        self,
        study: StoredStudy,
        objectives: Sequence[Objective],
        total: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._study, self._objectives, self._total, self._clock = study, tuple(objectives), total, clock
        self._front: tuple[TrialRecord, ...] = ()
        self._seen: list[tuple[float, int]] = []

    def glance(self) -> Glance:
        """How it stands, as far as the study was read."""
        from pvtsearch.search.pareto import front_of

        count = self._study.count
        if news := self._study.news():
            self._front = front_of((*self._front, *news), self._objectives)
        done = count("complete", "pruned", "failed")
        return Glance(
            done=done,
            total=self._total,
            running=count("live"),
            failed=count("failed"),
            pruned=count("pruned"),
            front=len(self._front),
            best=tuple(_best(self._front, objective) for objective in self._objectives if self._front),
            rate=self._rate(done),
        )

    def _rate(self, done: int) -> float | None:
        """Trials per second, over the last minute."""
        now = self._clock()
        self._seen = [*[each for each in self._seen if now - each[0] < _RECENT_SECONDS], (now, done)]
        (_first, before), elapsed = self._seen[0], now - self._seen[0][0]
        return (done - before) / elapsed if elapsed > 0 and done > before else None


def _best(records: Sequence[TrialRecord], objective: Objective) -> tuple[str, float]:
    values = [record.value(objective.name) for record in records]
    return objective.name, max(values) if objective.direction == "maximize" else min(values)


@contextmanager
def live(label: str, watched: Watched) -> Iterator[Callable[[], None]]:
    """Shows a study; what is yielded is to be called when it has changed, as often as one likes."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.live import Live

    shown = watched.glance()
    with Live(
        get_renderable=lambda: _drawn(label, shown), console=Console(stderr=True), transient=True, refresh_per_second=4
    ):
        last = 0.0

        def changed() -> None:
            nonlocal shown, last
            if time.monotonic() - last > 0.2:
                shown, last = watched.glance(), time.monotonic()

        yield changed


def _drawn(label: str, glance: Glance) -> Group:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    first, *others = words(glance)
    bar = Table.grid(padding=(0, 1))
    bar.add_row(Text(label), ProgressBar(total=glance.total, completed=glance.done, width=24), Text(first))
    return Group(bar, *(Text(line, style="dim", no_wrap=True, overflow="ellipsis") for line in others if line))


def _rate(per_second: float) -> str:
    return f"{per_second:.1f} trials/s" if per_second >= 0.1 else f"{3600 * per_second:.1f} trials/h"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _amount(value: float) -> str:
    """A number as it fits a line."""
    for unit, size in (("G", 10**9), ("M", 10**6)):
        if abs(value) >= size:
            return f"{value / size:,.2f} {unit}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
