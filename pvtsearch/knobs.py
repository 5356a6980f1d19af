"""The knobs of one stage, the stages they can make, and the rules between and on stages."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from pvtsearch.config import Attention, SpatialReduction, StageConfig
from pvtsearch.errors import ConfigError, SpaceError

Trend: TypeAlias = Literal["nondecreasing", "nonincreasing", "increasing", "decreasing"]
RuledKnob: TypeAlias = Literal["patch_size", "embed_dim", "depth", "num_heads", "head_dim", "mlp_ratio", "sr_ratio"]
StageMetric: TypeAlias = Literal["params", "macs", "latency"]
Rows: TypeAlias = NDArray[np.int64]

_TREND_HOLDS: dict[Trend, Callable[[Any, Any], bool]] = {
    "nondecreasing": operator.le,
    "nonincreasing": operator.ge,
    "increasing": operator.lt,
    "decreasing": operator.gt,
}


@dataclass(frozen=True)
class TrendRule:
    """A knob that must rise or fall from each stage to the next. A stage without the knob breaks no rule on it."""

    knob: RuledKnob
    trend: Trend

    def holds(self, before: Any, after: Any) -> bool:
        """Whether two neighbouring stages with these values may follow each other."""
        return before is None or after is None or _TREND_HOLDS[self.trend](before, after)

    def __str__(self) -> str:
        return f"{self.knob} {self.trend}"


@dataclass(frozen=True)
class ShareRule:
    """A bound on the share of the budget's limit that one stage takes; it needs a budget on that metric."""

    stage: int  # counted from 1, as people write it
    metric: StageMetric
    bound: Literal["<=", ">="]
    share: float

    def __str__(self) -> str:
        return f"stage {self.stage}: {self.metric} {self.bound} {self.share} budget"


Rule: TypeAlias = TrendRule | ShareRule


@dataclass(frozen=True)
class StageKnobs:
    """Values of the knobs of one stage. Heads are given by `num_heads` or by `head_dim`, never both."""

    patch_size: tuple[int, ...]
    embed_dim: tuple[int, ...]
    depth: tuple[int, ...]
    mlp_ratio: tuple[float, ...]
    attention: tuple[Attention, ...]
    num_heads: tuple[int, ...] = ()
    head_dim: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if bool(self.num_heads) == bool(self.head_dim):
            raise SpaceError("a stage needs num_heads or head_dim, exactly one of them")
        for name, values in self.by_name().items():
            if not values:
                raise SpaceError(f"{name} needs at least one value")
            if len(set(values)) < len(values):
                raise SpaceError(f"{name} must not repeat a value, got {list(values)}")

    def by_name(self) -> dict[str, tuple[Any, ...]]:
        """Knob names and values, in the order in which a stage is decided."""
        heads = {"num_heads": self.num_heads} if self.num_heads else {"head_dim": self.head_dim}
        return {
            "patch_size": self.patch_size,
            "embed_dim": self.embed_dim,
            "depth": self.depth,
            **heads,
            "mlp_ratio": self.mlp_ratio,
            "attention": self.attention,
        }

    def stage(self, values: Mapping[str, Any]) -> StageConfig:
        """The stage that takes these values; raises `ConfigError` where they break a law."""
        heads = values.get("num_heads")
        if heads is None:
            if values["embed_dim"] % values["head_dim"]:
                raise ConfigError(
                    f"head_dim must divide embed_dim, got head_dim={values['head_dim']}, "
                    f"embed_dim={values['embed_dim']}"
                )
            heads = values["embed_dim"] // values["head_dim"]
        return StageConfig(
            values["patch_size"],
            values["embed_dim"],
            values["depth"],
            heads,
            values["mlp_ratio"],
            values["attention"],
        )


@dataclass(frozen=True)
class StageOptions:
    """Every stage that the knobs can make, one per row; `knobs` hold the index of each knob's value."""

    stages: tuple[StageConfig, ...]
    knobs: Mapping[str, Rows]
    groups: tuple[tuple[StageConfig, Rows], ...]  # a representative and the rows that leave the same state behind

    @cached_property
    def columns(self) -> dict[str, NDArray[Any]]:
        """The stages' numbers as arrays over rows."""
        names = ("patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "mlp_width")
        return {name: np.array([getattr(stage, name) for stage in self.stages]) for name in names}

    @cached_property
    def attentions(self) -> tuple[tuple[Attention, ...], Rows]:
        """The attentions that occur, and which of them each row has."""
        known = {attention: place for place, attention in enumerate({stage.attention: None for stage in self.stages})}
        return tuple(known), np.array([known[stage.attention] for stage in self.stages], dtype=np.int64)


def ruled_value(stage: StageConfig, knob: RuledKnob) -> Any:
    """The value that a rule on knob compares; None where the stage has no such knob."""
    if knob == "sr_ratio":
        return stage.attention.sr_ratio if isinstance(stage.attention, SpatialReduction) else None
    return getattr(stage, knob)


KNOWN_TRENDS = get_args(Trend)
KNOWN_RULED_KNOBS = get_args(RuledKnob)
KNOWN_STAGE_METRICS = get_args(StageMetric)
