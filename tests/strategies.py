"""What property tests draw from: small, legal networks of every kind. Shared by the test modules."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

from hypothesis import strategies as st

from pvtsearch.analysis.setting import ELEMENT_BYTES, MemorySetting
from pvtsearch.config import DenseTask, PooledReduction, PVTConfig, ResNetConfig, StageConfig
from pvtsearch.verification import Case, draw_case


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A network, an input size (height, width) and a task that go together."""
    return draw_case(lambda options: draw(st.sampled_from(options)))


def configs() -> st.SearchStrategy[PVTConfig]:
    """A small legal network, 1 to 6 stages, parts of both versions mixed."""
    return cases().map(lambda case: case.config)


@st.composite
def dense_cases(draw: st.DrawFn) -> Case:
    """A network of four stages of any kind, an odd input size and a dense task."""
    return draw_case(lambda options: draw(st.sampled_from(options)), stage_counts=(4,), tasks=get_args(DenseTask))


def memory_settings() -> st.SearchStrategy[MemorySetting]:
    """Batches of 1 to 8, every dtype, both kinds of attention, every optimizer; no autocast."""
    return st.builds(
        MemorySetting,
        batch_size=st.integers(1, 8),
        dtype=st.sampled_from(list(ELEMENT_BYTES)),
        attention=st.sampled_from(["fused", "explicit"]),
        optimizer=st.sampled_from(["none", "sgd", "adamw"]),
    )


def autocast_settings() -> st.SearchStrategy[MemorySetting]:
    """The same under autocast, to both of its types."""
    lowers = st.sampled_from(["bfloat16", "float16"])
    return st.builds(replace, memory_settings(), dtype=st.just("float32"), autocast=lowers)


@st.composite
def resnets(draw: st.DrawFn) -> ResNetConfig:
    """A shallow ResNet or ResNeXt of every kind."""
    block, groups, width = draw(
        st.sampled_from([("basic", 1, 64), ("bottleneck", 1, 64), ("bottleneck", 2, 8), ("bottleneck", 32, 4)])
    )
    return ResNetConfig(
        name="random",
        block=block,
        depths=draw(st.tuples(*[st.integers(1, 3)] * 4)),
        groups=groups,
        width_per_group=width,
        num_classes=draw(st.sampled_from((0, 1, 10))),
        in_chans=draw(st.sampled_from((1, 3))),
    )


def thin_cases() -> list[Case]:
    """Networks of one channel per head and grids of one token."""
    thin = StageConfig(4, 3, 1, 3, 1, PooledReduction(2))
    return [
        Case(
            PVTConfig(stages=stages, image_size=16, pool="mean", mlp="conv", position=position, patch_norm=False),
            image_size,
            task,
        )
        for stages in ((thin,), (replace(thin, embed_dim=1, num_heads=1),), (thin, StageConfig(4, 2, 1, 2, 1)))
        for position in ("learned", "none")
        for image_size in ((16, 16), (31, 16))
        for task in ("classification", "backbone")
    ]
