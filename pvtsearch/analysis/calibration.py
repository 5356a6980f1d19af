"""What a calibration measured on a device, as values: the model is made from them anew, the file holds no model.

Every group of measurements was taken side by side with one and the same network, the anchor. A machine that was slower
for a while was slower for both, so seconds count as ratios to the anchor, times its median over all groups.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeAlias

from pvtsearch.analysis.latency_model import NS, LatencyModel, Part, fit_model
from pvtsearch.analysis.prediction_errors import PredictionErrors, prediction_errors
from pvtsearch.analysis.timing import TimingSetting
from pvtsearch.config import ImageSize, ModelConfig, PVTConfig, StageConfig, Task
from pvtsearch.errors import InputError
from pvtsearch.space import NETWORK_KNOBS, SearchSpace

LEAST_PARTS = 12  # fewer stages alone say too little of a space
NEAR = 1.5  # a size is far from those measured where it is off by more than this factor: designs miss extremes a little

Role: TypeAlias = Literal["alone", "whole", "held_out", "reference"]


@dataclass(frozen=True)
class Subject:
    """What is measured and what for: `reference` networks are limits and landmarks, `held_out` ones test the model."""

    role: Role
    config: ModelConfig
    place: int | None = None

    @property
    def part(self) -> Part:
        """As the model takes it; a reference may be a network that has no model."""
        if not isinstance(self.config, PVTConfig):
            raise TypeError(self.config.name)
        return Part(self.config, self.place)


@dataclass(frozen=True)
class Measured:
    """Median seconds of a subject, and of the anchor beside it."""

    subject: Subject
    seconds: float
    anchor_seconds: float


@dataclass(frozen=True)
class DevicePeaks:
    """What the device reached in one large matrix product and in one large copy."""

    macs_per_second: float
    bytes_per_second: float


@dataclass(frozen=True)
class HeldOut:
    """A network that the model has not seen."""

    config: PVTConfig
    predicted_ns: int
    measured_ns: int


@dataclass(frozen=True)
class Calibration:
    """All that was measured in one setting for the networks of a space, in the order of measuring.

    circumstances: device name, versions and whatever else describes the machine, in plain values. left_out: what did
    not fit in the device's memory.
    """

    space: str
    setting: TimingSetting
    task: Task
    image_size: ImageSize
    circumstances: Mapping[str, Any]
    design: Mapping[str, Any]
    command: str
    peaks: DevicePeaks | None = None
    anchor: PVTConfig | None = None
    measured: tuple[Measured, ...] = ()
    left_out: tuple[Subject, ...] = ()
    file: str = ""

    @cached_property
    def anchor_seconds(self) -> float:
        """The median of what the anchor took."""
        return statistics.median(row.anchor_seconds for row in self.measured)

    @cached_property
    def anchor_quartiles(self) -> tuple[float, float]:
        """Lower and upper quartile of what the anchor took: how steady the machine was."""
        low, _, high = statistics.quantiles([row.anchor_seconds for row in self.measured], n=4, method="inclusive")
        return low, high

    @property
    def device_name(self) -> str:
        """The device for people."""
        return str(self.circumstances.get("device_name", self.setting.device))

    def seconds(self, row: Measured) -> float:
        """What a subject takes while the anchor takes its median."""
        return row.seconds / row.anchor_seconds * self.anchor_seconds

    def of_role(self, *roles: Role) -> list[Measured]:
        """The rows of some roles."""
        return [row for row in self.measured if row.subject.role in roles]

    @cached_property
    def model(self) -> LatencyModel:
        """The model of stages alone and whole networks; held-out networks take no part.

        Raises `InputError` where too few stages were measured.
        """
        rows = self.of_role("alone", "whole")
        if len(self.of_role("alone")) < LEAST_PARTS:
            fewer = f"{len(self.left_out)} parts did not fit, calibrate at a smaller batch size or input"
            remedy = fewer if self.left_out else f"run it to its end: {self.command}"
            raise InputError(
                f"{self.file}: {len(self.of_role('alone'))} stages measured, a model needs {LEAST_PARTS}: {remedy}"
            )
        return fit_model(
            [row.subject.part for row in rows],
            [self.seconds(row) for row in rows],
            image_size=self.image_size,
            task=self.task,
            batch_size=self.setting.batch_size,
        )

    @cached_property
    def held_out(self) -> tuple[HeldOut, ...]:
        """Networks that the model has not seen, as it predicts them and as they were measured."""
        return tuple(
            HeldOut(row.subject.part.config, self.model.network_ns(row.subject.part.config), self._ns(row))
            for row in self.of_role("held_out")
        )

    @cached_property
    def errors(self) -> PredictionErrors | None:
        """How far the model is off on held-out networks; None where fewer than two were measured."""
        if len(self.held_out) < 2:
            return None
        return prediction_errors([h.predicted_ns for h in self.held_out], [h.measured_ns for h in self.held_out])

    @cached_property
    def range_ns(self) -> tuple[int, int] | None:
        """Least and largest of what whole networks of the space took; None where none was measured."""
        found = [self._ns(row) for row in self.of_role("whole", "held_out")]
        return (min(found), max(found)) if found else None

    @cached_property
    def references_ns(self) -> dict[str, int]:
        """Measured nanoseconds of published networks, by name."""
        return {row.subject.config.name: self._ns(row) for row in self.of_role("reference")}

    def reference_ns(self, config: ModelConfig) -> int | None:
        """Measured nanoseconds of a network; None where it was not measured."""
        return next((self._ns(row) for row in self.of_role("reference") if row.subject.config == config), None)

    def _ns(self, row: Measured) -> int:
        return round(NS * self.seconds(row))

    def check_input(self, image_size: ImageSize, task: Task) -> None:
        """Raise `InputError` for another input or task than what was measured."""
        if (image_size, task) != (self.image_size, self.task):
            raise InputError(
                f"{self.file}: latency was measured for {self.task} at {self.image_size[0]}x{self.image_size[1]}, "
                f"asked for is {task} at {image_size[0]}x{image_size[1]}"
            )

    @cached_property
    def kinds(self) -> frozenset[tuple[Any, type]]:
        """The kinds of pieces that were measured: network-wide parts with a kind of attention."""
        return frozenset(
            (_network_parts(part.config), type(part.config.stages[part.place].attention))
            for part in (row.subject.part for row in self.of_role("alone"))
            if part.place is not None and part.place < len(part.config.stages)
        )

    def covers(self, space: SearchSpace) -> bool:
        """Whether all kinds of pieces that networks of a space have were measured."""
        wanted = {type(attention) for knobs in space.stages for attention in knobs.attention}
        return all((_network_parts(template), kind) in self.kinds for template in space.templates for kind in wanted)

    def knows(self, config: PVTConfig) -> bool:
        """Whether pieces like all of a network's were measured, of sizes that are not far from its own."""
        kinds = {(_network_parts(config), type(stage.attention)) for stage in config.stages}
        measured = _sizes(s for row in self.of_role("alone", "whole") for s in row.subject.part.config.stages)
        near = all(
            measured[name][0] <= least * NEAR and most <= measured[name][1] * NEAR
            for name, (least, most) in _sizes(config.stages).items()
        )
        return kinds <= self.kinds and near


