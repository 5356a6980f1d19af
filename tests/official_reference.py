"""PVT's forward pass written again, straight from the official code's state-dict keys: an oracle for the modules.

Four stages; explicit attention; the norms' mixed eps written out. `heads` per stage; shapes as in the papers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

State = Mapping[str, Tensor]


def _linear(state: State, name: str, x: Tensor) -> Tensor:
    return F.linear(x, state[f"{name}.weight"], state.get(f"{name}.bias"))


def _norm(state: State, name: str, x: Tensor, eps: float) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], eps)


def _to_map(x: Tensor, height: int, width: int) -> Tensor:
    return x.permute(0, 2, 1).reshape(x.shape[0], x.shape[2], height, width)


def _to_tokens(x: Tensor) -> Tensor:
    return x.reshape(x.shape[0], x.shape[1], -1).permute(0, 2, 1)


def _attention(state: State, name: str, x: Tensor, *, height: int, width: int, heads: int, pooled: bool) -> Tensor:
    source = x
    if f"{name}.sr.weight" in state:
        weight = state[f"{name}.sr.weight"]
        source = _to_map(x, height, width)
        source = F.adaptive_avg_pool2d(source, 7) if pooled else source
        source = F.conv2d(source, weight, state[f"{name}.sr.bias"], stride=weight.shape[-1])
        source = _norm(state, f"{name}.norm", _to_tokens(source), 1e-5)
        source = F.gelu(source) if pooled else source
    batch, tokens, channels = x.shape
    query = _linear(state, f"{name}.q", x).reshape(batch, tokens, heads, -1).transpose(1, 2)
    key_value = _linear(state, f"{name}.kv", source)
    key = key_value[..., :channels].reshape(batch, -1, heads, channels // heads).transpose(1, 2)
    value = key_value[..., channels:].reshape(batch, -1, heads, channels // heads).transpose(1, 2)
    weights = ((query @ key.mT) / (channels // heads) ** 0.5).softmax(-1)
    return _linear(state, f"{name}.proj", (weights @ value).transpose(1, 2).reshape(batch, tokens, channels))


def _mlp(state: State, name: str, x: Tensor, *, height: int, width: int, pooled: bool) -> Tensor:
    hidden = _linear(state, f"{name}.fc1", x)
    if f"{name}.dwconv.dwconv.weight" in state:
        hidden = hidden.relu() if pooled else hidden
        weight, bias = state[f"{name}.dwconv.dwconv.weight"], state[f"{name}.dwconv.dwconv.bias"]
        hidden = _to_tokens(F.conv2d(_to_map(hidden, height, width), weight, bias, padding=1, groups=len(weight)))
    return _linear(state, f"{name}.fc2", F.gelu(hidden))


def _blocks(state: State, stage: int, x: Tensor, *, height: int, width: int, heads: int, pooled: bool) -> Tensor:
    block = 0
    while f"block{stage}.{block}.norm1.weight" in state:
        name = f"block{stage}.{block}"
        normed = _norm(state, f"{name}.norm1", x, 1e-6)
        x = x + _attention(state, f"{name}.attn", normed, height=height, width=width, heads=heads, pooled=pooled)
        x = x + _mlp(
            state, f"{name}.mlp", _norm(state, f"{name}.norm2", x, 1e-6), height=height, width=width, pooled=pooled
        )
        block += 1
    return x


def official_v1(state: State, images: Tensor, *, heads: Sequence[int], image_size: int) -> Tensor:
    """Class scores of PVT v1; positions interpolated at every stage whose grid is not the learned one."""
    x = images
    for stage, head_count in enumerate(heads, start=1):
        weight = state[f"patch_embed{stage}.proj.weight"]
        features = F.conv2d(x, weight, state[f"patch_embed{stage}.proj.bias"], stride=weight.shape[-1])
        height, width = features.shape[2:]
        tokens = _norm(state, f"patch_embed{stage}.norm", _to_tokens(features), 1e-5)
        position = state[f"pos_embed{stage}"]
        token_entry, position = position[:, : int(stage == 4)], position[:, int(stage == 4) :]
        side = image_size // 2 ** (stage + 1)
        if (height, width) != (side, side):
            position = F.interpolate(_to_map(position, side, side), size=(height, width), mode="bilinear")
            position = _to_tokens(position)
        if stage == 4:
            tokens = torch.cat((state["cls_token"].expand(len(tokens), -1, -1), tokens), dim=1)
            position = torch.cat((token_entry, position), dim=1)
        tokens = _blocks(state, stage, tokens + position, height=height, width=width, heads=head_count, pooled=False)
        x = _to_map(tokens, height, width) if stage < 4 else _norm(state, "norm", tokens, 1e-6)[:, 0]
    return _linear(state, "head", x)


def official_v2(state: State, images: Tensor, *, heads: Sequence[int], pooled: bool) -> Tensor:
    """Class scores of PVT v2; pooled: the linear variant."""
    x = images
    for stage, head_count in enumerate(heads, start=1):
        weight, bias = state[f"patch_embed{stage}.proj.weight"], state[f"patch_embed{stage}.proj.bias"]
        features = F.conv2d(x, weight, bias, stride=4 if stage == 1 else 2, padding=weight.shape[-1] // 2)
        height, width = features.shape[2:]
        tokens = _norm(state, f"patch_embed{stage}.norm", _to_tokens(features), 1e-5)
        tokens = _blocks(state, stage, tokens, height=height, width=width, heads=head_count, pooled=pooled)
        tokens = _norm(state, f"norm{stage}", tokens, 1e-6)
        x = _to_map(tokens, height, width) if stage < 4 else tokens.mean(1)
    return _linear(state, "head", x)
