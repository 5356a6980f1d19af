"""Laws of search spaces."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from small_spaces import every_config, image_sizes, spaces

from pvtsearch.config import ImageSize, SpatialReduction, StageConfig
from pvtsearch.errors import SpaceError
from pvtsearch.knobs import ShareRule, StageKnobs
from pvtsearch.presets import PRESETS, V1_PRESETS, V2_PRESETS
from pvtsearch.serialize_space import load_space, shipped_spaces
from pvtsearch.space import SearchSpace


@settings(max_examples=60, deadline=None)
@given(space=spaces(), image_size=image_sizes)
def test_size_equals_brute_force(space: SearchSpace, image_size: ImageSize) -> None:
    """The exact size is the number of legal, distinct configurations that trying every combination finds."""
    size = space.size(image_size)
    assert size.legal == len(every_config(space, image_size))
    assert size.product == size.legal + sum(size.dropped().values())
    assert all(count >= 0 for count in size.dropped().values())


def test_size_of_tiny_equals_brute_force() -> None:
    """The shipped tiny space holds exactly what enumeration finds."""
    space = load_space("tiny")
    assert space.size((64, 64)).legal == len(every_config(space, (64, 64))) == 8192


@pytest.mark.parametrize("name", V1_PRESETS)
def test_v1_presets_are_points_of_their_space(name: str) -> None:
    """Every published PVT v1 is a point of pvt_v1."""
    assert load_space("pvt_v1").contains(PRESETS[name].config)


@pytest.mark.parametrize("name", V2_PRESETS)
def test_v2_presets_are_points_of_their_space(name: str) -> None:
    """Every published PVT v2 is a point of pvt_v2."""
    assert load_space("pvt_v2").contains(PRESETS[name].config)


def test_a_space_contains_only_its_points() -> None:
    """A network of the other family, another depth, or another number of stages is no point."""
    space, small = load_space("pvt_v1"), PRESETS["pvt_small"].config
    assert not space.contains(PRESETS["pvt_v2_b2"].config)
    assert not space.contains(replace(small, stages=(*small.stages[:3], replace(small.stages[3], depth=99))))
    assert not space.contains(PRESETS["deit_small"].config)
    narrower = replace(small.stages[1], embed_dim=64, num_heads=1)
    assert space.contains(replace(small, stages=(small.stages[0], narrower, *small.stages[2:])))
    wide_first = replace(small.stages[0], embed_dim=128, num_heads=2)
    assert not space.contains(replace(small, stages=(wide_first, narrower, *small.stages[2:])))  # widths would fall


def test_shipped_search_spaces_are_large() -> None:
    """pvt_v1 and pvt_v2 hold more than 10^12 configurations each."""
    assert set(shipped_spaces()) >= {"pvt_v1", "pvt_v2", "tiny"}
    for name in ("pvt_v1", "pvt_v2"):
        assert load_space(name).size((224, 224)).legal > 10**12


@settings(max_examples=30, deadline=None)
@given(space=spaces(), image_size=image_sizes)
def test_contains_every_config_it_counts(space: SearchSpace, image_size: ImageSize) -> None:
    """At the space's own image size, what brute force finds is contained."""
    del image_size
    configs = every_config(space, (space.image_size, space.image_size))
    assume(configs)
    assert all(space.contains(config) for config in configs[:20])


def test_knobs_refuse_what_means_nothing() -> None:
    """Repeated values, no heads, both kinds of heads, and rules on stages that are not there are refused."""
    knobs = {
        "patch_size": (4,),
        "embed_dim": (8,),
        "depth": (1,),
        "mlp_ratio": (4,),
        "attention": (SpatialReduction(),),
    }
    with pytest.raises(SpaceError, match="exactly one"):
        StageKnobs(**knobs)
    with pytest.raises(SpaceError, match="exactly one"):
        StageKnobs(**knobs, num_heads=(1,), head_dim=(8,))
    with pytest.raises(SpaceError, match="must not repeat"):
        StageKnobs(**{**knobs, "depth": (2, 2)}, num_heads=(1,))
    with pytest.raises(SpaceError, match="stages 1 to 1"):
        SearchSpace((StageKnobs(**knobs, num_heads=(1,)),), rules=(ShareRule(2, "macs", "<=", 0.5),))
    assert StageKnobs(**knobs, head_dim=(4,)).stage(
        {"patch_size": 4, "embed_dim": 8, "depth": 1, "head_dim": 4, "mlp_ratio": 4, "attention": SpatialReduction()}
    ) == StageConfig(4, 8, 1, 2, 4)


def test_a_space_without_a_legal_network_is_refused_with_the_reason() -> None:
    """A class token and a convolution in the MLP cannot go together."""
    knobs = StageKnobs((4,), (8,), (1,), (4,), (SpatialReduction(),), num_heads=(1,))
    with pytest.raises(SpaceError, match="pool: cls needs mlp: plain"):
        SearchSpace((knobs,), {"pool": ("cls",), "mlp": ("conv",)})
