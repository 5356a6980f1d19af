"""Peak memory of a PVT stage by stage, as stretches that concatenate: parameters throughout, activations in spans."""

from __future__ import annotations

from pvtsearch.analysis.memory import MemorySetting, MemoryShape, head_span, released_bytes, stage_parts
from pvtsearch.analysis.spans import Sandwich, sequence
from pvtsearch.config import NetworkTask, PVTConfig
from pvtsearch.geometry import Grid, Number


def inference_stage(
    config: PVTConfig,
    index: int,
    shape: MemoryShape,
    *,
    params: Number,
    in_chans: Number,
    entering: Grid,
    grid: Grid,
    learned: Grid,
    task: NetworkTask,
    setting: MemorySetting,
) -> Sandwich:
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
    return Sandwich(sequence(span for _, span in parts), throughout=throughout)


def inference_head(config: PVTConfig, *, params: Number, task: NetworkTask, setting: MemorySetting) -> Sandwich:
    """The head in a forward pass: its parameters, and the scores."""
    return Sandwich(head_span(config, task=task, setting=setting), throughout=params * setting.element_bytes)
