"""Costs and the limits they are held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pvtsearch.errors import BudgetError
from pvtsearch.shown import short

Cost = Mapping[str, int]


@dataclass(frozen=True)
class Budget:
    """Upper limits by metric name, and where they come from.

    `admits` decides; `violations` is for display and for Optuna. Both read the same integers.
    """

    limits: Mapping[str, int] = field(default_factory=dict)
    source: str = "limits given by hand"

    def __post_init__(self) -> None:
        for metric, limit in self.limits.items():
            if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
                raise BudgetError(f"the limit of {metric} must be an integer of at least 1, got {short(limit)}")

    def admits(self, cost: Cost) -> bool:
        """Whether every limited metric of cost is at or below its limit."""
        return all(cost[metric] <= limit for metric, limit in self.limits.items())

    def violations(self, cost: Cost) -> dict[str, float]:
        """Relative overshoot by metric: cost / limit - 1, feasible at 0 and below."""
        return {metric: cost[metric] / limit - 1 for metric, limit in self.limits.items()}

    def tightened(self, limits: Mapping[str, int], source: str) -> Budget:
        """This budget and further limits together: where both limit a metric the smaller wins."""
        merged = dict(self.limits)
        for metric, limit in limits.items():
            merged[metric] = min(limit, merged.get(metric, limit))
        return Budget(merged, f"{self.source}; {source}" if self.limits else source)
