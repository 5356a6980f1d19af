"""Networks in the order of a supernet, once that order was held against networks trained on their own.

Published supernets often order networks no better than chance: their accuracies are of shared, undertrained weights.
So an order is given only where it was compared, and agreed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pvtsearch.accuracy.agreement import Estimate, agreement
from pvtsearch.config import PVTConfig
from pvtsearch.errors import InputError, Untrusted

FEWEST = 8


@dataclass(frozen=True)
class Compared:
    """A network trained on its own, beside what it reached with inherited weights; top-1 in percent."""

    config: PVTConfig
    inherited_percent: float
    stand_alone_percent: float


@dataclass(frozen=True)
class Ranking:
    """Networks, the best by inherited weights first, and the agreement that allows for it."""

    order: tuple[PVTConfig, ...]
    tau: Estimate
    compared: int


def ranking(inherited: Sequence[tuple[PVTConfig, float]], compared: Sequence[Compared], *, seed: int = 0) -> Ranking:
    """Networks by their accuracies with inherited weights.

    Raises `InputError` with fewer than `FEWEST` different networks trained on their own, `Untrusted` where the lower
    end of the 95 % interval of Kendall's tau between the two accuracies is not above 0.
    """
    different = len({each.config for each in compared})
    if different < FEWEST:
        raise InputError(
            f"a supernet ranks once {FEWEST} networks were trained on their own beside it, got {different}: train "
            f"{FEWEST - different} more"
        )
    tau = agreement(
        [each.inherited_percent for each in compared],
        [each.stand_alone_percent for each in compared],
        np.ones(len(compared)),
        seed=seed,
    ).tau
    if not tau.lower > 0:
        raise Untrusted(
            f"this supernet's order is not to be trusted: on {len(compared)} networks trained on their own its Kendall "
            f"tau is {tau.value:.2f} [{tau.lower:.2f}, {tau.upper:.2f}], and the interval reaches 0"
        )
    order = sorted(inherited, key=lambda each: -each[1])
    return Ranking(tuple(config for config, _ in order), tau, len(compared))
