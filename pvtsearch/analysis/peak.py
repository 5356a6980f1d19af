"""Peak memory of any network the project knows, in closed form: of a forward pass, and of a training step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import assert_never, get_args

from pvtsearch.analysis import baseline_memory, baseline_training, memory, training
from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.memory import MemorySetting, Part
from pvtsearch.analysis.training import TapePart
from pvtsearch.config import ImageSize, ModelConfig, NetworkTask, PVTConfig, check_choice

LABEL_BYTES = 8  # labels of classes are int64
STEP_BYTES = 4  # AdamW counts its steps in float32, once per parameter tensor


@dataclass(frozen=True)
class StagePeak:
    """The highest point of a stage, all that is held counted, and the part of the stage that reaches it first."""

    name: str
    part: str
    peak_bytes: int


@dataclass(frozen=True)
class PeakMemory:
    """Peak of a pass or step over a whole batch: what is held from start to end, and the highest point of every stage.

    optimizer_bytes: of its state, in training. input_bytes: images, in training with the labels of classes.
    """

    params_bytes: int
    optimizer_bytes: int
    buffers_bytes: int
    input_bytes: int
    stages: tuple[StagePeak, ...]

    @property
    def held_bytes(self) -> int:
        """Bytes that are there before and after."""
        return self.params_bytes + self.optimizer_bytes + self.buffers_bytes + self.input_bytes

    @property
    def peak_bytes(self) -> int:
        """The peak of the network."""
        return max(stage.peak_bytes for stage in self.stages)

    @property
    def where(self) -> str:
        """The stage and part that reach it first."""
        peak = max(self.stages, key=lambda stage: stage.peak_bytes)
        return f"{peak.name}, {peak.part}"


def inference_memory(
    config: ModelConfig,
    image_size: ImageSize,
    task: NetworkTask = "classification",
    setting: MemorySetting | None = None,
) -> PeakMemory:
    """Peak memory of one forward pass at an input of (height, width), in inference mode, for the whole batch.

    setting: by default one image, float32, fused attention. Raises `ConfigError` where the input is too small.
    """
    check_choice("task", task, get_args(NetworkTask))
    setting = setting or MemorySetting()
    parts: Sequence[Sequence[Part]]
    if isinstance(config, PVTConfig):
        parts = memory.pvt_parts(config, image_size, task, setting)
    else:
        parts = baseline_memory.resnet_parts(config, image_size, task, setting)
    named = zip([*stage_names(len(parts) - 1), "head"], parts, strict=True)
    return _peak_memory(config, image_size, task, setting, list(named))


def training_memory(
    config: ModelConfig,
    image_size: ImageSize,
    task: NetworkTask = "classification",
    setting: MemorySetting | None = None,
) -> PeakMemory:
    """Peak memory of one training step at an input of (height, width), for the whole batch: forward, backward, update.

    The loss is the cross-entropy of class scores, or the sum of the means of a backbone's maps. Stages come twice: in
    the forward pass, and in reverse in the backward pass. setting: by default one image, float32, fused attention,
    AdamW. Raises `ConfigError` where the input is too small.
    """
    check_choice("task", task, get_args(NetworkTask))
    setting = setting or MemorySetting()
    tapes: Sequence[Sequence[TapePart]]
    if isinstance(config, PVTConfig):
        tapes = training.pvt_tapes(config, image_size, task, setting)
        tensors = training.parameter_tensors(config, task)
    else:
        tapes = baseline_training.resnet_tapes(config, image_size, task, setting)
        tensors = baseline_training.parameter_tensors(config, task)
    names = [*stage_names(len(tapes) - 1), "head"]
    forward = [
        (f"{name} forward", [Part(part, tape.forward) for part, tape in parts])
        for name, parts in zip(names, tapes, strict=True)
    ]
    backward = [
        (f"{name} backward", [Part(part, tape.backward) for part, tape in reversed(parts)])
        for name, parts in zip(reversed(names), reversed(tapes), strict=True)
    ]
    return _peak_memory(config, image_size, task, setting, [*forward, *backward], trained_tensors=tensors)


def stage_names(count: int) -> list[str]:
    """Names of stages, counted from 1."""
    return [f"stage {number}" for number in range(1, count + 1)]


def optimizer_bytes(params_bytes: int, tensors: int, setting: MemorySetting) -> int:
    """State of an optimizer: none, momenta, or AdamW's two moments and counts of steps."""
    match setting.optimizer:
        case "none":
            return 0
        case "sgd":
            return params_bytes
        case "adamw":
            return 2 * params_bytes + STEP_BYTES * tensors
        case _:
            assert_never(setting.optimizer)


def _peak_memory(
    config: ModelConfig,
    image_size: ImageSize,
    task: NetworkTask,
    setting: MemorySetting,
    named: Sequence[tuple[str, Sequence[Part]]],
    trained_tensors: int = 0,
) -> PeakMemory:
    params = network_cost(config, image_size, task).total.params * setting.element_bytes
    images = setting.batch_bytes(config.in_chans * image_size[0] * image_size[1])
    labels = setting.batch_size * LABEL_BYTES if trained_tensors and task == "classification" else 0
    held = PeakMemory(
        params_bytes=params,
        optimizer_bytes=optimizer_bytes(params, trained_tensors, setting) if trained_tensors else 0,
        buffers_bytes=0 if isinstance(config, PVTConfig) else baseline_memory.buffers_bytes(config, setting),
        input_bytes=images + labels,
        stages=(),
    )
    return replace(held, stages=tuple(_stage_peaks(named, held.held_bytes)))


def _stage_peaks(named: Sequence[tuple[str, Sequence[Part]]], held: int) -> Iterator[StagePeak]:
    for name, parts in named:
        reached = []
        for part, span in parts:
            reached.append(StagePeak(name, part, held + span.peak))
            held += span.held
        yield max(reached, key=lambda peak: peak.peak_bytes)
