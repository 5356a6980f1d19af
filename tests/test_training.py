"""Laws of a training step's peak memory in closed form: it equals what is observed."""

from __future__ import annotations

from itertools import product
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import autocast_settings, cases, memory_settings, resnets, thin_cases

from pvtsearch.analysis.live_bytes import training_peak_bytes
from pvtsearch.analysis.peak import inference_memory, training_memory
from pvtsearch.analysis.setting import Autocast, MemorySetting
from pvtsearch.analysis.shapes import Pooled, StageShape, Strided, shape_of
from pvtsearch.analysis.spans import Tape, allocate, release
from pvtsearch.analysis.training import stage_parts
from pvtsearch.config import (
    AttentionKernel,
    ImageSize,
    ModelConfig,
    NetworkTask,
    PooledReduction,
    PVTConfig,
    SpatialReduction,
    StageConfig,
)
from pvtsearch.geometry import Grid
from pvtsearch.models.baselines import build_model
from pvtsearch.presets import PRESETS
from pvtsearch.verification import Case, random_cases


def observed(config: ModelConfig, image_size: ImageSize, task: NetworkTask, setting: MemorySetting) -> int:
    """Peak of a step of the built network."""
    dtype = getattr(torch, setting.dtype)
    with torch.device("meta"):
        module = build_model(config, task=task, attention=setting.attention).to(dtype)
    module.to_empty(device="cpu")
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.detach().zero_()
    images = torch.zeros(setting.batch_size, config.in_chans, *image_size, dtype=dtype)
    labels = torch.zeros(setting.batch_size if task == "classification" else 0, dtype=torch.int64)
    return training_peak_bytes(module, images, labels, setting.optimizer, lower=setting.autocast)


def closed(config: ModelConfig, image_size: ImageSize, task: NetworkTask, setting: MemorySetting) -> int:
    """The same in closed form."""
    return training_memory(config, image_size, task, setting).peak_bytes


@settings(max_examples=20, deadline=None)
@given(case=cases(), setting=memory_settings())
def test_a_step_of_a_pyramid_peaks_where_the_closed_form_says(case: Case, setting: MemorySetting) -> None:
    """Equal bytes for every legal network, input size, task, batch, dtype, kind of attention and optimizer."""
    assert closed(*case, setting) == observed(*case, setting)


@settings(max_examples=20, deadline=None)
@given(case=cases(), setting=autocast_settings())
def test_a_step_under_autocast_peaks_where_the_closed_form_says(case: Case, setting: MemorySetting) -> None:
    """The same where layers compute in a lower type than that of their parameters."""
    assert closed(*case, setting) == observed(*case, setting)


