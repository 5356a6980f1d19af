"""Published networks: their configurations, and what their papers print of them.

The two PVT papers' Table 1 print depth 3 for stage 2 of Small, Medium, B2, B2-Li and B3. That is a misprint:
the official code, the checkpoints and the papers' own #Param and GFLOPs have depth 4, and so do these presets.
The papers' "GFLOPs" are (nearly) GMACs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pvtsearch.config import (
    Attention,
    ModelConfig,
    PooledReduction,
    PVTConfig,
    ResNetBlock,
    ResNetConfig,
    SpatialReduction,
    StageConfig,
)

PVT_V1_TABLE_2 = "PVT v1 (arXiv 2102.12122), Table 2"
PVT_V2_TABLE_2 = "PVT v2 (arXiv 2106.13797), Table 2"


@dataclass(frozen=True)
class Published:
    """One printed row: ImageNet-1K top-1 at 224x224, parameters in millions, and GFLOPs, which are GMACs."""

    params_m: float
    gmacs: float
    top1_percent: float
    source: str
    note: str = ""


@dataclass(frozen=True)
class Preset:
    """A configuration and what was published of it."""

    config: ModelConfig
    published: tuple[Published, ...] = ()


def _pyramid(
    dims: Sequence[int],
    depths: Sequence[int],
    mlp_ratios: Sequence[int],
    attention: Sequence[Attention],
    num_heads: Sequence[int] = (1, 2, 5, 8),
) -> tuple[StageConfig, ...]:
    rows = zip((4, 2, 2, 2), dims, depths, num_heads, mlp_ratios, attention, strict=True)
    return tuple(StageConfig(*row) for row in rows)


SPATIAL_8421 = tuple(SpatialReduction(ratio) for ratio in (8, 4, 2, 1))
POOLED_7 = (PooledReduction(7),) * 4


def _v1(name: str, depths: Sequence[int], params_m: float, gmacs: float, error_percent: float) -> Preset:
    config = PVTConfig(name=name, stages=_pyramid((64, 128, 320, 512), depths, (8, 8, 4, 4), SPATIAL_8421))
    return Preset(config, (Published(params_m, gmacs, round(100 - error_percent, 1), PVT_V1_TABLE_2),))


def _v2(
    name: str,
    depths: Sequence[int],
    published: Published,
    *,
    dims: Sequence[int] = (64, 128, 320, 512),
    mlp_ratios: Sequence[int] = (8, 8, 4, 4),
    attention: Sequence[Attention] = SPATIAL_8421,
) -> Preset:
    config = PVTConfig(
        name=name,
        stages=_pyramid(dims, depths, mlp_ratios, attention),
        patch_embed="overlap",
        position="none",
        mlp="conv",
        pool="mean",
    )
    return Preset(config, (published,))


def _vit(
    name: str,
    embed_dim: int,
    depth: int,
    num_heads: int,
    *published: Published,
    patch_size: int = 16,
    mlp_ratio: int = 4,
    qkv_bias: bool = True,
) -> Preset:
    stage = StageConfig(patch_size, embed_dim, depth, num_heads, mlp_ratio)
    return Preset(PVTConfig(name=name, stages=(stage,), patch_norm=False, qkv_bias=qkv_bias), published)


def _resnet(
    name: str,
    block: ResNetBlock,
    depths: tuple[int, int, int, int],
    *published: Published,
    groups: int = 1,
    width_per_group: int = 64,
) -> Preset:
    config = ResNetConfig(name=name, block=block, depths=depths, groups=groups, width_per_group=width_per_group)
    return Preset(config, published)


def _both_recipes(params_m: float, gmacs: float, own_error: float | None, pvt_error: float) -> tuple[Published, ...]:
    """Rows of PVT v1's Table 2 for a baseline: its own paper's recipe (starred there) and PVT's recipe."""
    rows: list[Published] = []
    if own_error is not None:
        rows.append(Published(params_m, gmacs, round(100 - own_error, 1), PVT_V1_TABLE_2, "its own paper's recipe"))
    rows.append(Published(params_m, gmacs, round(100 - pvt_error, 1), PVT_V1_TABLE_2, "PVT's recipe"))
    return tuple(rows)


_B0_NOTE = "the paper prints 3.4 M parameters; the official code and its README have 3.7 M"
_B1_NOTE = "the paper prints 13.1 M parameters; the official code and its README have 14.0 M"
_B3_NOTE = "the official README prints 83.1"
_VIT_SMALL_NOTE = "8 layers of width 768, MLP ratio 3, no qkv bias: not today's ViT-Small of 22 M"

