"""The call that builds a configuration in someone else's code, or why there is none. No torch.

Official: https://github.com/whai362/PVT, classification/pvt.py and pvt_v2.py, which are four-stage networks whose
stages 2 to 4 always halve. timm: `timm.models.pvt_v2` (any number of stages) and `timm.models.vision_transformer`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from pvtsearch.config import Attention, ModelConfig, PooledReduction, PVTConfig, ResNetConfig, SpatialReduction

OFFICIAL_V1 = "official PVT v1"
OFFICIAL_V2 = "official PVT v2"
TIMM_PVT_V2 = "timm pvt_v2"
TIMM_VIT = "timm vision_transformer"
TORCHVISION = "torchvision"


@dataclass(frozen=True)
class Call:
    """A Python expression, its imports before it, one statement a line."""

    code: str

    def __str__(self) -> str:
        return self.code


@dataclass(frozen=True)
class NoCall:
    """What this source has or needs that the network breaks."""

    reasons: tuple[str, ...]

    def __str__(self) -> str:
        return "; ".join(self.reasons)


Export: TypeAlias = Call | NoCall
Law: TypeAlias = tuple[bool, str]


def _export(laws: tuple[Law, ...], imports: str, constructor: str, arguments: dict[str, Any]) -> Export:
    broken = tuple(text for holds, text in laws if not holds)
    if broken:
        return NoCall(broken)
    written = ", ".join(f"{name}={value}" for name, value in arguments.items())
    return Call(f"{imports}\n{constructor}({written})")


def _parts(config: PVTConfig, *, patch_norm: bool = True, **wanted: str) -> tuple[Law, ...]:
    laws = [(getattr(config, part) == value, f"needs {part}: {value}") for part, value in wanted.items()]
    laws.append((config.patch_norm == patch_norm, f"needs patch_norm: {str(patch_norm).lower()}"))
    return tuple(laws)


def _end_norm(config: PVTConfig) -> Law:
    single = len(config.stages) == 1 and config.norm_stages == "every"
    return config.norm_stages == "last" or single, "needs norm_stages: last"


def _halving(config: PVTConfig) -> Law:
    first, *others = (stage.patch_size for stage in config.stages)
    return first == 4 and set(others) <= {2}, "needs patch sizes 4, then 2"


def _four_stages(config: PVTConfig) -> Law:
    return len(config.stages) == 4, "needs four stages"


def _all_spatial(config: PVTConfig) -> bool:
    return all(isinstance(stage.attention, SpatialReduction) for stage in config.stages)


def _all_pooled(config: PVTConfig) -> bool:
    return all(stage.attention == PooledReduction(7) for stage in config.stages)


def _sr_ratio(attention: Attention) -> int:
    return attention.sr_ratio if isinstance(attention, SpatialReduction) else 1


def _fixed_inner_eps(config: PVTConfig) -> Law:
    return config.norm_eps in (None, 1e-5), "has eps 1e-05 in the norms after patch embedding and reduction"


def _norm_layer(config: PVTConfig) -> str:
    return f"partial(nn.LayerNorm, eps={1e-6 if config.norm_eps is None else config.norm_eps})"


def _pyramid_arguments(config: PVTConfig) -> dict[str, Any]:
    return {
        "in_chans": config.in_chans,
        "num_classes": config.num_classes,
        "embed_dims": [stage.embed_dim for stage in config.stages],
        "num_heads": [stage.num_heads for stage in config.stages],
        "mlp_ratios": [stage.mlp_ratio for stage in config.stages],
        "qkv_bias": config.qkv_bias,
        "depths": [stage.depth for stage in config.stages],
        "sr_ratios": [_sr_ratio(stage.attention) for stage in config.stages],
        "drop_path_rate": config.drop_path_rate,
        "norm_layer": _norm_layer(config),
    }


def official_v1(config: PVTConfig) -> Export:
    """PyramidVisionTransformer of the official classification/pvt.py."""
    laws = (
        _four_stages(config),
        _halving(config),
        *_parts(config, patch_embed="plain", position="learned", mlp="plain", pool="cls"),
        _end_norm(config),
        (_all_spatial(config), "needs spatial reduction in all stages"),
        _fixed_inner_eps(config),
    )
    imports = "from functools import partial\nfrom torch import nn\nfrom pvt import PyramidVisionTransformer"
    arguments = {"img_size": config.image_size, "patch_size": 4, **_pyramid_arguments(config)}
    return _export(laws, imports, "PyramidVisionTransformer", arguments)


def _v2_laws(config: PVTConfig) -> tuple[Law, ...]:
    return (
        _halving(config),
        *_parts(config, patch_embed="overlap", position="none", mlp="conv", pool="mean"),
        (config.norm_stages == "every", "needs norm_stages: every"),
        (
            _all_spatial(config) or _all_pooled(config),
            "needs spatial reduction in all stages, or pool_size 7 in all stages",
        ),
        _fixed_inner_eps(config),
    )


def official_v2(config: PVTConfig) -> Export:
    """PyramidVisionTransformerV2 of the official classification/pvt_v2.py."""
    imports = "from functools import partial\nfrom torch import nn\nfrom pvt_v2 import PyramidVisionTransformerV2"
    arguments = {"img_size": config.image_size, **_pyramid_arguments(config), "linear": _all_pooled(config)}
    return _export((_four_stages(config), *_v2_laws(config)), imports, "PyramidVisionTransformerV2", arguments)


def timm_pvt_v2(config: PVTConfig) -> Export:
    """PyramidVisionTransformerV2 of timm."""
    imports = (
        "from functools import partial\nfrom torch import nn\nfrom timm.models.pvt_v2 import PyramidVisionTransformerV2"
    )
    arguments = {**_pyramid_arguments(config), "linear": _all_pooled(config)}
    return _export(_v2_laws(config), imports, "PyramidVisionTransformerV2", arguments)


def timm_vit(config: PVTConfig) -> Export:
    """VisionTransformer of timm."""
    stage = config.stages[0]
    laws = (
        (len(config.stages) == 1, "needs one stage"),
        *_parts(config, patch_norm=False, patch_embed="plain", position="learned", mlp="plain", pool="cls"),
        _end_norm(config),
    )
    imports = (
        "from functools import partial\nfrom torch import nn\n"
        "from timm.models.vision_transformer import VisionTransformer"
    )
    arguments = {
        "img_size": config.image_size,
        "patch_size": stage.patch_size,
        "in_chans": config.in_chans,
        "num_classes": config.num_classes,
        "embed_dim": stage.embed_dim,
        "depth": stage.depth,
        "num_heads": stage.num_heads,
        "mlp_ratio": stage.mlp_ratio,
        "qkv_bias": config.qkv_bias,
        "drop_path_rate": config.drop_path_rate,
        "norm_layer": _norm_layer(config),
    }
    return _export(laws, imports, "VisionTransformer", arguments)


def torchvision_resnet(config: ResNetConfig) -> Export:
    """ResNet of torchvision."""
    laws = (
        (config.in_chans == 3, "needs in_chans: 3"),
        (config.num_classes > 0, "needs a classifier"),
    )
    block = {"basic": "BasicBlock", "bottleneck": "Bottleneck"}[config.block]
    arguments = {
        "block": block,
        "layers": list(config.depths),
        "num_classes": config.num_classes,
        "groups": config.groups,
        "width_per_group": config.width_per_group,
    }
    return _export(laws, f"from torchvision.models.resnet import {block}, ResNet", "ResNet", arguments)


def constructor_calls(config: ModelConfig) -> dict[str, Export]:
    """For every source that has networks of this kind: the call that builds this one there, or why there is none."""
    if isinstance(config, ResNetConfig):
        return {TORCHVISION: torchvision_resnet(config)}
    return {
        OFFICIAL_V1: official_v1(config),
        OFFICIAL_V2: official_v2(config),
        TIMM_PVT_V2: timm_pvt_v2(config),
        TIMM_VIT: timm_vit(config),
    }
