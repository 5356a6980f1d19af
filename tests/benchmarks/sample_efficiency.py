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
from itertools import product
from pathlib import Path
from typing import get_args

import numpy as np
from hidden_truth import NOISES, Family, objective
from optuna.samplers import GPSampler
from optuna.storages import InMemoryStorage

from pvtsearch.records import Objective
from pvtsearch.search.decode import Decoded
from pvtsearch.search.plan import StudyPlan
from pvtsearch.search.question import Question
from pvtsearch.search.samplers import SAMPLERS
from pvtsearch.search.stored import open_study
from pvtsearch.search.structured import Structure
from pvtsearch.search.study import run_study

SAMPLERS["gp"] = lambda _, seed: GPSampler(seed=seed)

METHODS = ("structured", "tpe", "nsga2", "gp", "random")
SHOWN = (25, 50, 60, 100, 200)


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


def found(folder: Path, family: str, noise: float, method: str) -> dict[int, list[float]]:
    """By seed, the best true value after each trial."""
    paths = folder.glob(f"{family}-{noise}-{method}-*.json")
    truths = {int(path.stem.rsplit("-", 1)[1]): json.loads(path.read_text())["truths"] for path in paths}
    return {seed: np.maximum.accumulate(values).tolist() for seed, values in sorted(truths.items())}


def needed(values: list[float], target: float) -> float:
    """The first number of trials after which target is reached; infinite where it is not."""
    return next((count for count, value in enumerate(values, start=1) if value >= target), np.inf)


def show(folder: Path) -> None:
    """Markdown tables: what was found, always over seeds that all have, and trials needed to find what others did."""
    for methods in (("structured", "tpe", "nsga2", "random"), ("structured", "gp")):
        print("| family | noise | seeds | trials | " + " | ".join(methods) + " |\n|" + " --- |" * (4 + len(methods)))
        for family, noise in product(get_args(Family), NOISES):
            runs = [found(folder, family, noise, method) for method in methods]
            seeds = sorted(set.intersection(*(set(each) for each in runs)))
            for count in SHOWN:
                cells = [mean_after([each[seed] for seed in seeds], count) for each in runs]
                print(f"| {family} | {noise} | {len(seeds)} | {count} | {' | '.join(cells)} |")
        print()
    print("| family | noise | to find what | finds in 200: median trials (95 % interval) | seeds |\n|" + " --- |" * 5)
    for family, noise, method in product(get_args(Family), NOISES, METHODS[1:]):
        ours, theirs = found(folder, family, noise, "structured"), found(folder, family, noise, method)
        counts = [needed(ours[seed], theirs[seed][-1]) for seed in ours.keys() & theirs.keys()]
        if counts:
            print(f"| {family} | {noise} | {method} | {median_in_words(counts)} | {len(counts)} |")


def mean_after(runs: list[list[float]], count: int) -> str:
    """The mean of what was found after so many trials; nothing where runs are shorter."""
    reached = [values[count - 1] for values in runs if len(values) >= count]
    return f"{np.mean(reached):.2f}" if reached else ""


def median_in_words(counts: list[float]) -> str:
    """The median of counts, and its interval by 2,000 bootstrap samples."""
    rng = np.random.default_rng(0)
    finite = np.where(np.isinf(counts), 1e9, counts)
    medians = np.median(rng.choice(finite, (2000, len(finite))), axis=1)
    ends = [np.median(finite), *np.quantile(medians, (0.025, 0.975))]
    middle, low, high = ("not in 60" if end > 1e6 else f"{end:.0f}" for end in ends)
    return f"{middle} ({low} to {high})"


if __name__ == "__main__":
    command, where, *rest = sys.argv[1:]
    match command:
        case "run":
            run(Path(where), rest[0], rest[1], int(rest[2]), int(rest[3]), Path(rest[4]))
        case "show":
            show(Path(where))
