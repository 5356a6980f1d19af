"""Configurations: what is legal exists, what is not is refused by name, value and law."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from typing import Any

import pytest
from hypothesis import given, settings
from strategies import cases, configs

from pvtsearch.config import PooledReduction, PVTConfig, ResNetConfig, SpatialReduction, StageConfig
from pvtsearch.errors import ConfigError, InputError, PvtsearchError
from pvtsearch.geometry import Grid
from pvtsearch.verification import Case

STAGE = StageConfig(4, 8, 1, 2, 2)
SMALL = PVTConfig(stages=(STAGE,), image_size=16)


@pytest.mark.parametrize("field", ["patch_size", "embed_dim", "depth", "num_heads"])
@pytest.mark.parametrize("value", [0, -1, 1.0, "2", True, None])
def test_sizes_of_a_stage_are_integers_of_at_least_1(field: str, value: Any) -> None:
    """Anything else is refused with the field's name and the value."""
    with pytest.raises(ConfigError, match=f"{field} must be an integer of at least 1, got {value!r}"):
        replace(STAGE, **{field: value})


@pytest.mark.parametrize("value", ["4", None, float("nan"), float("inf"), True])
def test_mlp_ratio_is_a_finite_number(value: Any) -> None:
    """An int or a float, no text, no NaN."""
    with pytest.raises(ConfigError, match="mlp_ratio must be a finite number"):
        replace(STAGE, mlp_ratio=value)


def test_heads_divide_the_width() -> None:
    """The error carries both numbers."""
    with pytest.raises(ConfigError, match="num_heads must divide embed_dim, got num_heads=3, embed_dim=8"):
        replace(STAGE, num_heads=3)


def test_the_mlp_has_at_least_one_channel() -> None:
    """int(8 * 0.1) is 0."""
    with pytest.raises(ConfigError, match="mlp_ratio must give an MLP of width 1 or more"):
        replace(STAGE, mlp_ratio=0.1)


@pytest.mark.parametrize(
    ("change", "law"),
    [
        ({"stages": ()}, "1 to 6 stages, got 0"),
        ({"stages": (replace(STAGE, patch_size=1),) * 7}, "1 to 6 stages, got 7"),
        ({"num_classes": -1}, "num_classes must be an integer of at least 0, got -1"),
        ({"in_chans": 0}, "in_chans must be an integer of at least 1, got 0"),
        ({"image_size": (16, 16)}, "image_size must be an integer"),
        ({"patch_embed": "conv"}, "patch_embed must be plain or overlap, got 'conv'"),
        ({"norm_stages": "first"}, "norm_stages must be last or every or none"),
        ({"position": "sine"}, "position must be learned or none"),
        ({"mlp": "gated"}, "mlp must be plain or conv"),
        ({"pool": "max"}, "pool must be cls or mean"),
        ({"patch_norm": 1}, "patch_norm must be true or false, got 1"),
        ({"qkv_bias": "yes"}, "qkv_bias must be true or false"),
        ({"drop_path_rate": 1.0}, "drop_path_rate must be at least 0 and below 1"),
        ({"norm_eps": 0}, "norm_eps must be above 0"),
        ({"name": 3}, "name must be text"),
        ({"mlp": "conv"}, "pool: cls needs mlp: plain"),
        ({"stages": (replace(STAGE, attention=SpatialReduction(2)),)}, r"stages\[0\]: pool: cls needs sr_ratio 1"),
        ({"stages": (replace(STAGE, attention=PooledReduction(2)),)}, r"stages\[0\]: pool: cls needs sr_ratio 1"),
        ({"image_size": 3}, r"stages\[0\]: patch_size 4 needs a larger input: a map of 3x3"),
    ],
)
def test_a_broken_law_is_named(change: dict[str, Any], law: str) -> None:
    """One line with the field, the value and what would be legal."""
    with pytest.raises(ConfigError, match=law) as caught:
        replace(SMALL, **change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [SpatialReduction, PooledReduction])
@pytest.mark.parametrize("value", [0, 2.0, True])
def test_reductions_take_positive_integers(make: type[SpatialReduction | PooledReduction], value: Any) -> None:
    """For both kinds."""
    with pytest.raises(ConfigError, match="must be an integer of at least 1"):
        make(value)


