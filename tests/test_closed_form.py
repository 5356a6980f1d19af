"""The closed forms: golden numbers, one spelling for ints, arrays and symbols, and laws of their terms."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import sympy
import torch
from hypothesis import given, settings
from strategies import cases

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.closed_form import (
    NetworkCost,
    attention,
    pvt_cost,
    reduced_by,
    spatial_reduction,
    stage_cost,
)
from pvtsearch.analysis.counted import count_params
from pvtsearch.analysis.layers import LayerCost, linear
from pvtsearch.analysis.shapes import Pooled, Reduction, StageShape, Strided, shape_of
from pvtsearch.config import PVTConfig, SpatialReduction, StageConfig
from pvtsearch.geometry import Grid
from pvtsearch.models.pvt import build_pvt
from pvtsearch.presets import PRESETS
from pvtsearch.verification import Case

# Parameters and MACs of one 224 x 224 image. Parameters are those of the official code, timm and torchvision
# (torchvision's documentation prints its own); MACs are half of what torch 2.15's FlopCounterMode counts on the
# built networks. PVT-Small's 3,815,701,504 and ResNet-50's 4,089,184,256 were counted by three tools before.
GOLDEN = {
    "pvt_tiny": (13_229_288, 1_932_911_616),
    "pvt_small": (24_485_864, 3_815_701_504),
    "pvt_medium": (44_208_104, 6_659_175_424),
    "pvt_large": (61_369_320, 9_813_765_632),
    "pvt_v2_b0": (3_666_760, 566_065_664),
    "pvt_v2_b1": (14_009_000, 2_108_355_584),
    "pvt_v2_b2": (25_362_856, 4_026_734_592),
    "pvt_v2_b2_li": (22_553_512, 3_888_850_944),
    "pvt_v2_b3": (45_238_696, 6_897_303_552),
    "pvt_v2_b4": (62_556_072, 10_101_116_416),
    "pvt_v2_b5": (81_956_008, 11_717_260_288),
    "deit_tiny": (5_717_416, 1_253_683_200),
    "deit_small": (22_050_664, 4_598_882_304),
    "deit_base": (86_567_656, 17_563_828_224),
    "vit_small_16_768": (48_754_408, 9_888_884_736),
    "vit_small_32_768": (50_410_984, 2_506_389_504),
    "vit_base": (86_567_656, 17_563_828_224),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet101": (44_549_160, 7_801_405_440),
    "resnet152": (60_192_808, 11_513_626_624),
    "resnext50_32x4d": (25_028_904, 4_230_479_872),
    "resnext101_32x4d": (44_177_704, 7_969_996_800),
    "resnext101_64x4d": (83_455_272, 15_460_270_080),
}


@pytest.mark.parametrize("name", PRESETS)
def test_golden_table(name: str) -> None:
    """Every preset has the parameters and MACs of the table."""
    cost = network_cost(PRESETS[name].config, (224, 224)).total
    assert (cost.params, cost.macs) == GOLDEN[name]


def test_the_table_has_every_preset() -> None:
    """A new preset needs a golden row."""
    assert list(GOLDEN) == list(PRESETS)


@given(cases())
@settings(max_examples=30, deadline=None)
def test_parameters_are_counted_stage_by_stage(case: Case) -> None:
    """Every stage's closed form == the parameters of that stage's module; the head is the rest."""
    config, image_size, task = case
    with torch.device("meta"):
        model = build_pvt(config, task=task)
    cost = pvt_cost(config, image_size, task)
    assert [stage.params for stage in cost.stages] == [count_params(stage) for stage in model.stages]
    assert cost.total.params == count_params(model)


@given(cases())
@settings(max_examples=50, deadline=None)
def test_input_size_changes_macs_never_parameters(case: Case) -> None:
    """Parameters depend on `image_size` of the configuration, not on the input."""
    config, image_size, task = case
    own = (config.image_size, config.image_size)
    assert pvt_cost(config, image_size, task).total.params == pvt_cost(config, own, task).total.params


@given(cases())
@settings(max_examples=50, deadline=None)
def test_stages_and_head_sum_to_the_total(case: Case) -> None:
    """Total == stages + head, and macs are conv + linear + matmul."""
    config, image_size, task = case
    cost = pvt_cost(config, image_size, task)
    macs = sum(stage.macs for stage in cost.stages) + cost.head.macs
    operators = cost.total.by_operator()
    assert cost.total.macs == macs == sum(operators.get(name, 0) for name in ("conv", "linear", "matmul"))


BASE = PVTConfig(
    stages=(StageConfig(4, 8, 1, 2, 2), StageConfig(2, 8, 1, 2, 2, SpatialReduction(2))),
    image_size=32,
    pool="mean",
    mlp="conv",
)


def costed(shape: StageShape, grid: Grid) -> LayerCost:
    cost = stage_cost(BASE, 1, shape, in_chans=8, grid=grid, learned=Grid(4, 4), task="classification")
    assert isinstance(cost, LayerCost)
    return cost


def test_arrays_of_stages_cost_what_each_stage_costs() -> None:
    """One call on numpy arrays == a call per stage on ints, for every operator."""
    rng = np.random.default_rng(0)
    columns = {
        "patch_size": rng.integers(1, 5, 50),
        "embed_dim": 8 * rng.integers(1, 20, 50),
        "depth": rng.integers(1, 9, 50),
        "num_heads": np.ones(50, dtype=int),
        "mlp_width": rng.integers(1, 999, 50),
    }
    ratios = rng.integers(1, 5, 50)
    heights, widths = rng.integers(4, 60, 50), rng.integers(4, 60, 50)
    together = costed(StageShape(**columns, reduction=Strided(ratios)), Grid(heights, widths))
    for i in range(50):
        row = {name: int(column[i]) for name, column in columns.items()}
        alone = costed(StageShape(**row, reduction=Strided(int(ratios[i]))), Grid(int(heights[i]), int(widths[i])))
        for field in fields(LayerCost):
            column = np.broadcast_to(getattr(together, field.name), 50)
            assert column[i] == getattr(alone, field.name), field.name


def test_inputs_are_not_modified() -> None:
    """Arrays that went in are what they were."""
    widths = np.array([8, 16])
    before = widths.copy()
    costed(StageShape(2, widths, 1, 1, 2 * widths, Pooled(3)), Grid(np.array([4, 6]), np.array([4, 6])))
    assert np.array_equal(widths, before)


@pytest.mark.parametrize("reduction", [Strided(2), Strided(1), Pooled(7)])
@pytest.mark.parametrize("side", [8, 9, 31])
def test_formulas_in_symbols_are_the_numbers(reduction: Reduction, side: int) -> None:
    """A formula in H and W, evaluated, == the call on ints."""
    height, width = sympy.symbols("H W", integer=True, positive=True)
    shape = StageShape(2, 8, 2, 1, 32, reduction)
    formula = costed(shape, Grid(height, width)).macs
    assert formula.subs({height: side, width: side + 3}) == costed(shape, Grid(side, side + 3)).macs


def test_attention_is_quadratic_without_reduction_and_linear_when_pooled() -> None:
    """Degree of the product term in the tokens: PVT v1, section 3.3, against PVT v2, section 3.1."""
    height, width = sympy.symbols("H W", integer=True, positive=True)
    grid = Grid(height, width)
    degrees = [
        sympy.Poly(
            attention(8, tokens=grid.tokens, reduced=reduced_by(reduction, grid, 8), qkv_bias=True).matmul, height
        ).degree()
        for reduction in (Strided(1), Pooled(7))
    ]
    assert degrees == [2, 1]


def test_grid_sides_are_reduced_before_they_are_multiplied() -> None:
    """Side 7, ratio 2: 3 * 3 reduced tokens, not 49 // 4 = 12."""
    assert spatial_reduction(2, Grid(7, 7), 8).tokens == 9