def beyond(calibration: Calibration, space: SearchSpace) -> str:
    """Which sizes of a space's stages are far from all that were measured, in words; empty where none is."""
    parts = [row.subject.part for row in calibration.of_role("alone", "whole")]
    measured = _sizes(stage for part in parts for stage in part.config.stages)
    asked = _sizes(stage for options in space.options for stage in options.stages)
    return ", ".join(
        f"{name} {asked[name][0]:g} to {asked[name][1]:g}, measured are {low:g} to {high:g}"
        for name, (low, high) in measured.items()
        if asked[name][0] * NEAR < low or asked[name][1] > high * NEAR
    )


def _sizes(stages: Iterable[StageConfig]) -> dict[str, tuple[float, float]]:
    """Least and largest of the sizes that a block's time depends on."""
    found = [(each.embed_dim, each.head_dim, each.mlp_ratio) for each in stages]
    names = ("embed_dim", "head_dim", "mlp_ratio")
    return {name: (min(values), max(values)) for name, values in zip(names, zip(*found, strict=True), strict=True)}


def in_words(setting: TimingSetting) -> str:
    """Such as: cpu, float32, batch 8, eager."""
    return f"{setting.device}, {setting.dtype}, batch {setting.batch_size}, {setting.execution}"


def _network_parts(config: PVTConfig) -> tuple[Any, ...]:
    return tuple(getattr(config, name) for name in NETWORK_KNOBS)
