"""Hypervolume of samplers at equal numbers of trials, as a share of the exact front's: for docs/decisions/0006.

Run: python tests/benchmarks/sampler_choice.py run FOLDER SAMPLER,.. PROBLEM,.. SEEDS TRIALS, as often as wanted: a run
that is already in FOLDER is not made again. Then: python tests/benchmarks/sampler_choice.py show FOLDER.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from pvtsearch.search.run import run_search

PROBLEMS: dict[str, dict[str, Any]] = {
    "pvt_v1": {"space": "pvt_v1", "budget": "resnet50"},
    "pvt_v2": {"space": "pvt_v2", "budget": "resnet50"},
    "pvt_v2-whole": {"space": "pvt_v2", "budget": "resnet50", "extrapolate": True},
}
CHECKPOINTS = (100, 300, 1000)


def run(folder: Path, samplers: str, problems: str, seeds: int, trials: int) -> None:
    """Every run that is not in folder yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        for problem in problems.split(","):
            for sampler in samplers.split(","):
                path = folder / f"{problem}_{sampler}_{trials}_{seed}.json"
                if not path.exists():
                    start = time.process_time()
                    quality = run_search(**PROBLEMS[problem], sampler=sampler, seed=seed, trials=trials).quality
                    if quality is None:
                        raise RuntimeError(f"no exact front of {problem}")
                    seconds = time.process_time() - start
                    path.write_text(json.dumps({"history": quality.history, "seconds": seconds}))
                    print(path.name, f"{quality.share:.3f}", f"{seconds:.0f} s", flush=True)


def share_after(history: list[list[float]], trials: int) -> float:
    """The share of the exact front's hypervolume after so many trials."""
    return max((share for count, share in history if count <= trials), default=0.0)


def show(folder: Path) -> None:
    """A Markdown table: mean and standard deviation over seeds, and the CPU seconds of a run."""
    shares: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    seconds: dict[tuple[str, str, int], list[float]] = defaultdict(list)
    for path in sorted(folder.glob("*.json")):
        problem, sampler, trials, _ = path.stem.rsplit("_", 3)
        found = json.loads(path.read_text())
        seconds[problem, sampler, int(trials)].append(found["seconds"])
        for count in [count for count in CHECKPOINTS if count <= int(trials)]:
            shares[problem, sampler, count].append(share_after(found["history"], count))
    print("| problem | sampler | 100 trials | 300 | 1,000 | CPU seconds |\n| --- | --- | ---: | ---: | ---: | ---: |")
    for problem, sampler in dict.fromkeys((problem, sampler) for problem, sampler, _ in shares):
        cells = [cell(shares.get((problem, sampler, count), [])) for count in CHECKPOINTS]
        times = ", ".join(
            f"{mean(s):.0f} for {n:,}" for (p, m, n), s in seconds.items() if (p, m) == (problem, sampler)
        )
        print(f"| {problem} | {sampler} | {' | '.join(cells)} | {times} |")


def cell(values: list[float]) -> str:
    """Mean, standard deviation and number of runs."""
    if not values:
        return "not run"
    return f"{mean(values):.3f} ± {stdev(values) if len(values) > 1 else 0:.3f} ({len(values)})"


if __name__ == "__main__":
    command, where, *rest = sys.argv[1:]
    match command:
        case "run":
            run(Path(where), rest[0], rest[1], int(rest[2]), int(rest[3]))
        case "show":
            show(Path(where))
