"""The built networks: shapes, parts, initial values, and the laws that tie their variants together."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases, configs
from torch import Tensor, nn
from torchvision.ops import StochasticDepth

from pvtsearch.config import (
    ImageSize,
    NetworkTask,
    PooledReduction,
    PVTConfig,
    ResNetConfig,
    SpatialReduction,
    StageConfig,
)
from pvtsearch.errors import ConfigError
from pvtsearch.geometry import Grid
from pvtsearch.models.baselines import build_model, build_resnet
from pvtsearch.models.patch_embed import LearnedPosition, PatchEmbedding
from pvtsearch.models.pvt import PVTClassifier, build_pvt, drop_path_rates, smallest_side
from pvtsearch.verification import Case

SMALL = settings(max_examples=25, deadline=None)


def one_stage(**parts: object) -> PVTConfig:
    return replace(PVTConfig(stages=(StageConfig(4, 8, 1, 2, 2),), num_classes=3, image_size=16), **parts)


def run(model: nn.Module, images: Tensor) -> list[Tensor]:
    with torch.no_grad():
        result = model.eval()(images)
    return result if isinstance(result, list) else [result]


@given(cases())
@SMALL
def test_every_legal_configuration_builds_and_runs(case: Case) -> None:
    """A classifier gives scores (pooled features without classes), a backbone a map per stage of geometry's grid."""
    config, image_size, task = case
    model = build_pvt(config, task=task)
    outputs = run(model, torch.randn(2, config.in_chans, *image_size))
    assert model.channels == [stage.embed_dim for stage in config.stages]
    if task == "classification":
        assert [tuple(output.shape) for output in outputs] == [(2, config.num_classes or model.channels[-1])]
    else:
        grids = config.grids(image_size)
        assert [tuple(output.shape) for output in outputs] == [
            (2, channels, *grid) for channels, grid in zip(model.channels, grids, strict=True)
        ]


