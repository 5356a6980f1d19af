"""Memory on a CUDA device: what fused attention and norms return there, by their meta kernels, and whole networks."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import fake_device
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases, memory_settings, resnets

from pvtsearch.analysis.baseline_training import resnet_tapes
from pvtsearch.analysis.fused import kept_bytes, returned_bytes
from pvtsearch.analysis.peak import PeakMemory, inference_memory, training_memory
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.shapes import StageShape, Strided, shape_of
from pvtsearch.analysis.training import TapePart, pvt_tapes
from pvtsearch.config import ModelConfig, PVTConfig, StageConfig
from pvtsearch.errors import ConfigError
from pvtsearch.verification import Case

SIZES = st.tuples(*(st.integers(1, high) for high in (4, 5, 70, 70, 3)))


def without_workspace(memory: PeakMemory) -> int:
    return memory.peak_bytes - memory.workspace_bytes


def nbytes(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors if isinstance(tensor, torch.Tensor))


def wide(case: Case) -> Case:
    """The same with heads of multiples of 8 channels, as CUDA's kernels take them."""
    stages = tuple(replace(stage, embed_dim=8 * stage.embed_dim) for stage in case.config.stages)
    return case._replace(config=replace(case.config, stages=stages))


def kept_forward(parts: tuple[tuple[TapePart, ...], ...]) -> int:
    """Bytes that a forward pass with its loss leaves."""
    return sum(tape.forward.held for stage in parts for _, tape in stage)


def forward_peak(memory: PeakMemory) -> int:
    """The highest point before the backward pass, beside images and parameters alone."""
    peak = max(stage.peak_bytes for stage in memory.stages if stage.name.endswith("forward"))
    return peak - memory.held_bytes + memory.params_bytes + memory.buffers_bytes


@settings(max_examples=40, deadline=None)
@given(case=cases().map(wide), setting=memory_settings())
def test_a_pass_of_a_pyramid_peaks_on_the_device_where_the_closed_form_says(case: Case, setting: MemorySetting) -> None:
    """Equal bytes, but for the library's workspace, by the meta kernels of every operator."""
    setting = replace(setting, backend="cuda")
    assert without_workspace(inference_memory(*case, setting)) == fake_device.inference(*case, setting).peak_bytes


@settings(max_examples=40, deadline=None)
@given(case=cases().map(wide), setting=memory_settings())
def test_a_step_of_a_pyramid_keeps_on_the_device_what_the_closed_form_says(case: Case, setting: MemorySetting) -> None:
    """The forward pass of a step: its highest point, and what it leaves for the backward pass."""
    setting = replace(setting, backend="cuda")
    images = setting.batch_bytes(case.config.in_chans * case.image_size[0] * case.image_size[1])
    found = fake_device.forward_of_training(*case, setting)
    assert forward_peak(training_memory(*case, setting)) + images == found.peak_bytes
    assert kept_forward(pvt_tapes(*case, setting)) == found.kept_bytes


@settings(max_examples=5, deadline=None)
@given(config=resnets(), setting=memory_settings())
def test_a_step_of_a_resnet_keeps_on_the_device_what_the_closed_form_says(
    config: ModelConfig, setting: MemorySetting
) -> None:
    """The same of a ResNet, whose BatchNorms keep float32."""
    setting = replace(setting, backend="cuda", batch_size=2)
    found = fake_device.forward_of_training(config, (33, 40), "classification", setting)
    assert kept_forward(resnet_tapes(config, (33, 40), "classification", setting)) == found.kept_bytes


@given(sizes=SIZES, dtype=st.sampled_from(["float16", "bfloat16"]))
def test_flash_attention_keeps_what_its_meta_kernel_returns(sizes: tuple[int, ...], dtype: Any) -> None:
    """logsumexp of every query in float32 and the random state; no more than in inference."""
    images, heads, tokens, reduced, width = sizes
    setting = MemorySetting(batch_size=images, dtype=dtype, backend="cuda")
    query, key = (
        torch.empty(images, heads, count, 8 * width, dtype=getattr(torch, dtype), device="meta")
        for count in (tokens, reduced)
    )
    output, *others = torch.ops.aten._scaled_dot_product_flash_attention(query, key, key)
    shape = shape_of(StageConfig(1, heads * 8 * width, 1, heads, 1))
    assert output.shape == query.shape
    assert nbytes(others) == kept_bytes(shape, tokens=tokens, setting=setting)
    assert kept_bytes(shape, tokens=tokens, setting=setting) == returned_bytes(shape, tokens=tokens, setting=setting)


