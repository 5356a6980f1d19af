"""What a network costs, as one value: by stage, by operator and beside other networks. No torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.conventions import Convention, stated_operations
from pvtsearch.analysis.peak import PeakMemory, inference_memory, training_memory
from pvtsearch.analysis.setting import Autocast, Backend, Dtype, MemorySetting, Optimizer
from pvtsearch.config import AttentionKernel, ImageSize, ModelConfig, Task, height_and_width, is_dense
from pvtsearch.errors import ConfigError


@dataclass(frozen=True)
class Profile:
    """Cost of one network, for ONE image, and its peak memory in a setting, for the whole batch.

    stages + head == total, of parameters and MACs; `against` holds ratios to other networks. stated_operations: the
    total as the source named by `convention` would state it.
    """

    name: str
    image_size: ImageSize
    task: Task
    params: int
    macs: int
    params_by_stage: tuple[int, ...]
    macs_by_stage: tuple[int, ...]
    head: Mapping[str, int]
    by_operator: Mapping[str, int]
    setting: MemorySetting
    inference: PeakMemory | None  # none for a dense task: that closed form is not there yet
    training: PeakMemory | None
    against: Mapping[str, Mapping[str, float]]
    convention: Convention | None = None
    stated_operations: int | None = None

    @property
    def peaks(self) -> dict[str, PeakMemory]:
        """Peak memory of a pass and of a step, where they are computed, by JSON name."""
        found = {"inference_peak_bytes": self.inference, "training_peak_bytes": self.training}
        return {name: memory for name, memory in found.items() if memory}

    def over(self, other: Profile) -> dict[str, float]:
        """Ratios of this network's totals to those of another in the same circumstances."""
        ratios = {"params": self.params / other.params, "macs": self.macs / other.macs}
        return ratios | {name: peak.peak_bytes / other.peaks[name].peak_bytes for name, peak in self.peaks.items()}

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
        if self.stated_operations is not None:
            entry["stated_operations"] = self.stated_operations
        if self.inference:
            entry["inference_peak_bytes"] = self.inference.peak_bytes
            entry["inference_peak_by_stage"] = [asdict(stage) for stage in self.inference.stages]
        if self.training:
            entry["training_peak_bytes"] = self.training.peak_bytes
            entry["training_peak_by_stage"] = [asdict(stage) for stage in self.training.stages]
        if self.against:
            entry["against"] = {name: dict(ratios) for name, ratios in self.against.items()}
        return entry


def profile(
    config: ModelConfig,
    *,
    image_size: int | ImageSize | None = None,
    task: Task = "classification",
    batch_size: int = 1,
    dtype: Dtype = "float32",
    attention: AttentionKernel = "fused",
    autocast: Autocast = "none",
    optimizer: Optimizer = "adamw",
    memory_backend: Backend = "cpu",
    against: Sequence[ModelConfig] = (),
    convention: Convention | None = None,
) -> Profile:
    """What config costs, and its ratios against other networks.

    image_size: a side or (height, width), by default the network's own. batch_size, dtype, attention, autocast,
    optimizer, memory_backend: what peak memory is computed for. convention: whose total to state beside the MACs.
    Raises `ConfigError` where the input is too small for a network, or two of `against` share a name.
    """
    size = height_and_width(config.image_size if image_size is None else image_size)
    if len({other.name for other in against}) < len(against):
        raise ConfigError(f"against: two networks share a name, got {', '.join(other.name for other in against)}")
    setting = MemorySetting(
        batch_size=batch_size,
        dtype=dtype,
        attention=attention,
        autocast=autocast,
        optimizer=optimizer,
        backend=memory_backend,
    )
    own, *others = (_profiled(each, size, task, setting, convention) for each in (config, *against))
    return replace(own, against={other.name: own.over(other) for other in others})


def _profiled(
    config: ModelConfig, image_size: ImageSize, task: Task, setting: MemorySetting, convention: Convention | None
) -> Profile:
    """One network alone, beside no other."""
    cost = network_cost(config, image_size, task)
    total = cost.total
    return Profile(
        name=config.name,
        image_size=image_size,
        task=task,
        params=total.params,
        macs=total.macs,
        params_by_stage=tuple(stage.params for stage in cost.stages),
        macs_by_stage=tuple(stage.macs for stage in cost.stages),
        head={"params": cost.head.params, "macs": cost.head.macs},
        by_operator=total.by_operator(),
        setting=setting,
        inference=None if is_dense(task) else inference_memory(config, image_size, task, setting),
        training=None if is_dense(task) else training_memory(config, image_size, task, setting),
        against={},
        convention=convention,
        stated_operations=None if convention is None else stated_operations(total, convention, task),
    )
