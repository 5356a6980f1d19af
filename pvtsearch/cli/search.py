"""`pvtsearch search`: the best configurations of a space under hard budgets, and the report on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pvtsearch.analysis.setting import Autocast, Backend, Dtype, Execution, MemorySetting, Optimizer
from pvtsearch.cli import values
from pvtsearch.cli.accuracy import TrainingOptions, check_training_options, predicted
from pvtsearch.cli.latency import asks_for_latency, calibration_of, check_latency_options, with_finalists
from pvtsearch.cli.limits import (
    BudgetOption,
    MatchOption,
    MaxGmacsOption,
    MaxLatencyOption,
    MaxMemoryOption,
    MaxParamsOption,
    MaxTrainingMemoryOption,
    check_circumstances,
    the_budget,
)
from pvtsearch.cli.outputs import claimed, command_line, file_name, shared, written_once
from pvtsearch.config import AttentionKernel
from pvtsearch.errors import InputError
from pvtsearch.reading import hide_password
from pvtsearch.trainings import ACCURACY

if TYPE_CHECKING:
    from pvtsearch.records import SearchResult
    from pvtsearch.search.question import Question

FINALISTS = 12

Method = Literal["exact", "optuna", "predict"]
TRAINING_OPTIONS = {
    "data": "--data",
    "epochs": "--epochs",
    "batch_size": "--train-batch-size",
    "learning_rate": "--learning-rate",
    "loaders": "--loaders",
}
Pruner = Literal["median", "hyperband", "none"]
Sampler = Literal["structured", "nsga2", "nsga3", "tpe", "random"]


def search(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="A shipped space or a YAML file.")],
    budget: BudgetOption = None,
    match: MatchOption = None,
    max_gmacs: MaxGmacsOption = None,
    max_params: MaxParamsOption = None,
    max_memory: MaxMemoryOption = None,
    max_training_memory: MaxTrainingMemoryOption = None,
    max_latency: MaxLatencyOption = None,
    task: values.TaskOption = "classification",
    image_size: Annotated[str | None, typer.Option(help="Input side or HxW; by default the space's.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images of memory and latency; by default 1.")] = None,
    dtype: Annotated[Dtype | None, typer.Option(help="Type of weights and activations, by default float32.")] = None,
    device: Annotated[str | None, typer.Option(help="Of latency: cpu or cuda; by default cpu.")] = None,
    execution: Annotated[Execution | None, typer.Option(help="Of latency; by default eager.")] = None,
    calibrations: Annotated[
        Path | None, typer.Option(help="Folder or file of calibrations; by default reports/devices.")
    ] = None,
    measure: Annotated[
        int | None, typer.Option(help="Networks of the front to measure, where latency is asked for.", min=0)
    ] = None,
    attention: Annotated[AttentionKernel | None, typer.Option(help="How it is computed; by default fused.")] = None,
    autocast: Annotated[Autocast | None, typer.Option(help="Of a training step; by default none.")] = None,
    optimizer: Annotated[Optimizer | None, typer.Option(help="Of a training step; by default adamw.")] = None,
    memory_backend: Annotated[Backend | None, typer.Option(help="Whose kernels; by default cpu.")] = None,
    objectives: Annotated[
        str,
        typer.Option(
            help="What to optimise: prior, accuracy, macs, params, inference_memory, training_memory, latency."
        ),
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
    workers: Annotated[
        int | None, typer.Option(help="Local processes that evaluate; by default this one alone.", min=1)
    ] = None,
    evaluation_timeout: Annotated[
        str | None, typer.Option(help="Limit on the time of one training, such as 2h or 90m; seconds without a unit.")
    ] = None,
    evaluation_memory: Annotated[
        str | None, typer.Option(help="Limit on the main memory that one training holds, such as 16GiB.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Of accuracy: fractals (the default), a folder, or torchvision:NAME:FOLDER.")
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Of a training; by default 10.", min=1)] = None,
    train_batch_size: Annotated[int | None, typer.Option(help="Images of its steps; by default 32.", min=2)] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Of a training; by default by batch size.")] = None,
    pruner: Annotated[
        Pruner | None, typer.Option(help="Of accuracy alone by trials: what ends poor trainings; by default median.")
    ] = None,
    loaders: Annotated[int | None, typer.Option(help="Processes that load images; by default none.", min=0)] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; by default runs/SPACE.")] = None,
) -> None:
    """Pareto-best configurations within the budget: proven where that is possible, else by trials, none outside it."""
    from pvtsearch.analysis.timing import TimingSetting
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
    wants_latency = asks_for_latency(max_latency, match, objectives)
    wants_accuracy = ACCURACY in values.names(objectives)
    of_training = {
        "data": data,
        "epochs": epochs,
        "batch_size": train_batch_size,
        "learning_rate": learning_rate,
        "loaders": loaders,
    }
    of_evaluations: dict[str, object] = {
        "--evaluation-timeout": evaluation_timeout,
        "--evaluation-memory": evaluation_memory,
    }
    named = {TRAINING_OPTIONS[name]: value for name, value in of_training.items()}
    check_training_options(wants_accuracy, named | of_evaluations)
    of_latency = {
        "--device": None if wants_accuracy else device,
        "--execution": execution,
        "--calibrations": calibrations,
        "--measure": measure,
    }
    check_latency_options(wants_latency, of_latency)
    timing = TimingSetting(
        device=device or "cpu", dtype=setting.dtype, batch_size=setting.batch_size, execution=execution or "eager"
    )
    calibration = calibration_of(calibrations, timing, loaded, size, task) if wants_latency else None
    question = make_question(
        loaded,
        budget=the_budget(
            budget,
            match,
            size,
            task,
            setting,
            calibration,
            max_latency=max_latency,
            max_gmacs=max_gmacs,
            max_params=max_params,
            max_memory=max_memory,
            max_training_memory=max_training_memory,
        ),
        objectives=values.names(objectives),
        image_size=size,
        task=task,
        setting=setting,
        calibration=calibration,
        extrapolate=extrapolate,
    )
    check_circumstances(circumstances, question.problem)
    count = FINALISTS if measure is None else measure
    folder = Path("runs") / file_name(loaded.name) if out is None else out
    of_trials: dict[str, object] = {
        "--trials": trials,
        "--sampler": sampler,
        "--seed": seed,
        "--storage": storage,
        "--study": study,
        "--pruner": pruner,
        "--workers": workers,
        **of_evaluations,
    }
    options = TrainingOptions(**{name: value for name, value in of_training.items() if value is not None})  # type: ignore[arg-type]
    options = replace(options, device=device or "cpu", autocast=autocast or "none")
    match chosen_method(method, question, [name for name, value in of_trials.items() if value is not None], epsilon):
        case "exact":
            result = with_finalists(proven(question, epsilon), calibration, count)
            with claimed(folder):
                write_outputs(result, folder)
        case "predict":
            with claimed(folder):
                result = with_finalists(predicted(question, options, folder, trials, seed or 0), calibration, count)
                write_outputs(result, folder)
        case "optuna":
            from pvtsearch.cli.trials import Work, limits_of, plan_of, tried
            from pvtsearch.search.run import DEFAULT_STUDY, DEFAULT_TRIALS
            from pvtsearch.search.samplers import DEFAULT_SAMPLER
            from pvtsearch.search.storages import check_storage

            work = Work(
                question=question,
                training=options,
                limits=limits_of(evaluation_timeout, evaluation_memory),
                folder=folder,
                sampler=sampler or DEFAULT_SAMPLER,
                trials=trials or DEFAULT_TRIALS,
                seed=seed or 0,
                pruner=pruner,
                storage=storage,
                study=study or DEFAULT_STUDY,
            )
            plan = plan_of(work)
            if storage is not None:
                check_storage(storage)
            with shared(folder, f"{work.study} {hide_password(work.url)}"):
                result = with_finalists(tried(work, plan, workers), calibration, count)
                with written_once(folder):
                    write_outputs(result, folder)
    print(summary(result, folder))


def chosen_method(method: Method | None, question: Question, given: Sequence[str], epsilon: str | None) -> Method:
    """The method asked for, else exact where all objectives combine over stages and no option of trials is given."""
    from pvtsearch.search.composition import combines

    names = [objective.name for objective in question.objectives]
    if method == "predict" and names != [ACCURACY]:
        raise InputError("--method predict goes with --objectives accuracy alone: limits may be as many as you like")
    only_trials = [name for name in given if name not in {"--trials", "--seed"}]
    if method == "predict" and only_trials:
        raise InputError(f"{only_trials[0]} goes with --method optuna: networks to train are chosen by a predictor")
    if method is None and names == [ACCURACY] and not only_trials:
        method = "predict"
    if method is None:
        combining = all(combines(objective.name) for objective in question.objectives)
        method = "exact" if combining and not given else "optuna"
    if method == "exact" and given:
        raise InputError(f"{given[0]} goes with --method optuna: the exact search makes no trials")
    if method != "exact" and epsilon is not None:
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


def summary(result: SearchResult, folder: Path) -> str:
    """What a person wants to know first, in a few lines."""
    from pvtsearch.report.rows import claims
    from pvtsearch.report.shown import cards, quantities
    from pvtsearch.report.wording import card_in_words, headline

    text = "\n".join((headline(result, [quantity.name for quantity in quantities(result)]), *claims(result)))
    if result.circumstances.get("exhausted"):
        text += f"\nOnly {len(result.records):,} distinct configurations are within the limits: all were evaluated."
    for card in cards(result):
        text += f"\n{card_in_words(card)}"
    return f"{text}\nReport: {folder / 'report.html'}"
