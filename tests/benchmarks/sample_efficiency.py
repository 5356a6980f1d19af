"""Trials that samplers need on objectives whose truth is hidden from them: `reports/samplers/README.md` is its output.

Run: python tests/benchmarks/sample_efficiency.py run FOLDER METHOD,.. FAMILY,.. SEEDS TRIALS TABLE, as often as wanted:
a run that is already in FOLDER is not made again. Then: python tests/benchmarks/sample_efficiency.py show FOLDER.

Found after n trials is the best true value among the first n configurations evaluated, whatever noise they were seen
with. Trials needed is the first n at which a sampler has found at least what another found in 200, seed by seed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import get_args

import numpy as np
from hidden_truth import NOISES, Family, objective
from optuna.samplers import GPSampler
from optuna.storages import InMemoryStorage

from pvtsearch.records import Objective
from pvtsearch.search.decode import Decoded
from pvtsearch.search.question import Question
from pvtsearch.search.samplers import SAMPLERS
from pvtsearch.search.structured import Structure
from pvtsearch.search.study import StudyPlan, open_study, run_study

SAMPLERS["gp"] = lambda _, seed: GPSampler(seed=seed)


def trajectory(method: str, family: Family, noise: float, seed: int, trials: int, table: Path) -> list[float]:
    """The true values of the configurations that a sampler evaluates, in turn."""
    hidden = objective(family, noise, seed, table=table)
    rng, truths = np.random.default_rng([seed, 1]), list[float]()

    def evaluate(decoded: Decoded) -> dict[str, float]:
        truths.append(float(hidden.truth([decoded.config])[0]))
        return {"accuracy": truths[-1] + hidden.noise * rng.normal()}

    question = Question(hidden.problem, (Objective("accuracy", "maximize"),), extrapolated=False)
    plan = StudyPlan(Structure(question), question, evaluate, trials, method, seed, {})
    run_study(open_study(InMemoryStorage(), "efficiency", plan), plan)
    return truths


def run(folder: Path, methods: str, families: str, seeds: int, trials: int, table: Path) -> None:
    """Every trajectory that is not in folder yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(seeds):
        for family in [name for name in get_args(Family) if name in families.split(",")]:
            for noise in NOISES:
                for method in methods.split(","):
                    path = folder / f"{family}-{noise}-{method}-{seed}.json"
                    if not path.exists():
                        start = time.process_time()
                        truths = trajectory(method, family, noise, seed, trials, table)
                        path.write_text(json.dumps({"truths": truths, "seconds": time.process_time() - start}))
                        print(path.name, f"{max(truths):.3f}", f"{time.process_time() - start:.0f} s", flush=True)


if __name__ == "__main__":
    command, folder, *rest = sys.argv[1:]
    run(Path(folder), rest[0], rest[1], int(rest[2]), int(rest[3]), Path(rest[4]))