@given(cases())
@SMALL
def test_fused_and_explicit_attention_give_the_same_numbers(case: Case) -> None:
    """Equal to 1e-5, with the same weights, for every configuration."""
    config, image_size, task = case
    fused, explicit = (build_pvt(config, task=task, attention=kind) for kind in ("fused", "explicit"))
    explicit.load_state_dict(fused.state_dict())
    images = torch.randn(1, config.in_chans, *image_size)
    for one, other in zip(run(fused, images), run(explicit, images), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("image_size", [(17, 29), (16, 16), (31, 18)], ids=str)
@pytest.mark.parametrize("patch_size", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["plain", "overlap"])
def test_torch_grid_is_geometry_grid(kind: str, patch_size: int, image_size: ImageSize) -> None:
    """The grid that torch's convolution makes == the grid that geometry says, also where sizes do not divide."""
    config = one_stage(stages=(StageConfig(patch_size, 8, 1, 2, 2),), patch_embed=kind)
    embedding = PatchEmbedding(3, 8, patch_size=patch_size, patch_embed=config.patch_embed, norm=nn.Identity())
    tokens, grid = embedding(torch.zeros(1, 3, *image_size))
    assert grid == config.grids(image_size)[0]
    assert tokens.shape[1] == grid.tokens


def test_positions_are_interpolated_only_where_the_grid_differs() -> None:
    """At the learned grid the parameter itself is added; the class token's entry is never interpolated."""
    position = LearnedPosition(8, learned=Grid(4, 4), class_entry=1, class_token=1)
    assert torch.equal(position.at(Grid(4, 4)), position.embedding)
    assert position.at(Grid(2, 8)).shape == (1, 17, 8)
    assert torch.equal(position.at(Grid(6, 5))[:, 0], position.embedding[:, 0])


def test_constant_positions_stay_constant_under_interpolation() -> None:
    """Interpolating a constant gives the constant, at any grid."""
    position = LearnedPosition(3, learned=Grid(4, 4), class_entry=0, class_token=0)
    with torch.no_grad():
        position.embedding.fill_(2.0)
    torch.testing.assert_close(position.at(Grid(7, 5)), torch.full((1, 35, 3), 2.0))


@pytest.mark.parametrize("task", get_args(NetworkTask))
def test_an_input_twice_the_size_works_where_the_official_code_fails(task: NetworkTask) -> None:
    """At twice the learned side stage 2 has as many tokens as stage 1 was made for: grids are compared by stage."""
    stages = (StageConfig(4, 8, 1, 1, 2), StageConfig(2, 8, 1, 1, 2))
    model = build_pvt(PVTConfig(stages=stages, image_size=224, num_classes=3), task=task)
    outputs = run(model, torch.zeros(1, 3, 448, 448))
    assert all(output.isfinite().all() for output in outputs)


def test_a_backbone_keeps_the_class_entry_unused() -> None:
    """The last position embedding has one entry that changes no output of a backbone."""
    model = build_pvt(one_stage(), task="backbone")
    images = torch.randn(1, 3, 16, 16)
    before = run(model, images)
    position = model.stages[0].position
    assert isinstance(position, LearnedPosition)
    assert position.embedding.shape[1] == 17
    with torch.no_grad():
        position.embedding[:, 0] += 100
    assert torch.equal(run(model, images)[0], before[0])


@pytest.mark.parametrize(("side", "legal"), [(31, False), (32, True)])
def test_too_small_inputs_are_refused_by_name(side: int, legal: bool) -> None:
    """Below the smallest side that every stage's reduction fits, `ConfigError` comes before any error of torch's."""
    stages = tuple(StageConfig(4 if sr == 8 else 2, 8, 1, 1, 2, SpatialReduction(sr)) for sr in (8, 4, 2, 1))
    model = build_pvt(PVTConfig(stages=stages, image_size=64, num_classes=3))
    if legal:
        run(model, torch.zeros(1, 3, side, 40))
        return
    with pytest.raises(ConfigError, match=r"stages\[0\]: sr_ratio 8 needs a grid of at least 8x8, got 7x10"):
        model(torch.zeros(1, 3, side, 40))


@given(configs())
@SMALL
def test_smallest_side_is_the_smallest(config: PVTConfig) -> None:
    """An input of the smallest side is legal, one pixel less is not."""
    side = smallest_side(config)
    config.grids((side, side))
    with pytest.raises(ConfigError):
        config.grids((side - 1, side - 1))


def eps_of(config: PVTConfig) -> dict[str, float]:
    model = build_pvt(config)
    return {name: part.eps for name, part in model.named_modules() if isinstance(part, nn.LayerNorm)}


@pytest.mark.parametrize("attention", [SpatialReduction(2), PooledReduction(2)])
def test_norm_eps_is_mixed_as_in_the_official_code(attention: SpatialReduction | PooledReduction) -> None:
    """1e-5 after patch embedding and in a reduction, 1e-6 elsewhere; `norm_eps` overrides all."""
    config = one_stage(stages=(StageConfig(4, 8, 1, 2, 2, attention),), pool="mean")
    for name, eps in eps_of(config).items():
        inner = "patch_embed" in name or "reduce" in name
        assert eps == (1e-5 if inner else 1e-6), name
    assert set(eps_of(replace(config, norm_eps=1e-3)).values()) == {1e-3}


def test_drop_path_rises_evenly_over_all_blocks() -> None:
    """From 0 in the first block to the rate in the last one; at 0 there is no module for it."""
    stages = (StageConfig(4, 8, 2, 1, 2), StageConfig(2, 8, 1, 1, 2))
    config = PVTConfig(stages=stages, image_size=16, drop_path_rate=0.2)
    assert drop_path_rates(config) == pytest.approx([0.0, 0.1, 0.2])
    blocks = [block for stage in build_pvt(config).stages for block in stage.blocks]
    assert [isinstance(block.drop_path, StochasticDepth) for block in blocks] == [False, True, True]
    assert [block.drop_path.p for block in blocks[1:]] == pytest.approx([0.1, 0.2])


def spread(tensor: Tensor) -> float:
    return tensor.detach().std().item()


def test_initial_values_are_those_of_the_official_parts() -> None:
    """Linear and positions 0.02; v2's convolutions sqrt(2 / fan_out); v1's as torch makes them; biases of both 0."""
    torch.manual_seed(0)
    wide = (StageConfig(4, 128, 1, 2, 4, SpatialReduction(2)),)
    v1 = build_pvt(one_stage(stages=wide, pool="mean"))
    v2 = build_pvt(one_stage(stages=wide, pool="mean", patch_embed="overlap", mlp="conv"))
    for model in (v1, v2):
        block = model.stages[0].blocks[0]
        for weight in (
            block.attn.q.weight,
            block.attn.kv.weight,
            block.mlp.fc1.weight,
            model.stages[0].position.embedding,
        ):
            assert spread(weight) == pytest.approx(0.02, rel=0.1)
        assert not block.attn.kv.bias.any()
    assert spread(v1.stages[0].patch_embed.proj.weight) == pytest.approx((3 * 16 * 3) ** -0.5, rel=0.1)
    assert v1.stages[0].patch_embed.proj.bias.any()
    assert spread(v2.stages[0].patch_embed.proj.weight) == pytest.approx((2 / (49 * 128)) ** 0.5, rel=0.1)
    assert spread(v2.stages[0].blocks[0].attn.reduce.conv.weight) == pytest.approx((2 / (4 * 128)) ** 0.5, rel=0.1)
    assert spread(v2.stages[0].blocks[0].mlp.dwconv.weight) == pytest.approx((2 / 9) ** 0.5, rel=0.1)
    assert not v2.stages[0].blocks[0].mlp.dwconv.bias.any()


def test_relu_stands_before_the_convolution_only_with_pooled_reduction() -> None:
    """As in PVT v2's linear variant."""
    stages = (StageConfig(4, 8, 1, 1, 2, PooledReduction(2)), StageConfig(2, 8, 1, 1, 2, SpatialReduction(2)))
    model = build_pvt(PVTConfig(stages=stages, image_size=16, mlp="conv", pool="mean"))
    befores = [type(stage.blocks[0].mlp.before) for stage in model.stages]
    assert befores == [nn.ReLU, nn.Identity]


@given(configs(), st.integers(0, 3))
@SMALL
def test_building_is_reproducible(config: PVTConfig, seed: int) -> None:
    """The same seed, the same weights."""
    states = []
    for _ in range(2):
        torch.manual_seed(seed)
        states.append(build_pvt(config).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[1])


@pytest.mark.parametrize("task", get_args(NetworkTask))
def test_gradients_reach_every_used_parameter(task: NetworkTask) -> None:
    """Training changes all parameters; a backbone's class entry gets no gradient but its parameter does."""
    stages = (StageConfig(4, 8, 2, 2, 2, SpatialReduction(2)), StageConfig(2, 8, 1, 2, 2))
    model = build_pvt(PVTConfig(stages=stages, image_size=16, num_classes=3, drop_path_rate=0.1), task=task)
    result = model.eval()(torch.randn(2, 3, 16, 16))
    maps = result if isinstance(result, list) else [result]
    torch.stack([(output * torch.randn_like(output)).sum() for output in maps]).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize("in_chans", [3, 4])
@pytest.mark.parametrize("num_classes", [0, 5])
def test_resnet_gives_scores_features_or_maps(in_chans: int, num_classes: int) -> None:
    """The network of torchvision with any channels and classes; as a backbone, C2 to C5."""
    config = ResNetConfig(name="r", block="bottleneck", depths=(1, 1, 1, 1), num_classes=num_classes, in_chans=in_chans)
    images = torch.randn(1, in_chans, 64, 48)
    assert run(build_resnet(config), images)[0].shape == (1, num_classes or 2048)
    backbone = build_model(config, task="backbone")
    shapes = [tuple(output.shape[1:]) for output in run(backbone, images)]
    assert shapes == [(256, 16, 12), (512, 8, 6), (1024, 4, 3), (2048, 2, 2)]
    assert (backbone.channels, backbone.strides) == ([256, 512, 1024, 2048], [4, 8, 16, 32])


def test_strides_are_products_of_patch_sizes() -> None:
    """In pixels, for the official sizes 4, 8, 16, 32."""
    stages = tuple(StageConfig(size, 8, 1, 1, 2) for size in (4, 2, 2, 2))
    model = build_pvt(PVTConfig(stages=stages, image_size=32), task="backbone")
    assert model.strides == [4, 8, 16, 32]


def test_a_classifier_is_what_build_pvt_gives_by_default() -> None:
    """`build_pvt(config)` classifies, with fused attention."""
    model = build_pvt(one_stage())
    assert isinstance(model, PVTClassifier)
    assert model.stages[0].blocks[0].attn.attend.__name__ == "fused_attention"
