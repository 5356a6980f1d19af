"""Closed form == counted: integers, for every legal configuration, input size and task."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from itertools import islice
from typing import get_args

import pytest
from hypothesis import given, settings
from strategies import cases

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.config import NetworkTask, PVTConfig, ResNetConfig, StageConfig
from pvtsearch.errors import ConfigError
from pvtsearch.presets import PRESETS
from pvtsearch.verification import Case, Check, Verification, random_cases, verify

QUICK = ("pvt_tiny", "pvt_v2_b0", "pvt_v2_b2_li", "deit_tiny", "resnet18", "resnext50_32x4d")


@given(cases())
@settings(max_examples=15, deadline=None)
def test_closed_form_is_counted(case: Case) -> None:
    """Parameters, MACs by FlopCounterMode, operators of fvcore, peak memory, on any network that can be drawn."""
    config, image_size, task = case
    assert verify(config, image_size=image_size, task=task).differences == ()


@pytest.mark.parametrize("name", QUICK)
def test_closed_form_is_counted_on_presets(name: str) -> None:
    """The same on published networks, at a size that does not divide."""
    assert verify(PRESETS[name].config, image_size=(250, 230)).differences == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_closed_form_is_counted_on_every_preset(name: str) -> None:
    """The same on all of them at the published size, and as backbones."""
    for task in get_args(NetworkTask):
        assert verify(PRESETS[name].config, image_size=(224, 224), task=task).differences == ()


@pytest.mark.slow
def test_closed_form_is_counted_on_200_random_networks() -> None:
    """What `pvtsearch verify --random 200` does."""
    for config, image_size, task in random_cases(200, seed=0):
        assert verify(config, image_size=image_size, task=task).differences == ()


@pytest.mark.parametrize("size", [(64, 64), (97, 65), (33, 130)], ids=str)
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_resnets_agree_at_any_size(block: str, size: tuple[int, int]) -> None:
    """Also where sizes do not divide, and without a classifier."""
    config = ResNetConfig(
        name="r", block="basic" if block == "basic" else "bottleneck", depths=(1, 2, 1, 1), num_classes=0, in_chans=4
    )
    assert verify(config, image_size=size).differences == ()


def test_a_wrong_closed_form_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """A difference is a row with both numbers, and the verification does not agree."""
    config = PVTConfig(stages=(StageConfig(4, 8, 1, 2, 2),), image_size=16, num_classes=3)
    other = replace(config, num_classes=4)
    room = import_module("pvtsearch.verification")  # `pvtsearch.verification` may also name the function
    monkeypatch.setattr(room, "buildable_cost", lambda _, size, task: network_cost(other, size, task).total)
    result = verify(config, image_size=(16, 16))
    assert not result.agrees
    assert result.differences == (
        Check("params", *(network_cost(c, (16, 16)).total.params for c in (other, config)), "torch"),
        Check("macs", *(network_cost(c, (16, 16)).total.macs for c in (other, config)), "FlopCounterMode / 2"),
        Check("linear", *(network_cost(c, (16, 16)).total.linear for c in (other, config)), "fvcore"),
    )


def test_rows_come_in_a_fixed_order() -> None:
    """params, macs, the operators of fvcore, peak memory."""
    config = PVTConfig(name="one", stages=(StageConfig(4, 8, 1, 2, 2),), image_size=16)
    result = verify(config, image_size=(24, 16))
    assert isinstance(result, Verification)
    assert (result.name, result.image_size, result.task) == ("one", (24, 16), "classification")
    assert [check.quantity for check in result.checks] == [
        "params",
        "macs",
        "conv",
        "linear",
        "matmul",
        "layer_norm",
        "upsample_bilinear2d",
        "inference_peak_bytes",
        "training_peak_bytes",
    ]


def test_a_too_small_input_is_refused() -> None:
    """`ConfigError`, not an error of torch's."""
    with pytest.raises(ConfigError, match="needs a larger input"):
        verify(PVTConfig(stages=(StageConfig(4, 8, 1, 2, 2),), image_size=16), image_size=(3, 16))


def test_random_cases_are_the_same_for_the_same_seed() -> None:
    """And others for another; a longer run starts with the shorter one."""
    assert list(random_cases(5, seed=3)) == list(islice(random_cases(9, seed=3), 5))
    assert list(random_cases(5, seed=3)) != list(random_cases(5, seed=4))


def test_random_cases_cover_every_kind() -> None:
    """1 to 6 stages, all parts of both versions, both tasks, inputs of other sizes than the learned one."""
    drawn = list(random_cases(300, seed=0))
    configs = [case.config for case in drawn]
    assert {len(config.stages) for config in configs} == {1, 2, 3, 4, 5, 6}
    kinds = {(config.patch_embed, config.position, config.mlp, config.pool) for config in configs}
    assert len(kinds) == 12  # 2 * 2 * 2 * 2 without the 4 that pair a class token with a convolutional MLP
    assert {case.task for case in drawn} == {"classification", "backbone"}
    assert any(case.image_size[0] != case.image_size[1] for case in drawn)
