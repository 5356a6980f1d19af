"""Time and memory of exact searches, counts and draws: what `reports/exact/README.md` and decision 0011 state.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/exact_search.py; prints the report. Each line of its tables is a process.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable

from pvtsearch import exact_front, load_config, load_space
from pvtsearch.search.counting import count_feasible, take_stock
from pvtsearch.search.draws import estimate_feasible, uniform_draws
from pvtsearch.search.limits import baseline_budget
from pvtsearch.search.problem import Problem
from pvtsearch.search.question import make_question
from pvtsearch.search.results import library_versions

SPACES = ("pvt_v1", "pvt_v2")
BUDGETS = ("resnet18", "resnet50", "resnet101")
MATCHES = ("params,macs", "params,macs,inference_memory")
FRONTS = ("prior,macs", "prior,macs,params")
ALONE = "prior"  # one objective, under limits on parameters and MACs
DRAWS = 100_000

HEADING = """# Exact searches, counts and draws of whole spaces

`OMP_NUM_THREADS=1 python tests/benchmarks/exact_search.py > reports/exact/README.md`

{versions}; {cores} cores. Seconds by processor are of all cores together; where a
machine has other work they grow somewhat, those by clock much. Input 224x224, batch 1, float32. *stock*: the ranges of
costs within the limits; *estimate*: under a limit on memory too. A front is told by its limits, then its objectives.
"""


def problem_of(space: str, budget: str) -> Problem:
    """Whole spaces under limits on parameters and MACs."""
    return Problem(load_space(space), (224, 224), budget=baseline_budget(load_config(budget), (224, 224)))


def front(space: str, budget: str, match: str, objectives: str) -> str:
    """Points and ties of a front in the whole space."""
    asked = objectives.split(",")
    result = exact_front(space, asked, budget, match=match.split(","), extrapolate="prior" in asked)
    ties = result.certificate.ties if result.certificate else ()
    return f"{len(result.front):,} points, {sum(ties):,} networks"


def count(space: str, budget: str) -> str:
    """How many configurations are within the budget, of how many."""
    problem = problem_of(space, budget)
    return f"{count_feasible(problem):,} of {problem.space.size((224, 224)).legal:,}"


def stock(space: str, budget: str) -> str:
    """The largest number of parameters and MACs among them."""
    return ", ".join(
        f"{name} to {span.largest:,}" for name, span in take_stock(problem_of(space, budget)).ranges.items()
    )


def draws(space: str, budget: str) -> str:
    """How many of the draws from these are distinct."""
    return f"{len(set(uniform_draws(problem_of(space, budget), DRAWS, seed=0))):,} distinct of {DRAWS:,}"


def estimate(space: str, budget: str) -> str:
    """How many configurations are within limits on memory too: halves do not count these."""
    question = make_question(
        space,
        budget=budget,
        objectives=["macs"],
        image_size=None,
        task="classification",
        extrapolate=False,
        match=MATCHES[-1].split(","),
    )
    found = estimate_feasible(question.problem)
    return f"about {found.feasible:.3e} ({found.low:.3e} to {found.high:.3e})"


TASKS: dict[str, Callable[..., str]] = {
    "count": count,
    "stock": stock,
    "draws": draws,
    "estimate": estimate,
    "front": front,
}


def line(*arguments: str) -> None:
    """Run one task in this process and print what it found, its seconds by processor and by clock, its peak memory."""
    start, clock = time.process_time(), time.perf_counter()
    found = TASKS[arguments[0]](*arguments[1:])
    seconds, passed = time.process_time() - start, time.perf_counter() - clock
    mebibytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    task, space, budget, *rest = arguments
    asked = "; ".join([task, *rest])
    print(f"| {space} | {budget} | {asked} | {found} | {seconds:.1f} | {passed:.1f} | {mebibytes:,} |", flush=True)


def main() -> None:
    """Every task on every space and budget, one process each."""
    versions = ", ".join(f"{name} {version}" for name, version in library_versions(("pvtsearch", "numpy")).items())
    print(HEADING.format(versions=versions, cores=os.cpu_count()))
    print("| space | limits of | task | found | CPU s | clock s | MiB |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: |", flush=True)
    for space in SPACES:
        for budget in BUDGETS:
            fronts = [("front", match, objectives) for match in MATCHES for objectives in FRONTS]
            counts = [(name,) for name in TASKS if name != "front"]
            for name, *rest in [*counts, *fronts, ("front", MATCHES[0], ALONE)]:
                subprocess.run([sys.executable, __file__, name, space, budget, *rest], check=True)


if __name__ == "__main__":
    line(*sys.argv[1:]) if len(sys.argv) > 1 else main()
