"""Time and memory of exact searches and counts: what `docs/decisions/0011-when-the-exact-search-is-exact.md` state.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/exact_search.py; prints Markdown tables. Each line is a process.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable

from pvtsearch import exact_front, load_config, load_space
from pvtsearch.search.counting import count_feasible
from pvtsearch.search.draws import uniform_draws
from pvtsearch.search.limits import baseline_budget
from pvtsearch.search.problem import Problem

SPACES = ("pvt_v1", "pvt_v2")
BUDGETS = ("resnet18", "resnet50", "resnet101")
FRONTS = {"params,macs": False, "prior,macs": True, "prior,macs,params": True, "prior": True}  # and extrapolate
DRAWS = 100_000


def front(space: str, budget: str, objectives: str) -> str:
    """Points and ties of a front in the whole space."""
    result = exact_front(space, objectives.split(","), budget, extrapolate=FRONTS[objectives])
    ties = result.certificate.ties if result.certificate else ()
    return f"{len(result.front):,} points, {sum(ties):,} networks"


def count(space: str, budget: str) -> str:
    """How many configurations are within the budget."""
    problem = Problem(load_space(space), (224, 224), budget=baseline_budget(load_config(budget), (224, 224)))
    feasible = count_feasible(problem)
    return f"{feasible:,} ({feasible / problem.space.size((224, 224)).legal:.3%})"


def draws(space: str, budget: str) -> str:
    """How many of the draws from these are distinct."""
    problem = Problem(load_space(space), (224, 224), budget=baseline_budget(load_config(budget), (224, 224)))
    return f"{len(set(uniform_draws(problem, DRAWS, seed=0))):,} distinct of {DRAWS:,}"


TASKS: dict[str, Callable[..., str]] = {"front": front, "count": count, "draws": draws}


def line(*arguments: str) -> None:
    """Run one task in this process and print what it found, its seconds of one core and its peak memory."""
    start = time.process_time()  # whatever else the machine does
    found = TASKS[arguments[0]](*arguments[1:])
    seconds = time.process_time() - start
    mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"| {' | '.join(arguments)} | {found} | {seconds:.1f} | {mebibytes:,} |", flush=True)


def main() -> None:
    """Every task on every space and budget, one process each."""
    for space in SPACES:
        for budget in BUDGETS:
            for task in (("front", objectives) for objectives in FRONTS):
                subprocess.run([sys.executable, __file__, task[0], space, budget, task[1]], check=True)
            for name in ("count", "draws"):
                subprocess.run([sys.executable, __file__, name, space, budget], check=True)


if __name__ == "__main__":
    line(*sys.argv[1:]) if len(sys.argv) > 1 else main()
