"""Where limits come from: a baseline's cost, limits given by hand, and the envelope of the prior."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from pvtsearch.accuracy.envelope import envelope
from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.analysis.calibration import Calibration, in_words
from pvtsearch.analysis.calibration_files import calibrate_command
from pvtsearch.analysis.metrics import ASKED_AS, METRICS, PredictedMetric, analytic_cost, costing_with
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import ImageSize, ModelConfig, Task
from pvtsearch.cost import Budget
from pvtsearch.errors import BudgetError, InputError
from pvtsearch.records import Objective
from pvtsearch.search.problem import StageLimit
from pvtsearch.space import SearchSpace
from pvtsearch.trainings import ACCURACY

DEFAULT_MATCH = ("params", "macs")
DEFAULT_OBJECTIVES = ("prior", "macs")


def baseline_budget(
    config: ModelConfig,
    image_size: ImageSize,
    *,
    task: Task = "classification",
    match: Sequence[str] = DEFAULT_MATCH,
    setting: MemorySetting | None = None,
    calibration: Calibration | None = None,
) -> Budget:
    """The cost of a network in the metrics of match, as limits. setting: what peak memory is computed for.

    Its latency is not predicted: it is what the calibration measured.
    """
    if not match:
        raise BudgetError(f"match needs at least one of {', '.join(ASKED_AS)}")
    for metric in match:
        if metric not in ASKED_AS:
            raise BudgetError(f"{metric}: no metric to match, {_suggest(metric, ASKED_AS)}")
    names = [ASKED_AS[metric] for metric in match]
    costing = costing_with([name for name in names if not _is_predicted(name)], setting or MemorySetting())
    cost = analytic_cost(config, image_size, task, costing)
    cost |= {name: measured_latency(config, image_size, task, calibration) for name in names if _is_predicted(name)}
    circumstances = "".join(f", {name.replace('_', ' ')} {value}" for name, value in costing.circumstances.items())
    if calibration is not None and any(map(_is_predicted, names)):
        circumstances += f", latency measured on {calibration.device_name} ({in_words(calibration.setting)})"
    return Budget(
        {name: cost[name] for name in names},
        f"{config.name} at {image_size[0]}x{image_size[1]}, {task}{circumstances}",
    )


def _is_predicted(name: str) -> bool:
    return isinstance(METRICS[name], PredictedMetric)


def measured_latency(config: ModelConfig, image_size: ImageSize, task: Task, calibration: Calibration | None) -> int:
    """Nanoseconds of a network as a calibration measured them. Raises `BudgetError` where it did not."""
    if calibration is None:
        raise BudgetError("latency is known from a calibration, and none is given: see 'pvtsearch calibrate'")
    calibration.check_input(image_size, task)
    found = calibration.reference_ns(config)
    if found is None:
        command = calibrate_command(calibration.setting, calibration.space, image_size, task)
        known = ", ".join(calibration.references_ns)
        raise BudgetError(
            f"{calibration.file}: {config.name} was not measured (measured are {known or 'none'}); measure it with: "
            f"{command} --references {config.name}"
        )
    return found


def objectives_of(names: Sequence[str]) -> tuple[Objective, ...]:
    """Objectives by name: metrics are minimised, scores of signals maximised."""
    if isinstance(names, str):
        raise InputError(f"objectives: must be a sequence of names, such as ('{names}',), got '{names}'")
    if not names:
        raise InputError(f"objectives: needs at least one of {', '.join((ACCURACY, *SIGNALS, *ASKED_AS))}")
    if len(set(names)) < len(names):
        raise InputError(f"objectives: {', '.join(names)} repeats one")
    return tuple(_objective(name) for name in names)


def _objective(name: str) -> Objective:
    if name in ASKED_AS:
        metric = METRICS[ASKED_AS[name]]
        return Objective(metric.name, metric.direction)
    if name in SIGNALS or name == ACCURACY:
        return Objective(name, "maximize")
    raise InputError(f"objectives: {name}: unknown, {_suggest(name, (ACCURACY, *SIGNALS, *ASKED_AS))}")


def _suggest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known are {', '.join(names)}"


def prior_limits(space: SearchSpace, budget: Budget, image_size: ImageSize, task: Task) -> tuple[StageLimit, ...]:
    """The prior's envelope, outside of which no score is trusted, as limits on stages.

    Raises `InputError` where there is no envelope: no limit on MACs, another number of stages, or a budget that lies
    outside what was published.
    """
    if "macs" not in budget.limits:
        raise InputError(
            "scores are trusted inside the prior's envelope, which needs a limit on MACs: give --budget or "
            "--max-gmacs, or --extrapolate (in Python extrapolate=True) to use them everywhere"
        )
    limit = budget.limits["macs"]
    stages = envelope(limit, image_size, task)
    if len(stages) != len(space.stages):
        raise InputError(
            f"scores are trusted for {len(stages)} stages, the space {space.name} has {len(space.stages)}: "
            "give --extrapolate (in Python extrapolate=True) to use them all the same"
        )
    return tuple(
        StageLimit(index, name, *(bound * (limit if name in METRICS else 1) for bound in (span.lower, span.upper)))
        for index, stage in enumerate(stages)
        for name, span in stage.items()
    )
