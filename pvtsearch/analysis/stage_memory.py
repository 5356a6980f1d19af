"""Peak memory of a PVT stage by stage, as stretches that concatenate: parameters throughout, activations in spans."""

from __future__ import annotations

from pvtsearch.analysis.memory import MemorySetting, head_span, released_bytes, stage_parts
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


def inference_head(config: PVTConfig, *, params: Number, task: NetworkTask, setting: MemorySetting) -> Tape:
    """The head in a forward pass: its parameters, and the scores."""
    return Tape(head_span(config, task=task, setting=setting), throughout=params * setting.element_bytes)