def test_reductions_must_fit_the_grid() -> None:
    """In both directions, at the configured size when made and at any input when asked."""
    config = PVTConfig(stages=(replace(STAGE, attention=SpatialReduction(4)),), image_size=16, pool="mean")
    with pytest.raises(ConfigError, match=r"sr_ratio 4 needs a grid of at least 4x4, got 8x3"):
        config.grids((32, 12))
    with pytest.raises(ConfigError, match=r"stages\[0\]: sr_ratio 4 needs a grid"):
        replace(config, image_size=15)


def test_pooled_reduction_fits_any_grid() -> None:
    """Pooling replicates where the map is smaller than its output."""
    config = PVTConfig(stages=(replace(STAGE, attention=PooledReduction(7)),), image_size=16, pool="mean")
    assert config.grids((4, 5)) == (Grid(1, 1),)


@pytest.mark.parametrize(("patch_embed", "norm_stages"), [("plain", "last"), ("overlap", "every")])
def test_norm_stages_default_to_what_goes_with_the_patch_embedding(patch_embed: Any, norm_stages: str) -> None:
    """v1 normalises its last stage, v2 every stage."""
    assert replace(SMALL, patch_embed=patch_embed, norm_stages=None).norm_stages == norm_stages


@pytest.mark.parametrize(
    ("norm_stages", "task", "normed"),
    [
        ("last", "classification", [False, True]),
        ("last", "backbone", [False, False]),
        ("every", "classification", [True, True]),
        ("every", "backbone", [True, True]),
        ("none", "classification", [False, False]),
        ("none", "backbone", [False, False]),
    ],
)
def test_end_norms(norm_stages: Any, task: Any, normed: list[bool]) -> None:
    """A backbone has all of them or none, as the official detection code."""
    config = PVTConfig(stages=(STAGE, replace(STAGE, patch_size=2)), image_size=16, norm_stages=norm_stages)
    assert [config.has_end_norm(index, task) for index in range(2)] == normed


def test_the_class_token_is_in_the_last_stage_of_a_classifier() -> None:
    """Nowhere else, and not with mean pooling."""
    config = PVTConfig(stages=(STAGE, replace(STAGE, patch_size=2)), image_size=16)
    assert [config.has_class_token(index, "classification") for index in range(2)] == [False, True]
    assert not config.has_class_token(1, "backbone")
    assert not replace(config, pool="mean").has_class_token(1, "classification")


@given(cases())
@settings(max_examples=100, deadline=None)
def test_grids_shrink_and_fit(case: Case) -> None:
    """No stage has a larger grid than the one before, and each grid holds its reduction."""
    config, image_size, _ = case
    before = Grid(*image_size)
    for stage, grid in zip(config.stages, config.grids(image_size), strict=True):
        assert grid.height <= before.height
        assert grid.width <= before.width
        if isinstance(stage.attention, SpatialReduction):
            assert min(grid) >= stage.attention.sr_ratio
        before = grid


@given(configs())
@settings(max_examples=50, deadline=None)
def test_configurations_are_values(config: PVTConfig) -> None:
    """Equal copies hash alike, and none can be changed."""
    assert replace(config) == config
    assert hash(replace(config)) == hash(config)
    with pytest.raises(FrozenInstanceError):
        config.num_classes = 3  # type: ignore[misc]


def test_config_errors_are_input_errors() -> None:
    """The command line catches one kind; Python users may catch ValueError."""
    assert issubclass(ConfigError, InputError)
    assert issubclass(InputError, PvtsearchError)
    assert issubclass(InputError, ValueError)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"block": "dense"}, "block must be basic or bottleneck"),
        ({"depths": (2, 2, 2)}, "depths must hold 4 stages, got 3"),
        ({"depths": (2, 2, 2, 0)}, "depths must be an integer of at least 1"),
        ({"groups": 32}, "block: basic has groups 1"),
        ({"num_classes": -1}, "num_classes must be an integer of at least 0"),
    ],
)
def test_resnets_that_torchvision_cannot_build_are_refused(values: dict[str, Any], problem: str) -> None:
    """A ResNet is legal once it exists, as a pyramid is."""
    with pytest.raises(ConfigError, match=problem):
        ResNetConfig(**{"name": "r", "block": "basic", "depths": (2, 2, 2, 2), **values})
