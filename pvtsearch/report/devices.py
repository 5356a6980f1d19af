"""What `measure` and `calibrate` left in a folder, as a page shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, get_args

from pvtsearch.analysis.calibration import Calibration, Role, in_words
from pvtsearch.analysis.device_records import DeviceRecords
from pvtsearch.config import ModelConfig
from pvtsearch.report.bars import Part, Row, Rows, dotted
from pvtsearch.report.comparison import Comparison, DeviceView, device_view
from pvtsearch.report.comparison_figures import predicted_latency, rooflines
from pvtsearch.report.drawing import Drawing
from pvtsearch.report.latency_wording import errors_in_words
from pvtsearch.report.networks import Circumstances, ComparedNetwork, compared_network
from pvtsearch.report.plane import Dots, Spot, drawn
from pvtsearch.report.quantities import plural, readable
from pvtsearch.report.static_figures import NS_PER_MS, predicted_plane
from pvtsearch.report.wording import FactRow
from pvtsearch.report.wording import in_words as value_in_words

MIB = 2**20


class Setting(NamedTuple):
    """What makes durations comparable: the device, the input, and how a network is run."""

    device: str
    task: str
    height: int
    width: int
    batch_size: int
    dtype: str
    mode: str
    execution: str

    def __str__(self) -> str:
        how = f"{self.dtype}, batch {self.batch_size}, {self.execution}"
        return f"{self.mode} of {self.task} at {self.height} × {self.width}, {how}"


@dataclass(frozen=True)
class MeasuredRow:
    """One measurement, by the names of its columns, with the device's name and the date."""

    setting: Setting
    values: Mapping[str, Any]
    date: str


@dataclass(frozen=True)
class Calibrated:
    """A calibration with its figures; `view` is of the published networks that were measured beside."""

    calibration: Calibration
    view: DeviceView
    claims: tuple[str, ...]
    facts: tuple[FactRow, ...]
    figures: Mapping[str, Drawing]

    @property
    def title(self) -> str:
        """The device and the space that was measured."""
        return f"{self.calibration.device_name}, {self.calibration.space}"


