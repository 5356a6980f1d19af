"""The metrics a budget can limit and a search can minimise, each in one entry of `METRICS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, assert_never, get_args

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.layers import LayerCost
from pvtsearch.analysis.peak import inference_peak_bytes, training_peak_bytes
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.spans import Tape
from pvtsearch.analysis.stage_memory import inference_head, inference_stage, training_head, training_stage
from pvtsearch.config import ImageSize, ModelConfig, NetworkTask, PVTConfig, Task
from pvtsearch.errors import BudgetError, InputError
from pvtsearch.geometry import Number
from pvtsearch.records import Direction

if TYPE_CHECKING:
    from pvtsearch.analysis.calibration import Calibration
    from pvtsearch.analysis.parts import Algebra


@dataclass(frozen=True)
class SumMetric:
    """A cost that the stages and the head of a network add up to. `asked_as` is what people write for it."""

    name: str
    asked_as: str
    label: str
    unit: str
    of_layers: Callable[[LayerCost], Number]
    direction: Direction = "minimize"
    combine: Literal["sum"] = "sum"


@dataclass(frozen=True)
class PeakMetric:
    """The most bytes held at once, in the circumstances of a `MemorySetting`: of a network, a PVT's stage, its head.

    Stages compose as `combine` says. `of_stage` and `of_head` take what `stage_memory` documents.
    """

    name: str
    asked_as: str
    label: str
    unit: str
    combine: Literal["peak", "round_trip"]
    of_network: Callable[[ModelConfig, ImageSize, NetworkTask, MemorySetting], int]
    of_stage: Callable[..., Tape]
    of_head: Callable[..., Tape]
    tasks: tuple[NetworkTask, ...]
    direction: Direction = "minimize"

    def known_task(self, task: Task) -> NetworkTask:
        """The task; raises `InputError` where there is no closed form for it."""
        for known in self.tasks:
            if known == task:
                return known
        raise InputError(f"{self.asked_as} is known for {' and '.join(self.tasks)} only, got the task {task}")


@dataclass(frozen=True)
class PredictedMetric:
    """A latency that stages and head add up to, predicted by what was measured on a device: a `Calibration`."""

    name: str
    asked_as: str
    label: str
    unit: str
    direction: Direction = "minimize"
    combine: Literal["sum"] = "sum"


Metric: TypeAlias = SumMetric | PeakMetric | PredictedMetric

METRICS: dict[str, Metric] = {
    "params": SumMetric("params", "params", "params", "", lambda cost: cost.params),
    "macs": SumMetric("macs", "macs", "MACs", "for one image", lambda cost: cost.macs),
    "inference_peak_bytes": PeakMetric(
        "inference_peak_bytes", "inference_memory", "memory", "for the whole batch", "peak",
        inference_peak_bytes, inference_stage, inference_head, get_args(NetworkTask),
    ),
    "training_peak_bytes": PeakMetric(
        "training_peak_bytes", "training_memory", "training memory", "for the whole batch", "round_trip",
        training_peak_bytes, training_stage, training_head, ("classification",),
    ),
    "latency_ns": PredictedMetric("latency_ns", "latency", "predicted latency", "for the whole batch"),
}  # fmt: skip

OF_TRAINING = ("autocast", "optimizer")  # of a MemorySetting, what means nothing to a forward pass
OF_DEVICES = ("backend", "compute_capability")  # and to the CPU, which is the default

SUMS: dict[str, SumMetric] = {name: metric for name, metric in METRICS.items() if isinstance(metric, SumMetric)}
ASKED_AS: dict[str, str] = {metric.asked_as: name for name, metric in METRICS.items()}


@dataclass(frozen=True)
class Costing:
    """Which metrics are computed of every network, in this order, and the circumstances that memory is computed for.

    calibration: what latency is predicted from. Raises `BudgetError` for an unknown metric, and for latency without it.
    """

    metrics: tuple[str, ...] = tuple(SUMS)
    setting: MemorySetting = field(default_factory=MemorySetting)
    calibration: Calibration | None = None

    def __post_init__(self) -> None:
        for name in self.metrics:
            if name not in METRICS:
                raise BudgetError(f"no metric is called {name}, known are {', '.join(METRICS)}")
        if "latency_ns" in self.metrics and self.calibration is None:
            raise BudgetError("latency is predicted from a calibration, and none is given: see 'pvtsearch calibrate'")

    @property
    def predicted(self) -> Calibration:
        """What latency is predicted from; only where it is among the metrics."""
        if self.calibration is None:
            raise TypeError("no metric of this costing is predicted")
        return self.calibration

    @property
    def entries(self) -> tuple[Metric, ...]:
        """The metrics themselves."""
        return tuple(METRICS[name] for name in self.metrics)

    @property
    def peaks(self) -> tuple[PeakMetric, ...]:
        """Those that depend on the setting."""
        return tuple(metric for metric in self.entries if isinstance(metric, PeakMetric))

    @property
    def circumstances(self) -> dict[str, Any]:
        """What of the setting the metrics depend on, by name; nothing where memory is not computed."""
        if not self.peaks:
            return {}
        of_others: tuple[str, ...] = () if any(metric.combine == "round_trip" for metric in self.peaks) else OF_TRAINING
        if self.setting.backend == "cpu":
            of_others += OF_DEVICES
        return {name: value for name, value in asdict(self.setting).items() if name not in of_others}

    @cached_property
    def algebra(self) -> Algebra:
        """How their parts concatenate over stages."""
        from pvtsearch.analysis.parts import Algebra  # late: one network in closed form needs no numpy

        return Algebra(tuple(metric.combine for metric in self.entries))

    def check_task(self, task: Task) -> None:
        """Raise `InputError` where one of the metrics has no closed form for task."""
        for metric in self.peaks:
            metric.known_task(task)

    def check_latency(self, image_size: ImageSize, task: Task) -> None:
        """Raise `InputError` where latency is among the metrics and its calibration is of another input or task."""
        if "latency_ns" in self.metrics:
            self.predicted.check_input(image_size, task)


def costing_with(names: Iterable[str], setting: MemorySetting, calibration: Calibration | None = None) -> Costing:
    """Every metric in closed form that sums, and of the others those named; in the order of `METRICS`."""
    wanted = {*SUMS, *names}
    metrics = tuple(name for name in dict.fromkeys((*METRICS, *wanted)) if name in wanted)
    return Costing(metrics, setting, calibration)


def every_metric(task: Task, setting: MemorySetting) -> Costing:
    """All metrics that have a closed form for task."""
    peaks = (metric for metric in METRICS.values() if isinstance(metric, PeakMetric))
    return costing_with([metric.name for metric in peaks if task in metric.tasks], setting)


def analytic_cost(
    config: ModelConfig, image_size: ImageSize, task: Task = "classification", costing: Costing | None = None
) -> dict[str, int]:
    """The metrics of costing (by default all in closed form that sum) of a network at an input of (height, width).

    Raises `BudgetError` for the latency of a network that is no PVT: that is measured, never predicted.
    """
    costing = costing or Costing()
    costing.check_latency(image_size, task)
    layers = network_cost(config, image_size, task).total
    return {metric.name: _of_network(metric, config, layers, image_size, task, costing) for metric in costing.entries}


def _of_network(
    metric: Metric, config: ModelConfig, layers: LayerCost, image_size: ImageSize, task: Task, costing: Costing
) -> int:
    match metric:
        case SumMetric():
            return int(metric.of_layers(layers))
        case PeakMetric():
            return metric.of_network(config, image_size, metric.known_task(task), costing.setting)
        case PredictedMetric():
            if not isinstance(config, PVTConfig):
                raise BudgetError(f"{config.name}: latency is predicted for PVT only")
            return costing.predicted.model.network_ns(config)
        case _:
            assert_never(metric)
