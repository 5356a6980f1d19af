"""`pvtsearch search`: the best configurations of a space under hard budgets, and the report on them."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pvtsearch.analysis.setting import Autocast, Backend, Dtype, MemorySetting, Optimizer
from pvtsearch.cli import values
from pvtsearch.cli.progress import progress
from pvtsearch.config import AttentionKernel, ImageSize, Task
from pvtsearch.cost import Budget
from pvtsearch.errors import BudgetError, InputError, StudyError
from pvtsearch.reading import hide_password
from pvtsearch.serialize import load_config

if TYPE_CHECKING:
    from pvtsearch.records import SearchResult
    from pvtsearch.search.problem import Problem
    from pvtsearch.search.question import Question
    from pvtsearch.search.study import StoredStudy, StudyPlan

Method = Literal["exact", "optuna"]
Sampler = Literal["structured", "nsga2", "nsga3", "tpe", "random"]


def search(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="A shipped space or a YAML file.")],
    budget: Annotated[str | None, typer.Option(help="A network whose cost is the limit.", metavar="CONFIG")] = None,
    match: Annotated[
        str | None, typer.Option(help="Metrics of --budget that are limits; by default params,macs.")
    ] = None,
    max_gmacs: Annotated[str | None, typer.Option(help="Limit on MACs, in billions.")] = None,
    max_params: Annotated[str | None, typer.Option(help="Limit on parameters, such as 25.6M.")] = None,
    max_memory: Annotated[str | None, typer.Option(help="Limit on peak memory in inference, such as 4GiB.")] = None,
    max_training_memory: Annotated[
        str | None, typer.Option(help="Limit on peak memory of a training step, such as 16GiB.")
    ] = None,
    task: values.TaskOption = "classification",
    image_size: Annotated[str | None, typer.Option(help="Input side or HxW; by default the space's.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images that memory is computed for; by default 1.")] = None,
    dtype: Annotated[Dtype | None, typer.Option(help="Type of weights and activations, by default float32.")] = None,
    attention: Annotated[AttentionKernel | None, typer.Option(help="How it is computed; by default fused.")] = None,
    autocast: Annotated[Autocast | None, typer.Option(help="Of a training step; by default none.")] = None,
    optimizer: Annotated[Optimizer | None, typer.Option(help="Of a training step; by default adamw.")] = None,
    memory_backend: Annotated[Backend | None, typer.Option(help="Whose kernels; by default cpu.")] = None,
    objectives: Annotated[
        str, typer.Option(help="What to optimise: prior, macs, params, inference_memory, training_memory.")
    ] = "prior,macs",
    extrapolate: Annotated[bool, typer.Option("--extrapolate", help="Use the prior outside its envelope.")] = False,
    method: Annotated[
        Method | None, typer.Option(help="How to search; by default exact, where that is possible.")
    ] = None,
    epsilon: Annotated[str | None, typer.Option(help="Exact: a smaller front, within this share of all.")] = None,
    sampler: Annotated[Sampler | None, typer.Option(help="Optuna's sampler; by default nsga2.")] = None,
    trials: Annotated[
        int | None, typer.Option(help="Distinct configurations to evaluate; by default 1000.", min=1)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the sampler; by default 0.", min=0, max=2**32 - 1)] = None,
    storage: Annotated[str | None, typer.Option(help="URL of an Optuna storage; by default a file in --out.")] = None,
    study: Annotated[str | None, typer.Option(help="Name of the study; by default pvtsearch.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; by default runs/SPACE.")] = None,
) -> None:
    """Pareto-best configurations within the budget: proven where that is possible, else by trials, none outside it."""
    from pvtsearch.report.files import write_outputs
    from pvtsearch.search.question import make_question
    from pvtsearch.serialize_space import load_space

    loaded = load_space(space)
    size = values.image_size(image_size) or (loaded.image_size, loaded.image_size)
    given = {
        "batch_size": batch_size,
        "dtype": dtype,
        "attention": attention,
        "autocast": autocast,
        "optimizer": optimizer,
        "backend": memory_backend,
    }
    circumstances: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    setting = MemorySetting(**circumstances)
    question = make_question(
        loaded,
        budget=the_budget(
            budget,
            match,
            size,
            task,
            setting,
            max_gmacs=max_gmacs,
            max_params=max_params,
            max_memory=max_memory,
            max_training_memory=max_training_memory,
        ),
        objectives=values.names(objectives),
        image_size=size,
        task=task,
        setting=setting,
        extrapolate=extrapolate,
    )
    check_circumstances(circumstances, question.problem)
    folder = Path("runs") / file_name(loaded.name) if out is None else out
    of_trials = {"--trials": trials, "--sampler": sampler, "--seed": seed, "--storage": storage, "--study": study}
    match chosen_method(method, question, [name for name, value in of_trials.items() if value is not None], epsilon):
        case "exact":
            result = proven(question, epsilon)
            with claimed(folder):
                write_outputs(result, folder)
        case "optuna":
            from pvtsearch.search.run import DEFAULT_STUDY, DEFAULT_TRIALS, plan_study
            from pvtsearch.search.samplers import DEFAULT_SAMPLER
            from pvtsearch.search.study import open_storage, open_study, sqlite_storage

            plan = plan_study(
                question, sampler=sampler or DEFAULT_SAMPLER, trials=trials or DEFAULT_TRIALS, seed=seed or 0
            )
            shared = None if storage is None else open_storage(storage)
            with claimed(folder):
                storage_here = shared or sqlite_storage(folder / "study.db")
                result = tried(plan, open_study(storage_here, study or DEFAULT_STUDY, plan))
                write_outputs(result, folder)
    print(summary(result, folder))


def check_circumstances(given: Iterable[str], problem: Problem) -> None:
    """Raise `InputError` for an option that says what memory is computed for, where no such memory is asked for."""
    needless = [name for name in given if name not in problem.costing.circumstances]
    if needless:
        option = "--memory-backend" if needless[0] == "backend" else f"--{needless[0].replace('_', '-')}"
        kind = "training memory" if problem.costing.peaks else "memory"
        raise InputError(
            f"{option} is a circumstance of {kind}, which is not asked for: give --max-memory or "
            "--max-training-memory, or inference_memory or training_memory in --match or --objectives"
        )


def chosen_method(method: Method | None, question: Question, given: Sequence[str], epsilon: str | None) -> Method:
    """The method asked for, else exact where all objectives combine over stages and no option of trials is given."""
    from pvtsearch.search.composition import combines

    if method is None:
        combining = all(combines(objective.name) for objective in question.objectives)
        method = "exact" if combining and not given else "optuna"
    if method == "exact" and given:
        raise InputError(f"{given[0]} goes with --method optuna: the exact search makes no trials")
    if method == "optuna" and epsilon is not None:
        raise InputError("--epsilon goes with --method exact, and without options of trials")
    return method


def proven(question: Question, epsilon: str | None) -> SearchResult:
    """The exact answer, with the number of configurations within the limits where they can be counted."""
    from pvtsearch.search.counting import count_feasible
    from pvtsearch.search.exact import answer, counted
    from pvtsearch.search.halves import TooManyRows

    result = answer(question, epsilon, {"command": command_line()})
    try:
        feasible = count_feasible(question.problem)
    except TooManyRows:
        return result
    return counted(result, feasible)


def tried(plan: StudyPlan, study: StoredStudy) -> SearchResult:
    """What a study finds, new or taken up again."""
    from pvtsearch.search.run import sum_up
    from pvtsearch.search.study import run_study

    with progress("searching", plan.trials) as advance:
        records = run_study(study, plan, lambda record: advance(record.trial + 1))
    return sum_up(plan, records, {"command": command_line()})


def file_name(name: str) -> str:
    """A name as a single file name: it leads nowhere else, whatever it holds."""
    return re.sub(r"[^\w-]+", "_", name).strip("_") or "space"


def the_budget(
    budget: str | None,
    match: str | None,
    size: ImageSize,
    task: Task,
    setting: MemorySetting,
    *,
    max_gmacs: str | None,
    max_params: str | None,
    max_memory: str | None = None,
    max_training_memory: str | None = None,
) -> Budget:
    """The limits of the options together: where two limit one metric the smaller wins."""
    from pvtsearch.search.limits import DEFAULT_MATCH, baseline_budget

    limits = {}
    if max_params is not None:
        limits["params"] = values.number("--max-params", max_params, values.COUNT_UNITS)
    if max_gmacs is not None:
        limits["macs"] = values.number("--max-gmacs", max_gmacs, values.BILLIONS)
    if max_memory is not None:
        limits["inference_peak_bytes"] = values.number("--max-memory", max_memory, values.BYTE_UNITS)
    if max_training_memory is not None:
        limits["training_peak_bytes"] = values.number("--max-training-memory", max_training_memory, values.BYTE_UNITS)
    if budget is None and not limits:
        raise BudgetError(
            "a search needs limits: give --budget CONFIG (such as resnet50), --max-gmacs, --max-params, --max-memory "
            "or --max-training-memory"
        )
    if budget is None and match is not None:
        raise BudgetError("--match names metrics of --budget, which is not given: give --budget CONFIG")
    base = Budget({}, "")
    if budget is not None:
        metrics = DEFAULT_MATCH if match is None else values.names(match)
        base = baseline_budget(load_config(budget), size, task=task, match=metrics, setting=setting)
    return base.tightened(limits, "limits given by hand") if limits else base


def command_line() -> str:
    """This command as it can be pasted again, passwords hidden."""
    return shlex.join(["pvtsearch", *(hide_password(part) for part in sys.argv[1:])])


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold folder for this process; the claim ends with the process, however it ends."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout as error:
        raise StudyError(f"--out {folder}: another search is writing there; give another --out") from error
    except OSError as error:
        raise InputError(f"--out {folder}: cannot be written: {error.strerror or error}") from error


def summary(result: SearchResult, folder: Path) -> str:
    """What a person wants to know first, in a few lines."""
    from pvtsearch.report.rows import cards, quantities
    from pvtsearch.report.wording import card_in_words, certificate_in_words, headline, quality_in_words

    text = headline(result, [quantity.name for quantity in quantities(result)])
    for claim in (certificate_in_words(result), quality_in_words(result)):
        text += f"\n{claim}" if claim else ""
    if result.circumstances.get("exhausted"):
        text += f"\nOnly {len(result.records):,} distinct configurations are within the limits: all were evaluated."
    for card in cards(result):
        text += f"\n{card_in_words(card)}"
    return f"{text}\nReport: {folder / 'report.html'}"