_PRESETS = (
    _v1("pvt_tiny", (2, 2, 2, 2), 13.2, 1.9, 24.9),
    _v1("pvt_small", (3, 4, 6, 3), 24.5, 3.8, 20.2),
    _v1("pvt_medium", (3, 4, 18, 3), 44.2, 6.7, 18.8),
    _v1("pvt_large", (3, 8, 27, 3), 61.4, 9.8, 18.3),
    _v2(
        "pvt_v2_b0",
        (2, 2, 2, 2),
        Published(3.4, 0.6, 70.5, PVT_V2_TABLE_2, _B0_NOTE),
        dims=(32, 64, 160, 256),
    ),
    _v2("pvt_v2_b1", (2, 2, 2, 2), Published(13.1, 2.1, 78.7, PVT_V2_TABLE_2, _B1_NOTE)),
    _v2("pvt_v2_b2", (3, 4, 6, 3), Published(25.4, 4.0, 82.0, PVT_V2_TABLE_2)),
    _v2("pvt_v2_b2_li", (3, 4, 6, 3), Published(22.6, 3.9, 82.1, PVT_V2_TABLE_2), attention=POOLED_7),
    _v2("pvt_v2_b3", (3, 4, 18, 3), Published(45.2, 6.9, 83.2, PVT_V2_TABLE_2, _B3_NOTE)),
    _v2("pvt_v2_b4", (3, 8, 27, 3), Published(62.6, 10.1, 83.6, PVT_V2_TABLE_2)),
    _v2("pvt_v2_b5", (3, 6, 40, 3), Published(82.0, 11.8, 83.8, PVT_V2_TABLE_2), mlp_ratios=(4, 4, 4, 4)),
    _vit("deit_tiny", 192, 12, 3, Published(5.7, 1.3, 72.2, PVT_V1_TABLE_2)),
    _vit("deit_small", 384, 12, 6, Published(22.1, 4.6, 79.9, PVT_V1_TABLE_2)),
    _vit("deit_base", 768, 12, 12, Published(86.6, 17.6, 81.8, PVT_V1_TABLE_2)),
    _vit(
        "vit_small_16_768",
        768,
        8,
        8,
        Published(48.8, 9.9, 80.8, PVT_V1_TABLE_2, _VIT_SMALL_NOTE),
        mlp_ratio=3,
        qkv_bias=False,
    ),
    _vit("vit_small_32_768", 768, 8, 8, patch_size=32, mlp_ratio=3, qkv_bias=False),
    _vit("vit_base", 768, 12, 12, Published(86.6, 17.6, 81.8, PVT_V1_TABLE_2)),
    _resnet("resnet18", "basic", (2, 2, 2, 2), *_both_recipes(11.7, 1.8, 30.2, 31.5)),
    _resnet("resnet34", "basic", (3, 4, 6, 3)),
    _resnet("resnet50", "bottleneck", (3, 4, 6, 3), *_both_recipes(25.6, 4.1, 23.9, 21.5)),
    _resnet("resnet101", "bottleneck", (3, 4, 23, 3), *_both_recipes(44.7, 7.9, 22.6, 20.2)),
    _resnet("resnet152", "bottleneck", (3, 8, 36, 3), Published(60.2, 11.6, 78.3, PVT_V2_TABLE_2)),
    _resnet(
        "resnext50_32x4d",
        "bottleneck",
        (3, 4, 6, 3),
        *_both_recipes(25.0, 4.3, 22.4, 20.5),
        groups=32,
        width_per_group=4,
    ),
    _resnet(
        "resnext101_32x4d",
        "bottleneck",
        (3, 4, 23, 3),
        *_both_recipes(44.2, 8.0, 21.2, 19.4),
        groups=32,
        width_per_group=4,
    ),
    _resnet(
        "resnext101_64x4d",
        "bottleneck",
        (3, 4, 23, 3),
        *_both_recipes(83.5, 15.6, 20.4, 18.5),
        groups=64,
        width_per_group=4,
    ),
)

PRESETS: dict[str, Preset] = {preset.config.name: preset for preset in _PRESETS}
V1_PRESETS = ("pvt_tiny", "pvt_small", "pvt_medium", "pvt_large")
V2_PRESETS = ("pvt_v2_b0", "pvt_v2_b1", "pvt_v2_b2", "pvt_v2_b2_li", "pvt_v2_b3", "pvt_v2_b4", "pvt_v2_b5")
