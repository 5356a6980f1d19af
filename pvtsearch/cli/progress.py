"""Progress bars: on standard error of a terminal, nothing in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pvtsearch.shown import printable


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar that is told how many of total are done; it shows the rate of what is done while it is shown."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
    )
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(printable(label), total=total, rate="")
        started, first = time.perf_counter(), None

        def advance(done: int) -> None:
            nonlocal first
            first = done - 1 if first is None else first
            rate = (done - first) / (time.perf_counter() - started)
            bar.update(task, completed=done, rate=f"{rate:.1f}/s")

        yield advance
