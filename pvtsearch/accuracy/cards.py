"""What is known of an accuracy signal: shown wherever its score is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Validation:
    """Agreement of a signal with trained accuracy on one table of networks.

    tau: Kendall's tau over all pairs. pair_percent: how often the signal orders two networks correctly whose MACs
    differ by less than 10 %, with its 95 % interval where one was computed; 50 is a coin.
    """

    table: str
    networks: str
    tau: float
    pair_percent: float
    pair_interval_percent: tuple[float, float] | None = None


@dataclass(frozen=True)
class Card:
    """A signal in words and figures."""

    signal: str
    meaning: str
    validations: tuple[Validation, ...]
    caveats: tuple[str, ...]
    source: str
