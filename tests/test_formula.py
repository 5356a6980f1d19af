"""Laws of formulas: the closed form on symbols is the closed form on numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases, dense_cases, memory_settings, resnets

from pvtsearch.analysis.formula import Formula, divisor, formula
from pvtsearch.analysis.peak import inference_memory
from pvtsearch.analysis.polynomials import Polynomial
from pvtsearch.analysis.profile import profile
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.cli import run
from pvtsearch.config import (
    DENSE_STAGES,
    AttentionKernel,
    ImageSize,
    ModelConfig,
    PVTConfig,
    ResNetConfig,
    StageConfig,
    Task,
    is_dense,
)
from pvtsearch.errors import ConfigError
from pvtsearch.presets import PRESETS
from pvtsearch.serialize import dump_config
from pvtsearch.verification import Case


def assert_formula_is_profile(config: ModelConfig, task: Task, setting: MemorySetting, size: ImageSize) -> None:
    """Parameters, MACs, attention products and, where there is a closed form, peak memory and where it is reached."""
    kind: dict[str, Any] = {name: getattr(setting, name) for name in ("batch_size", "dtype", "attention")}
    one, profiled = formula(config, task=task, **kind), profile(config, image_size=size, task=task, **kind)
    assert (one.params, one.macs.at(size)) == (profiled.params, profiled.macs)
    assert one.matmul.at(size) == profiled.by_operator.get("matmul", 0)
    assert (one.memory is None) == (profiled.inference is None)
    if one.memory and profiled.inference:
        assert one.memory.peak_bytes(size) == profiled.inference.peak_bytes
        if size not in one.memory.exceptions:
            bytes_ = profiled.inference.peak_bytes
            named = {peak.name for peak in one.memory.peaks if peak.peak_bytes.at(size) == bytes_}
            highest = {stage.name for stage in profiled.inference.stages if stage.peak_bytes == bytes_}
            assert named <= highest
            assert named


@pytest.mark.parametrize("task", get_args(Task))
@pytest.mark.parametrize("name", PRESETS)
def test_the_formula_of_every_preset_equals_its_profile(name: str, task: Task) -> None:
    """At five sizes, one of them the papers', equal as integers."""
    config = PRESETS[name].config
    if is_dense(task) and isinstance(config, PVTConfig) and len(config.stages) != DENSE_STAGES:
        with pytest.raises(ConfigError, match="needs a network of 4 stages"):
            formula(config, task=task)
        return
    step = divisor(config, task)
    for size in ((step, step), (step, 2 * step), (224, 224), (7 * step, 3 * step), (25 * step, 42 * step)):
        if size[0] % step == 0:
            assert_formula_is_profile(config, task, MemorySetting(), size)


def test_pvt_small_at_five_sizes() -> None:
    """What `pvtsearch formula pvt_small` prints is what `pvtsearch profile pvt_small` says, its own size among them."""
    for size in ((224, 224), (32, 32), (512, 512), (800, 1344), (2048, 1024)):
        for attention in get_args(AttentionKernel):
            setting = MemorySetting(batch_size=8, dtype="bfloat16", attention=attention)
            assert_formula_is_profile(PRESETS["pvt_small"].config, "classification", setting, size)


@settings(max_examples=150, deadline=None)
@given(case=cases(), setting=memory_settings(), height=st.integers(1, 4), width=st.integers(1, 4))
def test_the_formula_of_any_network_equals_its_profile(
    case: Case, setting: MemorySetting, height: int, width: int
) -> None:
    """Every kind of pyramid, batch, dtype and attention, at every multiple of its divisor."""
    step = divisor(case.config)
    assert_formula_is_profile(case.config, case.task, setting, (step * height, step * width))


def sizes_made_for(config: PVTConfig, step: int) -> Iterator[ImageSize]:
    """Inputs whose sides are multiples of step and at which some stage's position embedding is not interpolated."""
    stride = 1
    for stage, learned in zip(config.stages, config.grids((config.image_size, config.image_size)), strict=True):
        stride *= stage.patch_size
        if learned.height * stride % step == 0:
            yield learned.height * stride, learned.width * stride


@settings(max_examples=150, deadline=None)
@given(case=cases(), setting=memory_settings())
def test_the_formula_holds_where_something_is_different(case: Case, setting: MemorySetting) -> None:
    """At the sizes that learned positions are made for, and at the smallest, where a stage may have a single token."""
    step = divisor(case.config)
    for size in ((step, step), *sizes_made_for(case.config, step)):
        assert_formula_is_profile(case.config, case.task, setting, size)


