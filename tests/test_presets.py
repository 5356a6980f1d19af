"""Presets are the published networks. That their costs round to what the papers print: test_reproduction."""

from __future__ import annotations

import pytest

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.config import PooledReduction, PVTConfig, ResNetConfig
from pvtsearch.presets import PRESETS, V1_PRESETS, V2_PRESETS

# Printed parameters that the official code and its README contradict; see the presets' notes.
MISPRINTED_PARAMS = ("pvt_v2_b0", "pvt_v2_b1")


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_named_by_their_key(name: str) -> None:
    """PRESETS[name].config.name == name."""
    assert PRESETS[name].config.name == name


@pytest.mark.parametrize("name", MISPRINTED_PARAMS)
def test_misprints_are_noted(name: str) -> None:
    """Where the paper's parameters are not the code's, the preset says so and has the code's."""
    (row,) = PRESETS[name].published
    params_m = round(network_cost(PRESETS[name].config, (224, 224)).total.params / 1e6, 1)
    assert params_m != row.params_m
    assert f"{params_m} M" in row.note


def test_stage_2_has_the_depth_of_the_code_not_of_the_misprint() -> None:
    """4 in Small, Medium, B2, B2-Li and B3, where Table 1 of both papers prints 3."""
    for name in ("pvt_small", "pvt_medium", "pvt_v2_b2", "pvt_v2_b2_li", "pvt_v2_b3"):
        config = PRESETS[name].config
        assert isinstance(config, PVTConfig)
        assert config.stages[1].depth == 4


@pytest.mark.parametrize("name", V1_PRESETS + V2_PRESETS)
def test_presets_are_of_their_version(name: str) -> None:
    """v1 = plain, learned, plain, cls; v2 = overlap, none, conv, mean."""
    config = PRESETS[name].config
    assert isinstance(config, PVTConfig)
    parts = (config.patch_embed, config.position, config.mlp, config.pool, config.norm_stages)
    v1, v2 = ("plain", "learned", "plain", "cls", "last"), ("overlap", "none", "conv", "mean", "every")
    assert parts == (v1 if name in V1_PRESETS else v2)
    pooled = {isinstance(stage.attention, PooledReduction) for stage in config.stages}
    assert pooled == {name.endswith("_li")}


def test_every_family_is_there() -> None:
    """4 of v1, 7 of v2, 6 columnar networks, 8 ResNets."""
    resnets = [name for name, preset in PRESETS.items() if isinstance(preset.config, ResNetConfig)]
    columns = [name for name in PRESETS if name.startswith(("deit", "vit"))]
    assert (len(V1_PRESETS), len(V2_PRESETS), len(columns), len(resnets)) == (4, 7, 6, 8)
    assert len(PRESETS) == 25
