"""Peak memory of a PVT stage by stage, as stretches that concatenate: parameters throughout, activations in spans."""

from __future__ import annotations

from dataclasses import replace

from pvtsearch.analysis import training
from pvtsearch.analysis.memory import head_span, released_bytes, stage_parts
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.shapes import StageShape
from pvtsearch.analysis.spans import Tape, sequence
from pvtsearch.config import NetworkTask, PVTConfig
from pvtsearch.geometry import Grid, Number


def inference_stage(
    config: PVTConfig,
    index: int,
    shape: StageShape,
    *,
    params: Number,
    in_chans: Number,
    entering: Grid,
    grid: Grid,
    learned: Grid,
    task: NetworkTask,
    setting: MemorySetting,
) -> Tape:
    """Stage `index` in a forward pass: its own parameters, with the first stage the images too, and its spans.

    params: of the stage. in_chans, entering: the map that enters. grid, learned: as `stage_parts`.
    """
    parts = stage_parts(
        config,
        index,
        shape,
        entering_bytes=released_bytes(index, in_chans, entering, task=task, setting=setting),
        grid=grid,
        learned=learned,
        task=task,
        setting=setting,
    )
    throughout = params * setting.element_bytes
    if index == 0:
        throughout = throughout + setting.batch_bytes(in_chans * entering.tokens)
    return Tape(sequence(span for _, span in parts), throughout=throughout)


def inference_head(
    config: PVTConfig,
    *,
    params: Number,
    channels: Number,  # noqa: ARG001  one call for every peak
    grid: Grid,  # noqa: ARG001
    task: NetworkTask,
    setting: MemorySetting,
) -> Tape:
    """The head in a forward pass: its parameters, a library's workspace, and the scores."""
    throughout = params * setting.element_bytes + setting.workspace_bytes
    return Tape(head_span(config, task=task, setting=setting), throughout=throughout)


def training_stage(
    config: PVTConfig,
    index: int,
    shape: StageShape,
    *,
    params: Number,
    in_chans: Number,
    entering: Grid,
    grid: Grid,
    learned: Grid,
    task: NetworkTask,
    setting: MemorySetting,
) -> Tape:
    """Stage `index` in a training step: its parameters with their optimizer's state, and its tapes.

    With the first stage come images and labels. Arguments as in `inference_stage`. For classification: the loss of a
    backbone takes the maps of all stages at once.
    """
    parts = training.stage_parts(
        config,
        index,
        shape,
        in_chans=in_chans,
        entering=entering,
        grid=grid,
        learned=learned,
        task=task,
        setting=setting,
    )
    tensors = training.stage_tensors(config, index, shape, task=task)
    throughout = trained_bytes(params, tensors, setting)
    if index == 0:
        labels = training.LABEL_BYTES * setting.batch_size
        throughout = throughout + setting.batch_bytes(in_chans * entering.tokens) + labels
    return replace(sum((part.tape for part in parts), start=Tape()), throughout=throughout)


def training_head(
    config: PVTConfig, *, params: Number, channels: Number, grid: Grid, task: NetworkTask, setting: MemorySetting
) -> Tape:
    """The head in a training step, loss and a library's workspace included. channels, grid: of the last stage's map."""
    tokens = grid.tokens + int(config.has_class_token(len(config.stages) - 1, task))
    tape = training.class_scores(config, channels, tokens=tokens, setting=setting)
    trained = trained_bytes(params, training.head_tensors(config, task=task), setting)
    return replace(tape, throughout=trained + setting.workspace_bytes)


def trained_bytes(params: Number, tensors: Number, setting: MemorySetting) -> Number:
    """Bytes of so many parameters in so many tensors, and of what the optimizer holds of them."""
    nbytes = params * setting.element_bytes
    return nbytes + training.optimizer_bytes(nbytes, tensors, setting)