@settings(max_examples=60, deadline=None)
@given(case=dense_cases(), height=st.integers(1, 3), width=st.integers(1, 3))
def test_the_formula_of_a_dense_task_equals_its_profile(case: Case, height: int, width: int) -> None:
    """Necks and heads too, on any network of four stages."""
    step = divisor(case.config, case.task)
    assert_formula_is_profile(case.config, case.task, MemorySetting(), (step * height, step * width))


@settings(max_examples=60, deadline=None)
@given(
    config=resnets(),
    setting=memory_settings(),
    task=st.sampled_from(get_args(Task)),
    height=st.integers(1, 4),
    width=st.integers(1, 4),
)
def test_the_formula_of_a_resnet_equals_its_profile(
    config: ResNetConfig, setting: MemorySetting, task: Task, height: int, width: int
) -> None:
    """ResNets and ResNeXts of every kind."""
    step = divisor(config, task)
    assert_formula_is_profile(config, task, setting, (step * height, step * width))


def test_a_size_where_the_peak_is_another_is_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A ViT on a single patch needs no copy to put its heads side by side."""
    config = PVTConfig(
        stages=(StageConfig(2, 16, 1, 2, 0.75),), image_size=16, num_classes=0, pool="mean", patch_norm=False
    )
    memory = formula(config, attention="explicit").memory
    assert memory
    exact = inference_memory(config, (2, 2), setting=MemorySetting(attention="explicit")).peak_bytes
    assert memory.exceptions == {(2, 2): exact}
    assert exact < max(peak.peak_bytes.at((2, 2)) for peak in memory.peaks)
    (tmp_path / "vit.yaml").write_text(dump_config(config), encoding="utf-8")
    assert run(["formula", str(tmp_path / "vit.yaml"), "--attention", "explicit"]) == 0
    assert f"but {exact:,} at 2x2, where a stage has a single token" in capsys.readouterr().out


def test_the_peak_of_pvt_small_by_hand() -> None:
    """It lies in stage 1's MLP, where GELU runs.

    All weights; for 4 x 4 pixels the 48 numbers of the input, the token before and after attention and after the norm,
    64 channels each, and 512 hidden channels before and after GELU.
    """
    memory = formula(PRESETS["pvt_small"].config).memory
    assert memory
    (peak,) = memory.peaks
    assert (peak.name, peak.part) == ("stage 1", "mlp")
    params = formula(PRESETS["pvt_small"].config).params
    assert peak.peak_bytes.terms == {(1, 1): Fraction(4 * (48 + 3 * 64 + 1024), 16), (0, 0): 4 * params}


@settings(max_examples=20, deadline=None)
@given(case=cases())
def test_attention_overtakes_where_a_scan_says(case: Case) -> None:
    """The side found by bisection is the first multiple at which the products outweigh the rest, if there is one."""
    one = formula(case.config, task=case.task)
    sides = range(one.divisor, 400 * one.divisor, one.divisor)
    scanned = next((side for side in sides if one.attention_share(side) > 0.5), None)
    found = one.attention_overtakes()
    assert found == scanned if scanned is not None else found is None or found not in sides


def test_the_divisor_is_what_no_stage_rounds_at() -> None:
    """Strides times reductions, in common: 4 x 8, 8 x 4, 16 x 2 and 32 for PVT v1; the patch for DeiT."""
    assert [divisor(PRESETS[name].config) for name in ("pvt_small", "pvt_v2_b2_li", "deit_small", "resnet50")] == [
        32,
        32,
        16,
        32,
    ]


def test_attention_of_pvt_small_by_hand() -> None:
    """Attention outweighs all else in PVT-Small from 1152 x 1152 on; in linear SRA and in a ResNet it never does."""
    assert formula(PRESETS["pvt_small"].config).attention_overtakes() == 1152
    assert formula(PRESETS["pvt_v2_b2_li"].config).attention_overtakes() is None
    assert formula(PRESETS["resnet50"].config).attention_overtakes() is None


def test_polynomials_are_written_for_people() -> None:
    """Highest power first, fractions exact."""
    one: Formula = formula(PRESETS["pvt_small"].config)
    assert str(one.macs) == "29/512 H^2 W^2 + 73,006 H W + 9,952,256"
    assert str(Polynomial({})) == "0"


def test_the_command_prints_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    """Text says how far it holds; JSON carries the same coefficients."""
    assert run(["formula", "pvt_small"]) == 0
    text = capsys.readouterr().out
    assert "Exact where 32 divides H and W" in text
    assert run(["formula", "pvt_small", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["macs"] == [[2, 2, 29, 512], [1, 1, 73006, 1], [0, 0, 9952256, 1]]
    assert sum(n * 224 ** (h + w) / d for h, w, n, d in data["macs"]) == 3_815_701_504