@dataclass(frozen=True)
class Devices:
    """All that a folder holds: measurements, their figures by setting, and calibrations."""

    measured: tuple[MeasuredRow, ...]
    figures: Mapping[str, Drawing]
    calibrated: tuple[Calibrated, ...]
    circumstances: Mapping[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        """The devices, each once."""
        found = [*(row.setting.device for row in self.measured), *(c.calibration.device_name for c in self.calibrated)]
        return tuple(dict.fromkeys(found))


def devices(
    records: Mapping[str, DeviceRecords], calibrations: Sequence[Calibration], circumstances: Mapping[str, Any]
) -> Devices:
    """What is shown of the records and calibrations of a folder."""
    measured = tuple(measured_rows(records))
    calibrated = tuple(calibrated_of(number, each) for number, each in enumerate(calibrations, start=1))
    return Devices(measured, latency_figures(measured), calibrated, circumstances)


def measured_rows(records: Mapping[str, DeviceRecords]) -> list[MeasuredRow]:
    """Every measurement of every device, in the order in which it was added."""
    found = []
    for device in records.values():
        for row in device.rows:
            about = device.runs[row["run"]]["circumstances"]
            setting = Setting(
                str(about["device"]), row["task"], row["height"], row["width"], row["batch_size"], row["dtype"],
                row["mode"], row["execution"],
            )  # fmt: skip
            found.append(MeasuredRow(setting, row, str(about["date"])[:10]))
    return found


def latency_figures(measured: Sequence[MeasuredRow]) -> dict[str, Drawing]:
    """A figure for every setting in which something was measured: the newest median of each network."""
    groups: dict[Setting, dict[str, MeasuredRow]] = {}
    for row in measured:
        if row.values["median_ms"] is not None:
            groups.setdefault(row.setting, {})[row.values["name"]] = row
    drawings = {}
    for number, (setting, rows) in enumerate(groups.items(), start=1):
        lines = sorted((_line(row) for row in rows.values()), key=lambda line: line.parts[0].value)
        title = f"Latency, {setting.device}"
        drawings[f"latency-{number}"] = dotted(Rows(f"latency-{number}", title, f"{setting}.", "ms", lines))
    return drawings


def _line(row: MeasuredRow) -> Row:
    name, median, low, high = (row.values[key] for key in ("name", "median_ms", "low_ms", "high_ms"))
    words = f"{name}: {median:.4g} ms, 95 % interval {low:.4g} to {high:.4g}"
    return Row(name, (Part(1, median, words),), f"{median:.4g} ms", (low, high))


def calibrated_of(number: int, calibration: Calibration) -> Calibrated:
    """A calibration with the published networks that were measured beside its parts."""
    about = Circumstances(
        calibration.image_size, calibration.task, calibration.setting.batch_size, calibration.setting.dtype
    )
    configs: list[ModelConfig] = [row.subject.config for row in calibration.of_role("reference")]
    networks = tuple(compared_network(config.name, config, about) for config in configs)
    view = device_view(calibration, networks)
    return Calibrated(
        calibration,
        view,
        claims_of(calibration),
        facts_of(calibration),
        dict(_figures(number, calibration, networks, view, about)),
    )


def _figures(
    number: int, calibration: Calibration, networks: tuple[ComparedNetwork, ...], view: DeviceView, about: Circumstances
) -> list[tuple[str, Drawing]]:
    """Measured latency of published networks, predicted beside measured, predicted by stage, and the roofline."""
    found = []
    if view.measured_ns:
        slowest_last = sorted(view.measured_ns.items(), key=lambda each: each[1])
        lines = [_median(name, taken) for name, taken in slowest_last]
        found.append(dotted(Rows("published", "Measured latency", "Published networks, median.", "ms", lines)))
    if calibration.held_out:
        spots = [
            Spot(
                h.predicted_ns / NS_PER_MS,
                h.measured_ns / NS_PER_MS,
                f"{h.config.name}: {h.predicted_ns / h.measured_ns - 1:+.1%}",
            )
            for h in calibration.held_out
        ]
        subtitle = "Networks that the model has not seen."
        found.append(drawn(predicted_plane("held-out", "Predicted beside measured", subtitle, [Dots("", 1, spots)])))
    alone = Comparison(networks, about, {}, (view,))
    found += [*predicted_latency(alone), *rooflines(alone)]
    named = [replace(each, name=f"{each.name.removesuffix('-1')}-{number}") for each in found]
    return [(each.name, each) for each in named]


def _median(name: str, taken_ns: int) -> Row:
    return Row(name, (Part(1, taken_ns / NS_PER_MS, f"{name}: {taken_ns:,} ns"),), readable("latency_ns", taken_ns))


def claims_of(calibration: Calibration) -> tuple[str, ...]:
    """What was measured, how steady the machine was, and how far predictions are off; each in a sentence."""
    height, width = calibration.image_size
    count = {role: len(calibration.of_role(role)) for role in get_args(Role)}
    parts = (
        plural(count["alone"], "stage") + " alone",
        plural(count["whole"], "whole network"),
        f"{count['held_out']:,} held out",
        f"{count['reference']:,} published",
    )
    low, high = (f"{1000 * quartile:.1f}" for quartile in calibration.anchor_quartiles)
    found = [
        f"Measured: {', '.join(parts)}; {in_words(calibration.setting)}, {calibration.task} at {height} × {width}.",
        f"The network beside which all were measured took {1000 * calibration.anchor_seconds:.1f} ms; half of the time "
        f"between {low} and {high} ms.",
    ]
    if calibration.errors is not None:
        found.append(errors_in_words(vars(calibration.errors)))
    return tuple(found)


def facts_of(calibration: Calibration) -> tuple[FactRow, ...]:
    """The circumstances of a calibration."""
    said = {"space": calibration.space, "command": calibration.command, **calibration.circumstances}
    if calibration.peaks is not None:
        said["peak arithmetic"] = f"{calibration.peaks.macs_per_second / 1e9:,.1f} GMACs per second"
        said["peak bandwidth"] = f"{calibration.peaks.bytes_per_second / 1e9:,.1f} GB per second"
    rows = (FactRow(name.replace("_", " ").capitalize(), value_in_words(value)) for name, value in said.items())
    return tuple(row for row in rows if row.value)


def headline(found: Devices) -> str:
    """What is known of which devices, in a sentence or two."""
    if not found.names:
        return "Nothing was measured yet: pvtsearch measure and pvtsearch calibrate fill this folder."
    listed = ", ".join(found.names)
    networks = {row.values["name"] for row in found.measured if row.values["median_ms"] is not None}
    parts = [f"{plural(len(networks), 'network')} measured"] if networks else []
    if found.measured and not networks:
        parts.append("no steady number among the measurements")
    if found.calibrated:
        parts.append(plural(len(found.calibrated), "calibration"))
    said = f"{listed}: {' and '.join(parts)}."
    errors = [(c, c.calibration.errors) for c in found.calibrated if c.calibration.errors is not None]
    if errors:
        best, error = min(((each.calibration, e) for each, e in errors), key=lambda pair: pair[1].mape)
        said += (
            f" Predicted latency of {best.space} on {best.device_name} is {100 * error.mape:.1f}\u00a0% off on average "
            f"on {error.count} networks that it has not seen, the worst {100 * error.worst:.1f}\u00a0%."
        )
    return said
