"""Options of accuracy in `search`: what networks are trained on, how, and what is made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pvtsearch.analysis.setting import Autocast
from pvtsearch.cli.outputs import command_line
from pvtsearch.cli.progress import progress
from pvtsearch.cli.train import BATCH_SIZE, EPOCHS
from pvtsearch.errors import InputError

if TYPE_CHECKING:
    from pvtsearch.records import SearchResult
    from pvtsearch.search.question import Question
    from pvtsearch.trainings import Trainer


@dataclass(frozen=True)
class TrainingOptions:
    """How networks are trained in a search; `trainings` of the folder keeps what is done."""

    data: str = "fractals"
    epochs: int = EPOCHS
    batch_size: int = BATCH_SIZE
    learning_rate: float | None = None
    loaders: int = 0
    device: str = "cpu"
    autocast: Autocast = "none"


def check_training_options(wants_accuracy: bool, given: Mapping[str, object]) -> None:
    """Raise `InputError` for an option of trainings where accuracy is no objective."""
    needless = [name for name, value in given.items() if value is not None]
    if needless and not wants_accuracy:
        raise InputError(f"{needless[0]} is of trainings, which are not asked for: give --objectives accuracy")


def prepared(question: Question, options: TrainingOptions, folder: Path) -> tuple[Trainer, dict[str, Any]]:
    """A trainer of a search, and what its accuracies follow from. Raises `InputError` for data that cannot be."""
    from pvtsearch.training.loop import Machine
    from pvtsearch.training.recipe import recipe_for
    from pvtsearch.training.sources import open_data
    from pvtsearch.training.trainer import circumstances, ledger_trainer

    height, width = question.problem.image_size
    if height != width:
        raise InputError(f"--image-size must be one side where networks are trained, got {height}x{width}")
    if question.problem.task != "classification":
        raise InputError(f"--task {question.problem.task}: accuracy is known of classification only")
    data = open_data(options.data, height, device=options.device)
    recipe = recipe_for(options.epochs, options.batch_size, options.learning_rate)
    machine = Machine(options.device, options.autocast, options.loaders)
    trainer = ledger_trainer(folder / "trainings", data, recipe, machine=machine, autocast=options.autocast)
    return trainer, {"training": circumstances(data, recipe, options.autocast)}


def predicted(
    question: Question, options: TrainingOptions, folder: Path, trials: int | None, seed: int
) -> SearchResult:
    """What a few trainings and a predictor of all others find; the same command goes on where it was."""
    from pvtsearch.shortlist.reference import reference_for
    from pvtsearch.shortlist.result import as_result
    from pvtsearch.shortlist.rounds import campaign, plan_for

    plan = plan_for(trials, seed)
    trainer, facts = prepared(question, options, folder)
    done = 0
    with progress("training networks", plan.trainings) as advance:

        def count(_training: object) -> None:
            nonlocal done
            done += 1
            advance(done)

        found = campaign(question, trainer, plan, reference=reference_for(question.problem), on_trained=count)
    return as_result(question, found, seed=seed, circumstances={"command": command_line(), **facts})
