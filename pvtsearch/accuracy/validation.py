"""A signal held against a table of trained networks: the figures of its card."""

from __future__ import annotations

import difflib
import os
import platform
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

from pvtsearch.accuracy.agreement import Agreement, Estimate, agreement, mean_ranks, noise_ceiling
from pvtsearch.accuracy.cards import Ceiling, Validation
from pvtsearch.accuracy.frame import Frame, own_frame
from pvtsearch.accuracy.signals import SIGNALS, Candidate, Scorer
from pvtsearch.accuracy.tables import TrainedTable, network_macs
from pvtsearch.analysis.baselines import network_cost
from pvtsearch.errors import InputError
from pvtsearch.models.pit_config import PiTConfig, pit_cost

DECIMALS = 4


def _params(config: Candidate, frame: Frame) -> float:
    if isinstance(config, PiTConfig):
        return float(pit_cost(config, frame.image_size).params)
    return float(network_cost(config, frame.image_size, "classification").total.params)


def _macs(config: Candidate, _frame: Frame) -> float:
    return network_macs(config)


# What any signal has to beat: not signals themselves, for a search keeps costs low.
COUNTS: dict[str, Scorer] = {"params": _params, "macs": _macs}


def scorer(name: str) -> Scorer:
    """The signal, or the count, called name. Raises `InputError` that names the nearest one known."""
    if name in SIGNALS:
        return SIGNALS[name].score
    if name in COUNTS:
        return COUNTS[name]
    known = (*SIGNALS, *COUNTS)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
    raise InputError(f"{name}: no signal, {hint}")


def scores_of(
    name: str, table: TrainedTable, on_network: Callable[[int], None] = lambda _count: None
) -> tuple[list[float], list[float]]:
    """The score of each network of a table, and the seconds each took; each as under a budget of its own MACs."""
    score, scores, seconds = scorer(name), list[float](), list[float]()
    for count, (config, macs) in enumerate(zip(table.networks, table.macs(), strict=True), start=1):
        start = time.perf_counter()
        scores.append(float(score(config, own_frame(config, macs))))
        seconds.append(time.perf_counter() - start)
        on_network(count)
    return scores, seconds


def validate(
    name: str,
    table: TrainedTable,
    *,
    trainings: tuple[str, str] | None = None,
    seed: int = 0,
    on_network: Callable[[int], None] = lambda _count: None,
) -> Validation:
    """Agreement of a signal with the mean rank over a table's accuracies, and with each of them.

    trainings: two columns that are trainings of one task, whose agreement is the noise ceiling. seed: of the bootstrap.
    Raises `InputError` for an unknown signal or column, `ScoreError` where a network has no score.
    """
    ceiling = None if trainings is None else _ceiling(table, trainings, seed)
    scores, seconds = scores_of(name, table, on_network)
    macs = table.macs()
    found = agreement(scores, mean_ranks(list(table.accuracies.values())), macs, seed=seed)
    alone = {column: agreement(scores, values, macs, seed=seed) for column, values in table.accuracies.items()}
    return Validation(
        table=table.source,
        sha256=table.sha256,
        networks=found.networks,
        accuracies=tuple(table.accuracies),
        tau=_rounded(found.tau.value),
        tau_interval=_interval(found.tau),
        pairs=found.pairs,
        pair_percent=_rounded(found.pair_percent.value),
        pair_interval_percent=_interval(found.pair_percent),
        by_column={column: _figures(values) for column, values in alone.items()},
        ceiling=ceiling,
        seconds_per_network=float(f"{median(seconds):.2g}"),
        circumstances=_circumstances(seed),
        command=_command(name, table, trainings, seed),
    )


def _ceiling(table: TrainedTable, trainings: tuple[str, str], seed: int) -> Ceiling:
    for column in trainings:
        if column not in table.accuracies:
            raise InputError(f"--ceiling {column}: no column of accuracies, there are {', '.join(table.accuracies)}")
    first, second = (table.accuracies[column] for column in trainings)
    found = noise_ceiling(first, second, table.macs(), seed=seed)
    return Ceiling(trainings, *_figures(found), _interval(found.pair_percent))


def _figures(found: Agreement) -> tuple[float, float]:
    return _rounded(found.tau.value), _rounded(found.pair_percent.value)


def _interval(estimate: Estimate) -> tuple[float, float]:
    return _rounded(estimate.lower), _rounded(estimate.upper)


def _rounded(value: float) -> float:
    return round(value, DECIMALS)


def _circumstances(seed: int) -> dict[str, Any]:
    """What the figures depend on beside the table: the bootstrap's seed, and torch where it took part."""
    torch = sys.modules.get("torch")
    used = {} if torch is None else {"torch": str(torch.__version__), "threads": torch.get_num_threads()}
    return {"seed": seed, "python": platform.python_version(), "machine": platform.machine(), **used}


def _command(name: str, table: TrainedTable, trainings: Sequence[str] | None, seed: int) -> str:
    """The command that makes these figures again, the table by its file name alone."""
    parts: Iterable[str] = ("pvtsearch", "validate", name, "--table", os.path.basename(table.name))
    options = ["--accuracy", ",".join(table.accuracies)]
    options += ["--ceiling", ",".join(trainings)] if trainings else []
    options += ["--seed", str(seed)] if seed else []
    return shlex.join([*parts, *options])
