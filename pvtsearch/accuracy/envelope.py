"""The region in which the prior may be trusted: around the published PVT networks nearest the budget.

Any single score maximised over a wide space ends in a corner. So each stage's width, depth, MLP ratio and share of the
MACs must stay near those of the published networks on either side of the budget, interpolated in log MACs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pvtsearch.accuracy.families import REACH, PublishedStage, pvt_families, reaching, shape_at
from pvtsearch.config import ImageSize, Task
from pvtsearch.errors import InputError

SLACK = 0.25
QUANTITIES = PublishedStage._fields


@dataclass(frozen=True)
class Interval:
    """Lower and upper bound, ends included."""

    lower: float
    upper: float


StageEnvelope = dict[str, Interval]  # QUANTITIES -> interval; macs as a share of the budget's limit


def envelope(macs_limit: int, image_size: ImageSize, task: Task = "classification") -> tuple[StageEnvelope, ...]:
    """Per stage, the interval of each quantity that the prior is trusted in, under a limit on MACs.

    Each family (PVT v1, PVT v2) that reaches the budget, give or take 25 %, is interpolated in log MACs between its two
    networks on either side; the intervals span the families and are widened by 25 %.
    Raises `InputError` where the budget lies outside what was published.
    """
    families = pvt_families(image_size, task)
    known = [shape_at(family, macs_limit) for family in reaching(families, macs_limit)]
    if not known:
        raise _unknown(macs_limit, image_size, task)
    return tuple(_stage_envelope(stages) for stages in zip(*known, strict=True))


def _unknown(macs_limit: int, image_size: ImageSize, task: Task) -> InputError:
    """The error of a budget that is outside what was published, with what would be inside."""
    families = pvt_families(image_size, task)
    smallest = min(family[0].macs for family in families) / (1 + REACH)
    largest = max(family[-1].macs for family in families) * (1 + REACH)
    return InputError(
        f"the prior is known for {smallest / 1e9:.3g} to {largest / 1e9:.3g} GMACs at {image_size[0]}x{image_size[1]} "
        f"(around the published PVT networks), got a limit of {macs_limit / 1e9:.3g} GMACs: give --extrapolate (in "
        "Python extrapolate=True) to use it all the same"
    )


def _stage_envelope(stages: Sequence[PublishedStage]) -> StageEnvelope:
    columns = zip(*stages, strict=True)
    return {
        name: Interval(min(values) * (1 - SLACK), max(values) * (1 + SLACK))
        for name, values in zip(QUANTITIES, columns, strict=True)
    }
