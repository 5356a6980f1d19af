"""What a network costs, as one value: by stage, by operator and beside other networks. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.metrics import METRICS
from pvtsearch.config import ImageSize, ModelConfig, Task, height_and_width
from pvtsearch.errors import ConfigError


@dataclass(frozen=True)
class Profile:
    """Cost of one network, for ONE image. stages + head == total; `against` holds ratios to other networks."""

    name: str
    image_size: ImageSize
    task: Task
    params: int
    macs: int
    params_by_stage: tuple[int, ...]
    macs_by_stage: tuple[int, ...]
    head: Mapping[str, int]
    by_operator: Mapping[str, int]
    against: Mapping[str, Mapping[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """The entry of this network in `pvtsearch profile --format json`."""
        entry: dict[str, Any] = {
            "name": self.name,
            "params": self.params,
            "macs": self.macs,
            "params_by_stage": list(self.params_by_stage),
            "macs_by_stage": list(self.macs_by_stage),
            "head": dict(self.head),
            "by_operator": dict(self.by_operator),
        }
        if self.against:
            entry["against"] = {name: dict(ratios) for name, ratios in self.against.items()}
        return entry


def profile(
    config: ModelConfig,
    *,
    image_size: int | ImageSize | None = None,
    task: Task = "classification",
    against: Sequence[ModelConfig] = (),
) -> Profile:
    """What config costs, and its ratios against other networks.

    image_size: a side or (height, width), by default the network's own. Raises `ConfigError` where the input is too
    small for a network, or two of `against` share a name.
    """
    size = height_and_width(config.image_size if image_size is None else image_size)
    if len({other.name for other in against}) < len(against):
        raise ConfigError(f"against: two networks share a name, got {', '.join(other.name for other in against)}")
    cost = network_cost(config, size, task)
    total = cost.total
    return Profile(
        name=config.name,
        image_size=size,
        task=task,
        params=total.params,
        macs=total.macs,
        params_by_stage=tuple(stage.params for stage in cost.stages),
        macs_by_stage=tuple(stage.macs for stage in cost.stages),
        head={"params": cost.head.params, "macs": cost.head.macs},
        by_operator=total.by_operator(),
        against={other.name: _ratios(config, other, size, task) for other in against},
    )


def _ratios(config: ModelConfig, other: ModelConfig, image_size: ImageSize, task: Task) -> dict[str, float]:
    own, theirs = (network_cost(each, image_size, task).total for each in (config, other))
    return {name: metric.of_layers(own) / metric.of_layers(theirs) for name, metric in METRICS.items()}
