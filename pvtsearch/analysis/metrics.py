"""The metrics a budget can limit and a search can minimise, each in one line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.layers import LayerCost
from pvtsearch.config import ImageSize, ModelConfig, Task
from pvtsearch.geometry import Number
from pvtsearch.records import Direction


@dataclass(frozen=True)
class Metric:
    """A cost in closed form. `combine` tells how the stages' parts make the network's."""

    name: str
    label: str
    unit: str
    direction: Direction
    combine: Literal["sum"]
    of_layers: Callable[[LayerCost], Number]


METRICS: dict[str, Metric] = {
    "params": Metric("params", "params", "", "minimize", "sum", lambda cost: cost.params),
    "macs": Metric("macs", "MACs", "for one image", "minimize", "sum", lambda cost: cost.macs),
}


def analytic_cost(config: ModelConfig, image_size: ImageSize, task: Task = "classification") -> dict[str, int]:
    """Every metric of a network at an input of (height, width), by name."""
    layers = network_cost(config, image_size, task).total
    return {name: int(metric.of_layers(layers)) for name, metric in METRICS.items()}
