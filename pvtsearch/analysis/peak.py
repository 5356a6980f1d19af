"""Peak memory of any network the project knows, in closed form: of a forward pass, and of a training step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from typing import get_args

from pvtsearch.analysis import baseline_memory, baseline_training, memory, training
from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.memory import Part
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.spans import release
from pvtsearch.analysis.training import TapePart
from pvtsearch.config import ImageSize, ModelConfig, NetworkTask, PVTConfig, check_choice
from pvtsearch.geometry import Grid, Number


@dataclass(frozen=True)
class StagePeak:
    """The highest point of a stage, all that is held counted, and the part of the stage that reaches it first.

    peak_bytes: an integer for an input, a polynomial in its height and width for a formula.
    """

    name: str
    part: str
    peak_bytes: Number


@dataclass(frozen=True)
class PeakMemory:
    """Peak of a pass or step over a whole batch: what is held from start to end, and the highest point of every stage.

    optimizer_bytes: of its state, in training. input_bytes: images, in training with the labels of classes.
    workspace_bytes: of cuBLAS, on a CUDA device.
    """

    params_bytes: int
    optimizer_bytes: int
    buffers_bytes: int
    input_bytes: int
    workspace_bytes: int
    stages: tuple[StagePeak, ...]

    @property
    def held_bytes(self) -> int:
        """Bytes that are there before and after."""
        return self.params_bytes + self.optimizer_bytes + self.buffers_bytes + self.input_bytes + self.workspace_bytes

    @property
    def peak_bytes(self) -> int:
        """The peak of the network."""
        peak: int = max(stage.peak_bytes for stage in self.stages)
        return peak

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
    params = network_cost(config, image_size, task).total.params
    held = inference_held(config, params, Grid(*image_size), setting)
    return replace(held, stages=stage_peaks(part_peaks(in_order(parts), held.held_bytes)))


def inference_peak_bytes(config: ModelConfig, image_size: ImageSize, task: NetworkTask, setting: MemorySetting) -> int:
    """The peak alone."""
    return inference_memory(config, image_size, task, setting).peak_bytes


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
    forward = in_order([[Part(part, tape.forward) for part, tape in parts] for parts in tapes])
    turn = sum(tape.turn for parts in tapes for _, tape in parts)
    forward[-1][1].append(Part("end of autocast", release(turn)))
    backward = in_order([[Part(part, tape.backward) for part, tape in reversed(parts)] for parts in tapes])
    both = [
        *((f"{name} forward", parts) for name, parts in forward),
        *((f"{name} backward", parts) for name, parts in reversed(backward)),
    ]
    params = network_cost(config, image_size, task).total.params
    held = inference_held(config, params, Grid(*image_size), setting)
    labels = training.LABEL_BYTES * setting.batch_size * int(task == "classification")
    held = replace(
        held,
        optimizer_bytes=training.optimizer_bytes(held.params_bytes, tensors, setting),
        input_bytes=held.input_bytes + labels,
    )
    return replace(held, stages=stage_peaks(part_peaks(both, held.held_bytes)))


def inference_held(config: ModelConfig, params: int, entering: Grid, setting: MemorySetting) -> PeakMemory:
    """What a forward pass holds from start to end; no stages. params: how many the network has."""
    return PeakMemory(
        params_bytes=params * setting.element_bytes,
        optimizer_bytes=0,
        buffers_bytes=0 if isinstance(config, PVTConfig) else baseline_memory.buffers_bytes(config, setting),
        input_bytes=setting.batch_bytes(config.in_chans * entering.tokens),
        workspace_bytes=setting.workspace_bytes,
        stages=(),
    )


def in_order(stages: Sequence[Sequence[Part]]) -> list[tuple[str, list[Part]]]:
    """The parts of stages, counted from 1, and of the head, which comes last, each by name."""
    names = [*(f"stage {number}" for number in range(1, len(stages))), "head"]
    return [(name, list(parts)) for name, parts in zip(names, stages, strict=True)]


def part_peaks(named: Iterable[tuple[str, Sequence[Part]]], held: Number) -> Iterator[StagePeak]:
    """The highest point of every part in order, beside what is held throughout."""
    for name, parts in named:
        for part, span in parts:
            yield StagePeak(name, part, held + span.peak)
            held += span.held


def stage_peaks(peaks: Iterable[StagePeak]) -> tuple[StagePeak, ...]:
    """The highest of every stage's parts, the first of equal ones."""
    by_stage = groupby(peaks, key=attrgetter("name"))
    return tuple(max(stage, key=attrgetter("peak_bytes")) for _, stage in by_stage)


def training_peak_bytes(config: ModelConfig, image_size: ImageSize, task: NetworkTask, setting: MemorySetting) -> int:
    """The peak alone."""
    return training_memory(config, image_size, task, setting).peak_bytes
