"""How many hostile inputs every parser was given, and what came of them: a table in Markdown.

    python tests/fuzz/count.py --inputs 10000 [--only PARSER] [--seed 0] [--seconds 60]

A traceback, a file left behind, or an input that takes longer than --slowest seconds ends the run with status 1 and is
written to --keep.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from hostile import PARSERS, SEEDS, fill_seeds, mutated, verdict


def main() -> int:
    """Give every parser its inputs; returns 1 where one of them broke the law."""
    options = _options()
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGALRM, _too_slow)
    broken = 0
    with tempfile.TemporaryDirectory() as folder:
        fill_seeds(Path(folder))
    print("| parser | inputs | values | refused | broken | slowest, ms |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in PARSERS:
        if options.only in {None, name}:
            broken += _fuzz(name, options)
    return min(broken, 1)


def _fuzz(name: str, options: argparse.Namespace) -> int:
    counted: Counter[str] = Counter()
    slowest, began = 0.0, time.monotonic()
    for number in range(options.inputs):
        content = mutated(SEEDS[name], random.Random(f"{options.seed} {name} {number}"))
        started = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            signal.alarm(options.slowest)
            try:
                counted[verdict(PARSERS[name], content, Path(folder))] += 1
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                counted["broken"] += 1
                _keep(name, content, error, options.keep)
            finally:
                signal.alarm(0)
        slowest = max(slowest, time.monotonic() - started)
        if time.monotonic() - began > options.seconds:
            break
    total = sum(counted.values())
    row = (name, total, *(counted[kind] for kind in ("value", "refused", "broken")), round(1000 * slowest))
    print(f"| {' | '.join(f'{cell:,}' if isinstance(cell, int) else cell for cell in row)} |", flush=True)
    return counted["broken"]


def _keep(name: str, content: bytes, error: BaseException, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name.replace(' ', '-').replace(',', '')}-{hashlib.sha256(content).hexdigest()[:12]}"
    path.write_bytes(content)
    print(f"{path}: {type(error).__name__}: {str(error)[:200]!r}", file=sys.stderr, flush=True)


def _too_slow(_signal: int, _frame: object) -> None:
    raise TimeoutError("takes too long")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--only", choices=list(PARSERS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="the most for one parser")
    parser.add_argument("--slowest", type=int, default=20, help="seconds that one input may take")
    parser.add_argument("--keep", type=Path, default=Path("hostile-inputs"), help="folder for inputs that broke a law")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
