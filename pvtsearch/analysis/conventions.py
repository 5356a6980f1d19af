"""One cost, as each source would state it: the word FLOPs stands for at least five numbers.

The papers' "GFLOPs" are their official script's: mmcv's hooks on modules, and a closed form for attention that leaves a
class token out. mmcv 1.x counts a multiply-accumulate as 1, biases of convolutions but not of linear layers, a ReLU 1
per element, pooling 1 per element it reads, upsampling 1 per element it writes, an affine BatchNorm 2 per element and,
from later versions on, an affine LayerNorm 2 as well. It sees no functions: no interpolation of positions, no GELU, no
softmax, no sum. PVT v1 printed its tables before LayerNorm was counted, PVT v2 after.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, assert_never, get_args

from pvtsearch.analysis.layers import LAYER_NORM_PER_ELEMENT, LayerCost
from pvtsearch.config import Task, check_choice
from pvtsearch.errors import ConfigError
from pvtsearch.geometry import Number

Convention: TypeAlias = Literal["macs", "fvcore", "paper_v1", "paper_v2", "flops"]

LAYER_NORM_BY_MMCV = 2

MEANINGS: dict[Convention, str] = {
    "macs": "multiply-accumulates of convolutions, linear layers and attention products",
    "fvcore": "fvcore's total: MACs, and its operations of norms, resampling and adaptive pooling",
    "paper_v1": "PVT v1's GFLOPs: MACs, biases of convolutions, ReLUs, pooling, BatchNorm; no class token in attention",
    "paper_v2": "PVT v2's GFLOPs: those of PVT v1, and 2 per element of a LayerNorm",
    "flops": "two floating-point operations per multiply-accumulate",
}


def stated_operations(cost: LayerCost, convention: Convention, task: Task) -> Number:
    """Operations of a network for ONE image under a convention, from a cost in numbers, arrays or symbols.

    Raises `ConfigError` for an unknown convention, and for a paper's on a task whose operations no paper prints.
    """
    check_choice("convention", convention, get_args(Convention))
    if task == "detr" and convention in ("paper_v1", "paper_v2"):
        raise ConfigError(f"convention {convention}: the papers print no GFLOPs of detr; give macs, fvcore or flops")
    match convention:
        case "macs":
            return cost.macs
        case "fvcore":
            return sum(cost.by_operator().values())
        case "paper_v1":
            return seen_by_hooks(cost, task)
        case "paper_v2":
            return seen_by_hooks(cost, task) + LAYER_NORM_BY_MMCV * (cost.layer_norm // LAYER_NORM_PER_ELEMENT)
        case "flops":
            return 2 * cost.macs
        case _:
            assert_never(convention)


def seen_by_hooks(cost: LayerCost, task: Task) -> Number:
    """What mmcv counted before it knew LayerNorm, and the official closed form of attention."""
    attention = cost.matmul - cost.class_token_matmul
    # fvcore's rules for adaptive pooling (1 per element read) and BatchNorm (2 per element) are mmcv's too.
    resampling = cost.max_pool2d + cost.adaptive_avg_pool2d + cost.upsample
    # mmsegmentation's networks have SyncBatchNorm, a type that mmcv has no hook for.
    norms = 0 if task == "semantic_fpn" else cost.batch_norm
    return cost.conv + cost.conv_bias + cost.linear + attention + cost.relu + resampling + norms
