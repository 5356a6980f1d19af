"""Laws of peak memory in closed form: it equals what is observed, and spans compose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases, memory_settings, resnets, thin_cases

from pvtsearch.analysis.live_bytes import inference_peak_bytes
from pvtsearch.analysis.memory import pvt_parts, stage_parts
from pvtsearch.analysis.peak import inference_memory
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.shapes import Pooled, StageShape, Strided, shape_of
from pvtsearch.analysis.spans import Span, allocate, release, sequence
from pvtsearch.config import (
    ImageSize,
    ModelConfig,
    PooledReduction,
    PVTConfig,
    ResNetConfig,
    SpatialReduction,
    StageConfig,
    Task,
)
from pvtsearch.errors import ConfigError
from pvtsearch.geometry import Grid
from pvtsearch.models.baselines import build_model
from pvtsearch.presets import PRESETS
from pvtsearch.verification import Case, random_cases


def spans() -> st.SearchStrategy[Span]:
    """What a sequence of storages leaves."""
    sizes = st.integers(0, 100)
    return st.lists(sizes.map(allocate) | sizes.map(release), max_size=5).map(sequence)


def observed(config: ModelConfig, image_size: ImageSize, task: Task, setting: MemorySetting) -> int:
    """Peak of the built network, by the tracker."""
    dtype = getattr(torch, setting.dtype)
    with torch.device("meta"):
        module = build_model(config, task=task, attention=setting.attention).to(dtype)
    module.to_empty(device="cpu").requires_grad_(False)
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.zero_()
    return inference_peak_bytes(module, torch.zeros(setting.batch_size, config.in_chans, *image_size, dtype=dtype))


def closed(config: ModelConfig, image_size: ImageSize, task: Task, setting: MemorySetting) -> int:
    """The same in closed form."""
    return inference_memory(config, image_size, task, setting).peak_bytes


@settings(max_examples=20, deadline=None)
@given(case=cases(), setting=memory_settings())
def test_a_pyramid_peaks_where_the_closed_form_says(case: Case, setting: MemorySetting) -> None:
    """Equal bytes for every legal network, input size, task, batch, dtype and kind of attention."""
    assert closed(*case, setting) == observed(*case, setting)


@pytest.mark.slow
def test_five_hundred_random_pyramids_peak_where_the_closed_form_says() -> None:
    """The same over many networks that hypothesis may not reach."""
    for number, case in enumerate(random_cases(500, seed=9)):
        setting = MemorySetting(
            batch_size=1 + number % 8,
            dtype=("float32", "bfloat16", "float16")[number % 3],
            attention=("fused", "explicit")[number % 2],
        )
        assert closed(*case, setting) == observed(*case, setting), (case, setting)


@settings(max_examples=10, deadline=None)
@given(
    config=resnets(),
    image_size=st.sampled_from([(32, 32), (17, 40), (1, 1), (33, 9)]),
    task=st.sampled_from(["classification", "backbone"]),
    setting=memory_settings(),
)
def test_a_resnet_peaks_where_the_closed_form_says(
    config: ResNetConfig, image_size: ImageSize, task: Task, setting: MemorySetting
) -> None:
    """Equal bytes for torchvision's networks, buffers and indices of max pooling included."""
    assert closed(config, image_size, task, setting) == observed(config, image_size, task, setting)


@pytest.mark.parametrize("case", thin_cases())
def test_channels_as_thin_as_they_get(case: Case) -> None:
    """One channel per head and a grid of one token: where copies and views are easily taken for one another."""
    for batch_size in (1, 2):
        setting = MemorySetting(batch_size=batch_size, attention="explicit")
        assert closed(*case, setting) == observed(*case, setting)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PRESETS))
def test_presets_peak_where_the_closed_form_says(name: str) -> None:
    """Published networks at an input that does not divide."""
    config = PRESETS[name].config
    setting = MemorySetting(batch_size=2)
    assert closed(config, (100, 132), "classification", setting) == observed(
        config, (100, 132), "classification", setting
    )


@given(one=spans(), two=spans(), three=spans(), times=st.integers(0, 5))
def test_spans_are_a_monoid(one: Span, two: Span, three: Span, times: int) -> None:
    """(a + b) + c == a + (b + c); nothing changes nothing; times is repetition."""
    assert (one + two) + three == one + (two + three)
    assert one + Span() == Span() + one == one
    assert times * one == sequence([one] * times)


@given(case=cases(), setting=memory_settings())
def test_a_network_is_the_composition_of_its_stages(case: Case, setting: MemorySetting) -> None:
    """Stage by stage or all at once, and the network peaks in the stage that peaks highest."""
    config, image_size, task = case
    parts = pvt_parts(config, image_size, task, setting)
    memory = inference_memory(config, image_size, task, setting)
    whole = sequence(span for stage in parts for _, span in stage)
    assert whole == sequence(sequence(span for _, span in stage) for stage in parts)
    assert memory.peak_bytes == memory.params_bytes + memory.input_bytes + whole.peak
    assert memory.where.startswith(max(memory.stages, key=lambda stage: stage.peak_bytes).name)


@pytest.mark.parametrize("attention", ["fused", "explicit"])
@pytest.mark.parametrize("pooled", [False, True])
def test_arrays_give_what_ints_give(attention: Any, pooled: bool) -> None:
    """One spelling: a stage's spans for many options at once == the spans of each."""
    kinds = [PooledReduction(1), PooledReduction(7)] if pooled else [SpatialReduction(1), SpatialReduction(3)]
    options = [
        StageConfig(2, heads * width, 1, heads, ratio, kind)
        for heads in (1, 3)
        for width in (1, 8)
        for ratio in (1, 4)
        for kind in kinds
    ]
    config = PVTConfig(stages=(StageConfig(2, 8, 1, 1, 1), *options[:1]), image_size=16, pool="mean", mlp="conv")
    setting = MemorySetting(batch_size=2, attention=attention)
    where: dict[str, Any] = {"grid": Grid(4, 4), "learned": Grid(3, 4), "task": "classification", "setting": setting}
    names = ("patch_size", "embed_dim", "depth", "num_heads", "mlp_width")
    columns = {name: np.array([getattr(option, name) for option in options]) for name in names}
    sizes = np.array([size for option in options for size in vars(option.attention).values()])
    shape = StageShape(**columns, reduction=Pooled(sizes) if pooled else Strided(sizes))
    together = stage_parts(config, 1, shape, entering_bytes=7, **where)
    for row, option in enumerate(options):
        for part, alone in zip(
            together, stage_parts(config, 1, shape_of(option), entering_bytes=7, **where), strict=True
        ):
            held, peak = np.broadcast_to(part.span.held, len(options)), np.broadcast_to(part.span.peak, len(options))
            assert Span(held[row], peak[row]) == alone.span


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"dtype": "float64"}, {"attention": "flash"}, {"autocast": "float32"}]
)
def test_other_settings_are_refused(wrong: dict[str, Any]) -> None:
    """One line that names what is wrong."""
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        MemorySetting(**wrong)


def test_autocast_has_parameters_of_float32() -> None:
    """Its copies would be of no other type."""
    with pytest.raises(ConfigError, match="autocast needs dtype=float32, got dtype=float16"):
        MemorySetting(dtype="float16", autocast="bfloat16")
