"""The long fault run: workers that are killed at random moments, a server that is restarted under them.

    python tests/benchmarks/fault_run.py sqlite journal postgresql

For each storage: 4 workers, 500 trials whose evaluations take 0.3 s, a worker killed with -9 at random moments at least
30 times and replaced, PostgreSQL stopped as by a crash and started again twice. Prints a row of
reports/workers/README.md each: 500 finished trials, each configuration once, none outside the budget, no worker hung.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from crew import Fate, Outcome, faulty_run, outcome, started
from postgres import Server, server

WORKERS, TRIALS, SECONDS, KILLS = 4, 500, 0.3, 32
BETWEEN = (1.0, 2.5)
AWAY_SECONDS = 5.0


@contextmanager
def storage(kind: str, folder: Path) -> Iterator[tuple[str, list[tuple[int, object]]]]:
    """A storage's URL, and what is done to it after so many kills."""
    match kind:
        case "sqlite":
            yield f"sqlite:///{folder / 'study.db'}", []
        case "journal":
            yield f"journal:{folder / 'study.log'}", []
        case "postgresql":
            with server() as running:
                yield running.url, [(kills, lambda: restart(running)) for kills in (KILLS // 3, 2 * KILLS // 3)]
        case _:
            raise SystemExit(f"sqlite, journal or postgresql, got {kind}")


def restart(running: Server) -> None:
    """Crash a server, and start it again."""
    running.stop("immediate")
    time.sleep(AWAY_SECONDS)
    running.start()


def row(kind: str, fate: Fate, found: Outcome, log: Path) -> str:
    """What is printed of a run."""
    lines = log.read_text(encoding="utf-8").splitlines()
    through = [" ".join(line.split()[3:]) for line in lines if line.startswith("through")]
    cells = (
        kind, WORKERS, fate.kills, 2 if kind == "postgresql" else "-", found.standings.get("complete", 0),
        found.distinct, found.outside, found.standings.get("died", 0), found.standings.get("void", 0),
        sum(line.startswith("began") for line in lines), len(through) - len(set(through)),
        sum(status != 0 for status in fate.statuses), f"{fate.seconds:.0f}",
    )  # fmt: skip
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def main(kinds: list[str]) -> None:
    """A run for each storage."""
    for kind in kinds:
        with tempfile.TemporaryDirectory() as name, storage(kind, Path(name)) as (url, faults):
            log = Path(name) / "log"
            fate = faulty_run(lambda url=url, log=log: started(url, TRIALS, SECONDS, log), workers=WORKERS, kills=KILLS,
                              between=BETWEEN, seed=8, log=log, faults=faults, limit_seconds=900)  # type: ignore[misc, arg-type]  # fmt: skip
            print(row(kind, fate, outcome(url, TRIALS), log), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or ["sqlite", "journal", "postgresql"])
