"""Hypervolume of Optuna's samplers at equal numbers of trials: what `docs/decisions/0006-default-sampler.md` rests on.

Run: python tests/benchmarks/sampler_choice.py [SEEDS]; prints a Markdown table. Needs moocore (extra `dev`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from statistics import mean, stdev

import moocore
import numpy as np

from pvtsearch.records import SearchResult, TrialRecord
from pvtsearch.search.pareto import minimised
from pvtsearch.search.run import run_search
from pvtsearch.search.samplers import SAMPLERS

PROBLEMS = {
    "pvt_v1, ResNet-50, inside the envelope": {"space": "pvt_v1", "budget": "resnet50"},
    "pvt_v2, ResNet-50, inside the envelope": {"space": "pvt_v2", "budget": "resnet50"},
    "pvt_v2, ResNet-50, whole space": {"space": "pvt_v2", "budget": "resnet50", "extrapolate": True},
}
CHECKPOINTS = (100, 300, 1000)


def hypervolumes(result: SearchResult, records: Sequence[TrialRecord]) -> list[float]:
    """Hypervolume after each checkpoint: prior from 0 up, MACs below the limit as a share of it."""
    limit = result.budget.limits["macs"]
    points = minimised(records, result.objectives) / np.array([1.0, limit])
    return [float(moocore.hypervolume(points[:count], ref=[0.0, 1.0])) for count in CHECKPOINTS]


def main(seeds: int) -> None:
    """Print one table per problem: share of the best hypervolume seen, mean and standard deviation over seeds."""
    for title, problem in PROBLEMS.items():
        values: dict[str, list[list[float]]] = {}
        seconds: dict[str, float] = {}
        for sampler in SAMPLERS:
            start = time.perf_counter()
            runs = [run_search(**problem, sampler=sampler, seed=seed, trials=CHECKPOINTS[-1]) for seed in range(seeds)]
            seconds[sampler] = (time.perf_counter() - start) / seeds
            values[sampler] = [hypervolumes(run, run.records) for run in runs]
        best = max(value for runs in values.values() for run in runs for value in run)
        print(f"\n{title} ({seeds} seeds)\n")
        print("| sampler | 100 trials | 300 | 1,000 | seconds per 1,000 |\n|---|---:|---:|---:|---:|")
        for sampler, runs in values.items():
            columns = [[run[i] / best for run in runs] for i in range(len(CHECKPOINTS))]
            cells = [f"{mean(c):.3f} ± {stdev(c) if seeds > 1 else 0:.3f}" for c in columns]
            print(f"| {sampler} | {' | '.join(cells)} | {seconds[sampler]:.0f} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
