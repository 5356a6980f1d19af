"""A comparison of networks as values: costs, curves over the input's side, and what is known of devices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.calibration import Calibration, DevicePeaks, in_words
from pvtsearch.analysis.device_records import DeviceRecords
from pvtsearch.analysis.peak import inference_peak_bytes
from pvtsearch.analysis.recorded import recorded
from pvtsearch.analysis.roofline import RooflineRow, roofline
from pvtsearch.analysis.scaling import Curve, common_sides
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import ImageSize, ModelConfig, NetworkTask, PVTConfig, is_dense
from pvtsearch.report.networks import (
    Circumstances,
    ComparedNetwork,
    compared_network,
    distinctly_named,
    with_measured,
)


@dataclass(frozen=True)
class DeviceView:
    """A calibration as it concerns some networks, each by its name; times are of a whole batch."""

    device: str
    setting: str
    peaks: DevicePeaks | None
    stages: Mapping[str, Sequence[RooflineRow]]
    predicted_ns: Mapping[str, int]
    measured_ns: Mapping[str, int]


@dataclass(frozen=True)
class Comparison:
    """Networks beside one another, references last; curves by metric, none where the input is not a free choice."""

    networks: tuple[ComparedNetwork, ...]
    about: Circumstances
    curves: Mapping[str, tuple[Curve, ...]]
    devices: tuple[DeviceView, ...] = ()
    circumstances: Mapping[str, Any] = field(default_factory=dict)

    @property
    def own(self) -> tuple[ComparedNetwork, ...]:
        """The networks that are asked about."""
        return tuple(each for each in self.networks if not each.is_reference)

    @property
    def references(self) -> tuple[ComparedNetwork, ...]:
        """The networks that they are held against."""
        return tuple(each for each in self.networks if each.is_reference)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What every network costs, by metric; of a dense task no memory is known."""
        return tuple(self.networks[0].values) if self.networks else ()

    @property
    def stage_count(self) -> int:
        """The most stages a network has."""
        return max((len(each.shape) for each in self.networks), default=0)


def compared(
    configs: Sequence[ModelConfig],
    about: Circumstances,
    *,
    against: Sequence[ModelConfig] = (),
    records: Mapping[str, DeviceRecords] | None = None,
    calibrations: Sequence[Calibration] = (),
    circumstances: Mapping[str, Any] | None = None,
) -> Comparison:
    """Networks beside one another, and beside those of `against`, for one input.

    A network that is among `against` too is shown once, as what others are held against. records, calibrations: what
    `measure` and `calibrate` left; what is of another input is not used.
    Raises `ConfigError` where the input is too small for a network.
    """
    own = [config for config in configs if config not in against]
    listed = (*own, *against)
    rows = [
        compared_network(name, config, about, is_reference=place >= len(own))
        for place, (name, config) in enumerate(zip(distinctly_named(listed), listed, strict=True))
    ]
    measured = [recorded(row.config, about.image_size, about.task, records or {}) for row in rows]
    networks = tuple(with_measured(row, found) for row, found in zip(rows, measured, strict=True))
    views = (device_view(each, networks) for each in calibrations if _fits(each, about))
    return Comparison(
        networks=networks,
        about=about,
        curves=curves(networks, about),
        devices=tuple(view for view in views if view.predicted_ns or view.measured_ns),
        circumstances=circumstances or {},
    )


def _fits(calibration: Calibration, about: Circumstances) -> bool:
    setting = calibration.setting
    asked = (about.image_size, about.task, about.batch_size, about.dtype)
    return (calibration.image_size, calibration.task, setting.batch_size, setting.dtype) == asked


def device_view(calibration: Calibration, networks: Iterable[ComparedNetwork]) -> DeviceView:
    """What a calibration says of networks: predictions of those that it knows, and what was measured beside it."""
    listed = list(networks)
    known = {
        each.name: each.config
        for each in listed
        if isinstance(each.config, PVTConfig) and calibration.knows(each.config)
    }
    measured = {each.name: calibration.reference_ns(each.config) for each in listed}
    return DeviceView(
        device=calibration.device_name,
        setting=in_words(calibration.setting),
        peaks=calibration.peaks,
        stages={name: roofline(config, calibration) for name, config in known.items()},
        predicted_ns={name: calibration.model.network_ns(config) for name, config in known.items()},
        measured_ns={name: taken for name, taken in measured.items() if taken is not None},
    )


def curves(networks: Sequence[ComparedNetwork], about: Circumstances) -> dict[str, tuple[Curve, ...]]:
    """MACs, and peak memory where it is known, over the sides of a square that all networks can take."""
    sides = common_sides([each.config for each in networks])
    if len(sides) < 2 or not networks:
        return {}
    task, setting = about.task, MemorySetting(batch_size=about.batch_size, dtype=about.dtype)

    def over_sides(quantity: Callable[[ModelConfig, ImageSize], int]) -> tuple[Curve, ...]:
        return tuple(
            Curve(each.name, each.name, tuple(quantity(each.config, (side, side)) for side in sides), sides)
            for each in networks
        )

    found = {"macs": over_sides(lambda config, size: int(network_cost(config, size, task).total.macs))}
    if not is_dense(task):
        found["inference_peak_bytes"] = over_sides(lambda config, size: _peak(config, size, task, setting))
    return found


def _peak(config: ModelConfig, size: ImageSize, task: NetworkTask, setting: MemorySetting) -> int:
    return inference_peak_bytes(config, size, task, setting)