@pytest.mark.parametrize("trains", [False, True])
@given(sizes=SIZES)
def test_efficient_attention_keeps_what_its_meta_kernel_returns(trains: bool, sizes: tuple[int, ...]) -> None:
    """logsumexp of queries rounded up to 32, and none in inference."""
    images, heads, tokens, reduced, width = sizes
    setting = MemorySetting(batch_size=images, backend="cuda")
    query, key = (torch.empty(images, heads, count, 4 * width, device="meta") for count in (tokens, reduced))
    efficient = torch.ops.aten._scaled_dot_product_efficient_attention
    logsumexp = efficient(query, key, key, None, trains)[1]
    shape = shape_of(StageConfig(1, heads * 4 * width, 1, heads, 1))
    expected = kept_bytes if trains else returned_bytes
    assert nbytes([logsumexp]) == expected(shape, tokens=tokens, setting=setting)
    assert not trains or nbytes([logsumexp]) == 4 * images * heads * 32 * math.ceil(tokens / 32)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_norms_keep_float32_on_the_device(dtype: Any) -> None:
    """Mean and deviation of LayerNorm: of the input's type on the CPU, float32 in CUDA's kernel."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    for backend in ("cpu", "cuda"):
        with FakeTensorMode(), torch.device(backend):
            weight = torch.empty(8, dtype=getattr(torch, dtype))
            statistics = torch.native_layer_norm(torch.empty(2, 8, dtype=weight.dtype), (8,), weight, weight, 1e-5)[1:]
        setting = MemorySetting(dtype=dtype, backend=backend)
        assert {tensor.element_size() for tensor in statistics} == {setting.statistic_bytes}


@pytest.mark.parametrize(
    ("width", "dtype", "wrong"),
    [(6, "float32", "multiples of 4, got 6"), (12, "float16", "multiples of 8 up to 256, got 12"),
     (264, "bfloat16", "up to 256, got 264")],
)  # fmt: skip
def test_heads_that_other_kernels_would_take_are_refused(width: int, dtype: Any, wrong: str) -> None:
    """One line, in numbers and in arrays; explicit attention takes them all."""
    setting = MemorySetting(dtype=dtype, backend="cuda")
    shape = shape_of(StageConfig(1, 2 * width, 1, 2, 1))
    with pytest.raises(ConfigError, match=wrong):
        kept_bytes(shape, tokens=3, setting=setting)
    several = StageShape(1, np.array([2 * width, 64]), 1, np.array([2, 2]), 64, Strided(1))
    with pytest.raises(ConfigError, match=rf"got \[{width}\]"):
        returned_bytes(several, tokens=np.array([3, 3]), setting=setting)


@given(
    widths=st.lists(st.integers(1, 4), min_size=2, max_size=2),
    tokens=st.lists(st.integers(1, 99), min_size=2, max_size=2),
)
def test_arrays_give_what_ints_give(widths: list[int], tokens: list[int]) -> None:
    """One spelling for one stage and for many."""
    several = StageShape(1, 24 * np.array(widths), 1, np.array([3, 3]), 1, Strided(1))
    for dtype in ("float32", "float16"):
        setting = MemorySetting(batch_size=2, dtype=dtype, backend="cuda")  # type: ignore[arg-type]
        together = kept_bytes(several, tokens=np.array(tokens), setting=setting)
        alone = [
            kept_bytes(shape_of(StageConfig(1, 24 * width, 1, 3, 1)), tokens=count, setting=setting)
            for width, count in zip(widths, tokens, strict=True)
        ]
        assert together.tolist() == alone


@pytest.mark.parametrize(("capability", "workspace"), [(8, 8_519_680), (9, 33_554_432), (10, 33_554_432)])
def test_the_workspace_is_a_term_of_its_own(capability: int, workspace: int) -> None:
    """Named, part of the peak, and there on a CUDA device alone."""
    case = Case(PVTConfig(stages=(StageConfig(4, 8, 1, 1, 1),), image_size=8), (8, 8), "classification")
    on_device = MemorySetting(backend="cuda", compute_capability=capability)
    for memory in (inference_memory, training_memory):
        device, cpu = memory(*case, on_device), memory(*case, MemorySetting())
        assert (device.workspace_bytes, cpu.workspace_bytes) == (workspace, 0)
        assert device.held_bytes == cpu.held_bytes + workspace


def test_autocast_is_not_known_on_the_device() -> None:
    """Its lists of operators differ there."""
    with pytest.raises(ConfigError, match="autocast is known for backend=cpu only"):
        MemorySetting(autocast="bfloat16", backend="cuda")
