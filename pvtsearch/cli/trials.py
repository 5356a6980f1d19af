"""A search by trials: by this process, or by workers that it starts; joined by any other that runs the same command."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from pvtsearch.cli import values
from pvtsearch.cli.accuracy import TrainingOptions, prepared
from pvtsearch.cli.live import Watched, live
from pvtsearch.cli.outputs import command_line
from pvtsearch.trainings import ACCURACY

if TYPE_CHECKING:
    from pvtsearch.records import SearchResult
    from pvtsearch.search.confined import Limits
    from pvtsearch.search.ending import Ending
    from pvtsearch.search.plan import Evaluate, StudyPlan
    from pvtsearch.search.question import Question
    from pvtsearch.search.stored import StoredStudy


@dataclass(frozen=True)
class Work:
    """All that a worker needs to know, in values that can be sent to a process of its own."""

    question: Question
    training: TrainingOptions
    limits: Limits
    folder: Path
    sampler: str
    trials: int
    seed: int
    pruner: str | None
    storage: str | None = field(repr=False)  # a URL, which may hold a password; None: a file in the folder
    study: str

    @property
    def url(self) -> str:
        """Where the study is."""
        return self.storage or f"sqlite:///{self.folder / 'study.db'}"

    @property
    def trains(self) -> bool:
        """Whether an evaluation is a training."""
        return any(goal.name == ACCURACY for goal in self.question.objectives)


def limits_of(timeout: str | None, memory: str | None) -> Limits:
    """Limits of an evaluation as they are written on the command line."""
    from pvtsearch.search.confined import Limits

    return Limits(
        None if timeout is None else values.seconds("--evaluation-timeout", timeout),
        None if memory is None else values.number("--evaluation-memory", memory, values.BYTE_UNITS),
    )


def plan_of(work: Work) -> StudyPlan:
    """What a study of this work evaluates. Raises `InputError` for what cannot be, before any trial."""
    from pvtsearch.search.run import plan_study

    trainer, facts = prepared(work.question, work.training, work.folder) if work.trains else (None, {})
    return plan_study(
        work.question,
        sampler=work.sampler,
        trials=work.trials,
        seed=work.seed,
        trainer=trainer,
        training=facts,
        pruner=work.pruner,
    )


def evaluator_of(work: Work) -> Evaluate:
    """What evaluates a configuration; made anew in the process that evaluates within limits."""
    return plan_of(work).evaluate


@contextmanager
def study_of(work: Work, plan: StudyPlan) -> Iterator[StoredStudy]:
    """The study in its storage, new or as it stands."""
    from pvtsearch.search.storages import opened
    from pvtsearch.search.stored import open_study

    with opened(work.url) as storage:
        yield open_study(storage, work.study, plan)


@contextmanager
def confined(work: Work, plan: StudyPlan) -> Iterator[StudyPlan]:
    """The plan, its evaluations within limits where there are any."""
    from dataclasses import replace
    from functools import partial

    from pvtsearch.search.confined import Confined

    if not work.limits.given:
        yield plan
        return
    evaluate = Confined(partial(evaluator_of, work), work.limits)
    try:
        yield replace(plan, evaluate=evaluate)
    finally:
        evaluate.end()


def worked(
    work: Work, plan: StudyPlan, study: StoredStudy, ending: Ending, changed: Callable[[], None] = lambda: None
) -> None:
    """Evaluate in this process until the study is done; changed: told of every record."""
    from pvtsearch.search.study import run_study

    with confined(work, plan) as within:
        run_study(study, within, lambda _record: changed(), ending)


def tried(work: Work, plan: StudyPlan, workers: int | None) -> SearchResult:
    """What the study has found when it is done: by this process, or by so many that it starts."""
    from pvtsearch.cli.crew import supervised
    from pvtsearch.search.ending import graceful
    from pvtsearch.search.run import found_by

    if work.storage is None:
        leave_begun(work, plan)
    with study_of(work, plan) as study:
        watched = Watched(study, plan.question.objectives, plan.trials)
        with live(f"searching {plan.question.problem.space.name}", watched) as changed, graceful() as ending:
            if workers is None:
                worked(work, plan, study, ending, changed)
            else:
                supervised(work, study, workers, ending, changed)
        return found_by(plan, study, {"command": command_line()})


def leave_begun(work: Work, plan: StudyPlan) -> None:
    """Write what `pvtsearch report` needs to follow a search whose trials are in its folder."""
    from pvtsearch.report.stored import Stored, write_stored
    from pvtsearch.search.unfinished import begun

    write_stored(Stored(begun(plan, {"command": command_line()}), work.study), work.folder)
