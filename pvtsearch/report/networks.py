"""Networks as a comparison shows them: cost by part, shape, what was measured of them, and how they are built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pvtsearch.analysis.profile import Profile, profile
from pvtsearch.analysis.recorded import Recorded
from pvtsearch.analysis.setting import Dtype
from pvtsearch.config import ImageSize, ModelConfig, PVTConfig, Task
from pvtsearch.errors import ConfigError
from pvtsearch.presets import PRESETS, Published
from pvtsearch.report.building import python_of
from pvtsearch.report.shapes import DrawnStage, stage_shapes
from pvtsearch.serialize import dump_config


@dataclass(frozen=True)
class PartCost:
    """A stage by its number, or all else by 0: its share of parameters and MACs, and its peaks in bytes."""

    number: int
    name: str
    params: int
    macs: int
    peaks: Mapping[str, int]


@dataclass(frozen=True)
class ComparedNetwork:
    """One network of a comparison; its values are those of the whole network, by metric.

    yaml is empty for a ResNet, which has none. measured: what records say of it at this input. is_reference: others
    are held against it.
    """

    name: str
    config: ModelConfig
    values: Mapping[str, int]
    parts: tuple[PartCost, ...]
    shape: tuple[DrawnStage, ...]
    published: tuple[Published, ...]
    yaml: str
    python: str
    measured: tuple[Recorded, ...] = ()
    is_reference: bool = False

    @property
    def top1_percent(self) -> float | None:
        """What was published last of this very network."""
        return self.published[-1].top1_percent if self.published else None


@dataclass(frozen=True)
class Circumstances:
    """What all networks of a comparison are costed for."""

    image_size: ImageSize
    task: Task = "classification"
    batch_size: int = 1
    dtype: Dtype = "float32"


def compared_network(
    name: str, config: ModelConfig, about: Circumstances, *, is_reference: bool = False
) -> ComparedNetwork:
    """A network under a name. Raises `ConfigError`, which names it, where it is not for this input or task."""
    try:
        return _costed(name, config, about, is_reference=is_reference)
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from error


def _costed(name: str, config: ModelConfig, about: Circumstances, *, is_reference: bool) -> ComparedNetwork:
    cost = profile(
        config, image_size=about.image_size, task=about.task, batch_size=about.batch_size, dtype=about.dtype
    )  # fmt: skip
    peaks = {metric: memory.peak_bytes for metric, memory in cost.peaks.items()}
    known = PRESETS.get(config.name)
    return ComparedNetwork(
        name=name,
        config=config,
        values={"params": cost.params, "macs": cost.macs, **peaks},
        parts=parts_of(cost),
        shape=stage_shapes(config, about.image_size),
        published=known.published if known is not None and known.config == config else (),
        yaml=dump_config(config) if isinstance(config, PVTConfig) else "",
        python=python_of(config),
        is_reference=is_reference,
    )


def parts_of(cost: Profile) -> tuple[PartCost, ...]:
    """The stages of a network and its head, in order."""
    stages = zip(cost.params_by_stage, cost.macs_by_stage, strict=True)
    named = [(number, f"stage {number}", params, macs) for number, (params, macs) in enumerate(stages, start=1)]
    named.append((0, "head", cost.head["params"], cost.head["macs"]))
    return tuple(PartCost(number, name, params, macs, _peaks(cost, name)) for number, name, params, macs in named)


def _peaks(cost: Profile, part: str) -> dict[str, int]:
    """The highest point of a part, of a pass and of a step: a step comes by each part twice."""
    return {
        metric: max((stage.peak_bytes for stage in memory.stages if stage.name.startswith(part)), default=0)
        for metric, memory in cost.peaks.items()
    }


def distinctly_named(configs: Iterable[ModelConfig], taken: Sequence[str] = ()) -> list[str]:
    """A name for every network: its own, with a number where an earlier one has it."""
    names: list[str] = list(taken)
    for config in configs:
        same = sum(name == config.name or name.startswith(f"{config.name} (") for name in names)
        names.append(f"{config.name} ({same + 1})" if same else config.name)
    return names[len(taken) :]


def with_measured(row: ComparedNetwork, found: Sequence[Recorded]) -> ComparedNetwork:
    """The same network with what was measured of it."""
    return replace(row, measured=tuple(found))