def test_sr_ratio_1_has_no_layers() -> None:
    """Neither convolution nor norm, for an int and inside an array."""
    assert spatial_reduction(1, Grid(7, 7), 8).cost == LayerCost()
    assert spatial_reduction(np.array([1, 2]), Grid(7, 7), 8).cost.params.tolist() == [0, 8 * 8 * 4 + 8 + 16]


def test_costs_add_and_repeat() -> None:
    """2 * a == a + a, and the empty cost is neutral."""
    layer = linear(3, 5, tokens=7)
    assert layer == LayerCost(params=20, linear=105)
    assert 2 * layer == layer + layer == layer + layer + LayerCost()
    assert layer.by_operator() == {"linear": 105}


def test_a_backbone_costs_the_classifier_less_its_own_parts() -> None:
    """v1: without head (C * 1000 + 1000), final norm (2 C) and class token (C); v2: without head only."""
    for name, extra in (("pvt_tiny", 3 * 512), ("pvt_v2_b1", 0)):
        config = PRESETS[name].config
        whole = network_cost(config, (224, 224)).total.params
        assert whole - network_cost(config, (224, 224), "backbone").total.params == 512 * 1000 + 1000 + extra


def test_no_classes_no_head() -> None:
    """num_classes 0 costs the classifier less its linear layer."""
    config = PRESETS["pvt_tiny"].config
    assert isinstance(config, PVTConfig)
    cost: NetworkCost = pvt_cost(replace(config, num_classes=0), (224, 224))
    assert cost.head == LayerCost()
    assert cost.stages == pvt_cost(config, (224, 224)).stages


def test_shape_of_a_stage_has_its_mlp_width() -> None:
    """Widths are cut to integers as the official code does: int(embed_dim * mlp_ratio)."""
    assert shape_of(StageConfig(4, 10, 1, 2, 2.39)).mlp_width == 23