@pytest.mark.slow
def test_steps_of_five_hundred_random_pyramids_peak_where_the_closed_form_says() -> None:
    """The same over many networks that hypothesis may not reach."""
    for number, case in enumerate(random_cases(500, seed=9)):
        setting = MemorySetting(
            batch_size=1 + number % 8,
            dtype=("float32", "bfloat16", "float16", "float32", "float32")[number % 5],
            autocast=("none", "none", "none", "bfloat16", "float16")[number % 5],
            attention=("fused", "explicit")[number % 2],
            optimizer=("adamw", "sgd", "none")[number // 8 % 3],
        )
        assert closed(*case, setting) == observed(*case, setting), (case, setting)


@settings(max_examples=5, deadline=None)
@given(
    config=resnets(),
    image_size=st.sampled_from([(64, 64), (33, 40), (65, 97)]),
    task=st.sampled_from(get_args(NetworkTask)),
    setting=(memory_settings() | autocast_settings()).filter(lambda setting: setting.batch_size > 1),
)
def test_a_step_of_a_resnet_peaks_where_the_closed_form_says(
    config: ModelConfig, image_size: ImageSize, task: NetworkTask, setting: MemorySetting
) -> None:
    """The same for every kind of ResNet, under autocast too; BatchNorm does not train on a single value."""
    assert closed(config, image_size, task, setting) == observed(config, image_size, task, setting)


@pytest.mark.parametrize("case", thin_cases())
def test_channels_as_thin_as_they_get(case: Case) -> None:
    """One channel per head and a grid of one token: where copies and views are easily taken for one another."""
    for batch_size, autocast in product((1, 2), get_args(Autocast)):
        setting = MemorySetting(batch_size=batch_size, attention="explicit", autocast=autocast)
        assert closed(*case, setting) == observed(*case, setting)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_steps_of_presets_peak_where_the_closed_form_says(name: str) -> None:
    """Published networks at an input that does not divide, with the drop path of their recipe where they have one."""
    case = PRESETS[name].config, (100, 132), "classification"
    for autocast in get_args(Autocast):
        setting = MemorySetting(batch_size=2, autocast=autocast)
        assert closed(*case, setting) == observed(*case, setting)


@given(case=cases(), setting=memory_settings())
def test_training_needs_more_than_inference(case: Case, setting: MemorySetting) -> None:
    """A step holds the gradients of all parameters at its end, and never less than a pass in evaluation mode."""
    training, inference = training_memory(*case, setting), inference_memory(*case, setting)
    assert training.peak_bytes >= inference.peak_bytes
    assert training.peak_bytes >= 2 * training.params_bytes + training.optimizer_bytes
    assert [stage.name for stage in training.stages][-1] == "stage 1 backward"


@given(numbers=st.lists(st.integers(0, 100), min_size=8, max_size=8), times=st.integers(0, 5))
def test_tapes_run_forward_and_in_reverse(numbers: list[int], times: int) -> None:
    """a + b is a, b in the forward pass and b, a in the backward pass; times is repetition."""
    one, other = (Tape(allocate(a) + release(b), allocate(c) + release(d)) for a, b, c, d in (numbers[:4], numbers[4:]))
    both = one + other
    assert both.forward == one.forward + other.forward
    assert both.backward == other.backward + one.backward
    repeated = Tape()
    for _ in range(times):
        repeated += one
    assert times * one == repeated


@pytest.mark.parametrize("autocast", ["none", "bfloat16"])
@pytest.mark.parametrize("attention", ["fused", "explicit"])
@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize("pooled", [False, True])
def test_arrays_give_what_ints_give(attention: AttentionKernel, autocast: Autocast, index: int, pooled: bool) -> None:
    """One spelling: a stage's tapes for many options at once == the tapes of each."""
    kinds = [PooledReduction(1), PooledReduction(7)] if pooled else [SpatialReduction(1), SpatialReduction(3)]
    options = [
        StageConfig(2, heads * width, depth, heads, 2, kind)
        for heads, width, depth in ((1, 1, 1), (3, 8, 2), (1, 8, 3), (3, 1, 1))
        for kind in kinds
    ]
    other = StageConfig(2, 8, 1, 1, 1)
    stages = (options[0], other) if index == 0 else (other, options[0])
    config = PVTConfig(stages=stages, image_size=16, pool="mean", mlp="conv", drop_path_rate=0.1)
    where: dict[str, Any] = {
        "in_chans": 3,
        "entering": Grid(9, 8),
        "grid": Grid(4, 4),
        "learned": Grid(3, 4),
        "task": "classification",
        "setting": MemorySetting(batch_size=2, attention=attention, autocast=autocast),
    }
    names = ("patch_size", "embed_dim", "depth", "num_heads", "mlp_width")
    columns = {name: np.array([getattr(option, name) for option in options]) for name in names}
    sizes = np.array([size for option in options for size in vars(option.attention).values()])
    shape = StageShape(**columns, reduction=Pooled(sizes) if pooled else Strided(sizes))
    together = stage_parts(config, index, shape, **where)
    for row, option in enumerate(options):
        for part, alone in zip(together, stage_parts(config, index, shape_of(option), **where), strict=True):
            for passed, expected in zip(numbers_of(part.tape), numbers_of(alone.tape), strict=True):
                assert np.broadcast_to(passed, len(options))[row] == expected, (part.name, option)


def numbers_of(tape: Tape) -> list[Any]:
    """Everything a tape says."""
    forward, backward = tape.forward, tape.backward
    return [forward.held, forward.peak, backward.held, backward.peak, tape.throughout, tape.turn]
