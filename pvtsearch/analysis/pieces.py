"""The pieces that a network's latency is the sum of, and the work in each: the closed form on arrays.

A stage is an embedding (patch embedding, class token, positions, end norm) and `depth` blocks. A block does not see the
channels that enter its stage, nor an embedding the heads, so what is learned of a piece holds wherever it stands. A
network is a call (what running anything costs), its stages and its head.

Letters: B images, N tokens, M reduced tokens, C embed_dim, E hidden width of the MLP, h heads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np

from pvtsearch.analysis.closed_form import attention as attention_cost
from pvtsearch.analysis.closed_form import mlp, patch_embedding, reduced_by
from pvtsearch.analysis.shapes import Pooled, StageShape
from pvtsearch.config import PVTConfig, Task
from pvtsearch.geometry import Grid, Number, patch_kernel

Kind: TypeAlias = Literal["call", "embedding", "block", "head"]

ALIGNED = 64  # elements: matrix kernels work in tiles, a width that is no multiple of them wastes part of one


@dataclass(frozen=True)
class Piece:
    """One piece, or N of a kind as arrays: how much of each kind of work, and what else its time may depend on.

    work: by names of `WORK`, for the whole batch. sizes: above 0, they enter by their logarithms. marks: 0 or 1.
    """

    kind: Kind
    work: dict[str, Number]
    sizes: dict[str, Number] = field(default_factory=dict)
    marks: dict[str, Number] = field(default_factory=dict)


WORK = (
    "calls",
    "embeddings", "embedding macs", "embedding columns", "embedding elements", "embedding weights", "interpolated",
    "blocks", "linear macs", "attention macs", "softmax elements", "token elements", "hidden elements",
    "depthwise macs", "block weights",
    "reductions", "reduction macs", "reduction weights", "pooled elements",
    "heads", "head macs",
)  # fmt: skip
SIZES: dict[Kind, tuple[str, ...]] = {
    "embedding": ("in_chans", "embed_dim", "tokens", "patch_size"),
    "block": ("embed_dim", "head_dim", "mlp_ratio", "tokens", "reduced"),
}
MARKS: dict[Kind, tuple[str, ...]] = {
    "embedding": ("unaligned",),
    "block": ("unaligned", "unaligned hidden", "odd heads", "unreduced", "pooled"),
}


def call_piece() -> Piece:
    """What it costs to run anything at all."""
    return Piece("call", {"calls": 1})


def embedding_piece(
    config: PVTConfig,
    index: int,
    shape: StageShape,
    *,
    in_chans: Number,
    grid: Grid,
    learned: Grid,
    task: Task,
    batch_size: int,
) -> Piece:
    """All of stage `index` but its blocks; arguments as of `closed_form.stage_cost`."""
    channels, tokens = shape.embed_dim, grid.tokens
    kernel = patch_kernel(shape.patch_size, config.patch_embed)
    layers = patch_embedding(in_chans, channels, kernel=kernel, tokens=tokens, patch_norm=False)
    resized = config.position == "learned" and tuple(grid) != tuple(learned)
    passes = (
        1
        + 2 * config.patch_norm
        + 2 * config.has_end_norm(index, task)
        + (config.position == "learned")
        + config.has_class_token(index, task)
    )
    return Piece(
        "embedding",
        {
            "embeddings": 1,
            "embedding macs": batch_size * layers.conv,
            "embedding columns": batch_size * tokens * kernel * kernel * in_chans,
            "embedding elements": batch_size * tokens * channels * passes,
            "embedding weights": kernel * kernel * in_chans * channels,
            "interpolated": resized * tokens * channels,
        },
        {"in_chans": in_chans, "embed_dim": channels, "tokens": tokens, "patch_size": shape.patch_size},
        {"unaligned": (channels % ALIGNED > 0) * 1},
    )


def block_piece(config: PVTConfig, index: int, shape: StageShape, *, grid: Grid, task: Task, batch_size: int) -> Piece:
    """One block of stage `index`."""
    channels, hidden, heads = shape.embed_dim, shape.mlp_width, shape.num_heads
    token = int(config.has_class_token(index, task))
    tokens = grid.tokens + token
    reduced = reduced_by(shape.reduction, grid, channels)
    reduced = reduced._replace(tokens=reduced.tokens + token)
    attending = attention_cost(channels, tokens=tokens, reduced=reduced, qkv_bias=config.qkv_bias)
    mixing = mlp(config.mlp, channels, hidden, tokens=tokens, rectified=reduced.rectified)
    pooled = type(shape.reduction) is Pooled
    reduces = 1 if pooled else (shape.reduction[0] > 1) * 1
    return Piece(
        "block",
        {
            "blocks": 1,
            "linear macs": batch_size * (attending.linear + mixing.linear),
            "attention macs": batch_size * attending.matmul,
            "softmax elements": batch_size * tokens * reduced.tokens * heads,
            "token elements": batch_size * tokens * channels,
            "hidden elements": batch_size * tokens * hidden,
            "depthwise macs": batch_size * mixing.conv,
            "block weights": 4 * channels * channels + 2 * channels * hidden,
            "reductions": reduces,
            "reduction macs": batch_size * reduced.cost.conv,
            "reduction weights": reduced.cost.params,
            "pooled elements": batch_size * reduced.cost.adaptive_avg_pool2d,
        },
        {
            "embed_dim": channels,
            "head_dim": channels // heads,
            "mlp_ratio": hidden / channels,
            "tokens": tokens,
            "reduced": reduced.tokens,
        },
        {
            "unaligned": (channels % ALIGNED > 0) * 1,
            "unaligned hidden": (hidden % ALIGNED > 0) * 1,
            "odd heads": ((channels // heads) % 32 > 0) * 1,
            "unreduced": 1 - reduces,
            "pooled": int(pooled),
        },
    )


def head_piece(config: PVTConfig, channels: Number, task: Task, *, batch_size: int) -> Piece:
    """The linear classifier, or no work where there is none."""
    classes = config.num_classes if task == "classification" else 0
    return Piece("head", {"heads": int(classes > 0), "head macs": batch_size * channels * classes})


def logarithm(size: Number) -> Number:
    """The binary logarithm of a size, as floats."""
    return np.log2(np.asarray(size, dtype=np.float64))
