"""Every accuracy signal: its score of a configuration, higher is better, and its card. No torch until one is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from pvtsearch.accuracy import prior
from pvtsearch.accuracy.cards import Card, card
from pvtsearch.accuracy.frame import Frame
from pvtsearch.config import PVTConfig
from pvtsearch.errors import ScoreError
from pvtsearch.models.pit_config import PiTConfig

Candidate: TypeAlias = PVTConfig | PiTConfig
Scorer: TypeAlias = Callable[[Candidate, Frame], float]

_NOT_ACCURACY = "higher is better. A score, not an accuracy."
_PASSES = "from random images and fresh weights, seed 0;"
_NO_PVT = "No PVT was in the table; PiT is the nearest pyramid with public ground truth."
_SPACE = (
    "At equal MACs such scores change sign between spaces and recipes: validate it on networks of your own "
    "(pvtsearch validate), or take it for one vote among several."
)


@dataclass(frozen=True)
class StageScores:
    """A score that is a sum over stages, for the exact search: parts of a stage (from 0) from its options' numbers.

    A part times `scale` is rounded to an integer, once per stage; with a scale of 1 and whole parts nothing is lost.
    """

    of_columns: Callable[[int, Mapping[str, Any], Frame], Any]
    scale: int


@dataclass(frozen=True)
class Signal:
    """A score and what is known of it; `by_stage` only where the score is a sum over stages.

    compares: it is relative to published networks, and there is none where nothing is published to compare with.
    """

    score: Scorer
    card: Card
    by_stage: StageScores | None = None
    compares: bool = False


def _prior_of_stages(index: int, columns: Mapping[str, Any], frame: Frame) -> Any:
    if frame.published is None:
        raise ScoreError("the prior compares with published pyramids, and there are none of these stages and MACs")
    return prior.stage_score(columns["depth"], columns["embed_dim"], columns["mlp_ratio"], frame.published[index])


def _width_sum(config: Candidate, _frame: Frame) -> float:
    return prior.width_sum_of(config)


def _width_sum_of_stages(_index: int, columns: Mapping[str, Any], _frame: Frame) -> Any:
    return prior.width_sum(columns["depth"], columns["embed_dim"])


def _untrained(name: str, config: Candidate, frame: Frame) -> float:
    """A zero-cost score; torch comes with the first one that is asked for."""
    from pvtsearch.accuracy.untrained import untrained_score

    return untrained_score(name, config, frame)


def _zero_cost(name: str, meaning: str, *caveats: str) -> Signal:
    text = f"{meaning}, {_PASSES} {_NOT_ACCURACY}"
    return Signal(partial(_untrained, name), card(name, text, *caveats, _NO_PVT, _SPACE))


SIGNALS: dict[str, Signal] = {
    "prior": Signal(
        prior.prior_score,
        card(
            "prior",
            "Sum over stages of the published width x depth at the same MACs, times how far a stage goes beyond it in "
            "width, depth and MLP ratio together; higher is better. A prior, not an accuracy.",
            "It is one of about 140 forms that were looked at on this same table, and comes from S, the sum of widths "
            "over all blocks, that was one of about 20: its figures flatter it.",
            _NO_PVT,
            "It holds that published proportions are near the best ones, which nothing measured says. Outside the "
            "envelope around the published PVT networks it is an extrapolation.",
        ),
        StageScores(_prior_of_stages, scale=1),
        compares=True,
    ),
    "width_sum": Signal(
        _width_sum,
        card(
            "width_sum",
            "S, the sum of embed_dim over all blocks; higher is better. A count, not an accuracy.",
            "S was picked on this same table, after looking at about 20 scores: its figures flatter it.",
            _NO_PVT,
            "Its maximum lies in a corner, the greatest depths and the smallest MLP ratios that are allowed: it orders "
            "networks that people designed, and is not to be maximised over a space.",
        ),
        StageScores(_width_sum_of_stages, scale=1),
    ),
    "zen": _zero_cost(
        "zen",
        "Zen score: how far features move when images do",
        "Made for convolutions with batch norm; layer norms take away the scale that it measures.",
    ),
    "snip": _zero_cost(
        "snip", "SNIP: the sum of |weight x gradient of the loss|", "It grows with the number of weights, as they do."
    ),
    "grad_norm": _zero_cost(
        "grad_norm", "GradNorm: the sum over layers of the gradient's norm", "It follows depth and initialisation."
    ),
    "synflow": _zero_cost(
        "synflow",
        "SynFlow: the log of the sum of weight x gradient in the network of absolute values",
        "It follows depth and initialisation: other initial weights give another order.",
    ),
    "zico": _zero_cost(
        "zico",
        "ZiCo: the sum over layers of the log of the gradients' mean over their deviation",
        "It grows with the number of layers first of all.",
    ),
    "naswot": _zero_cost(
        "naswot",
        "NASWOT: how differently activations tell images apart",
        "It counts activations, so that it prefers wide MLPs on large grids.",
    ),
}
