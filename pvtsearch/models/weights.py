"""Weights in and out: our own keys, the official code's, timm's and Hugging Face's, recognised by themselves."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pvtsearch.documents import readable
from pvtsearch.errors import InputError, WeightsError
from pvtsearch.models.baselines import RESNET_STRIDES
from pvtsearch.models.constructors import Call, official_v1, official_v2
from pvtsearch.models.layouts import LAYOUTS, OFFICIAL_V1, OFFICIAL_V2, Layout
from pvtsearch.models.pvt import PVT, PVTBackbone, PVTClassifier
from pvtsearch.shown import printable

WRAPPERS = ("model", "state_dict")
PREFIXES = ("module.", "pvt.", "pvt_v2.")
SHOWN_KEYS = 3
LONGEST = 200  # characters of a key with its shapes
# What the official code drops when a backbone loads classification weights.
CLASSIFICATION_ONLY = re.compile(r"(head|fc)\.|stages\.\d+\.(class_token|norm)\.")


def read_checkpoint(path: str | Path) -> Mapping[str, Any]:
    """What a checkpoint file holds: safetensors by its suffix, else torch.save's format, tensors only.

    Raises `WeightsError` for a file that is missing, damaged, or would run code.
    """
    path = Path(path)
    try:
        with readable(path):
            if path.suffix == ".safetensors":
                return _read_safetensors(path)
            content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except WeightsError:
        raise
    except InputError as error:
        raise WeightsError(str(error)) from error
    except Exception as error:  # a file of any content: torch raises what it stumbles over
        reason = type(error).__name__
        raise WeightsError(f"{path}: no checkpoint of tensors that can be read safely ({reason})") from error
    if not isinstance(content, Mapping):
        raise WeightsError(f"{path}: a checkpoint holds a mapping of names to tensors, got {type(content).__name__}")
    return content


def _read_safetensors(path: Path) -> Mapping[str, Tensor]:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise WeightsError(f"{path}: reading it needs the package safetensors") from error
    try:
        return load_file(path)
    except SafetensorError as error:
        raise WeightsError(f"{path}: no safetensors file: {error}") from error


def _tensors(state_dict: Any) -> dict[str, Tensor]:
    if not isinstance(state_dict, Mapping):
        raise WeightsError(f"a state dict maps names to tensors, got {type(state_dict).__name__}")
    for wrapper in WRAPPERS:
        if isinstance(state_dict.get(wrapper), Mapping):
            state_dict = state_dict[wrapper]
    strangers = [str(key) for key, value in state_dict.items() if not (isinstance(key, str) and _is_plain(value))]
    if strangers or not state_dict:
        raise WeightsError(f"a state dict maps names to dense, real tensors, got {_some(strangers) or 'nothing'}")
    tensors = dict(state_dict)
    for prefix in PREFIXES:
        if any(key.startswith(prefix) for key in tensors):
            tensors = {key.removeprefix(prefix): tensor for key, tensor in tensors.items()}
    return tensors


def _is_plain(value: Any) -> bool:
    """Whether value is a tensor that can be copied into a parameter, and is no larger than what was stored of it."""
    if not isinstance(value, Tensor) or value.layout != torch.strided or value.is_nested:
        return False
    strange = value.is_meta or value.is_complex() or value.is_quantized
    return not strange and value.numel() * value.element_size() <= value.untyped_storage().nbytes()


def recognised_layout(keys: Iterable[str]) -> Layout:
    """The layout that these keys are of; raises `WeightsError` where none is."""
    names = list(keys)
    for layout in LAYOUTS:
        if layout.is_layout_of(names):
            return layout
    known = ", ".join(layout.name for layout in LAYOUTS)
    raise WeightsError(f"these weights are of no known layout ({known}), got keys {_some(names)}")


def _split_joint_projections(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Projections as ours: `q`, and `kv` with the rows of the key first."""
    split: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        if ".attn.key." in key:
            value = tensors.get(key.replace(".attn.key.", ".attn.value."), tensor.new_zeros(0, *tensor.shape[1:]))
            split[key.replace(".attn.key.", ".attn.kv.")] = torch.cat((tensor, value))
        elif ".attn.qkv." in key and tensor.ndim:
            width = len(tensor) // 3
            split[key.replace(".attn.qkv.", ".attn.q.")] = tensor[:width]
            split[key.replace(".attn.qkv.", ".attn.kv.")] = tensor[width:]
        elif ".attn.value." not in key:
            split[key] = tensor
    return split


def load_weights(model: nn.Module, state_dict: Mapping[str, Any]) -> None:
    """Load weights of any known layout, alone or wrapped under "model" or "state_dict".

    A model without classifier, class token or end norm leaves out those that classification weights bring; all else
    must fit one to one. Raises `WeightsError` that names what is missing, unexpected or of another shape; the model
    is then as it was.
    """
    theirs = _tensors(state_dict)
    layout = recognised_layout(theirs)
    own = model.state_dict()
    stages = _stages_of(model)
    named = {layout.to_ours(key, stages=stages) or key: tensor for key, tensor in theirs.items()}
    tensors = {
        key: tensor
        for key, tensor in _split_joint_projections(named).items()
        if key in own or not _is_droppable(model, key)
    }
    problems = _problems(own, tensors, lambda key: layout.from_ours(key, stages=stages) or key)
    if problems:
        raise WeightsError(f"weights of layout {layout.name} do not fit: {'; '.join(problems)}")
    model.load_state_dict(tensors)


def _stages_of(model: nn.Module) -> int:
    return len(model.config.stages) if isinstance(model, PVTClassifier | PVTBackbone) else len(RESNET_STRIDES)


def _is_droppable(model: nn.Module, key: str) -> bool:
    if isinstance(model, PVTClassifier):
        return model.config.num_classes == 0 and key.startswith("head.")
    return CLASSIFICATION_ONLY.match(key) is not None


def _problems(own: Mapping[str, Tensor], given: Mapping[str, Tensor], name: Callable[[str], str]) -> list[str]:
    missing = [name(key) for key in own if key not in given]
    unexpected = [name(key) for key in given if key not in own]
    reshaped = [
        f"{name(key)} (expected {tuple(own[key].shape)}, got {tuple(given[key].shape)})"
        for key in own
        if key in given and own[key].shape != given[key].shape
    ]
    kinds = (("missing", missing), ("unexpected", unexpected), ("of another shape", reshaped))
    return [f"{len(keys)} {kind}: {_some(keys)}" for kind, keys in kinds if keys]


def _some(keys: list[str]) -> str:
    shown = (printable(key[:LONGEST]) + "..." * (len(key) > LONGEST) for key in keys[:SHOWN_KEYS])
    return ", ".join(shown) + (", ..." if len(keys) > SHOWN_KEYS else "")


def official_state_dict(model: PVT) -> dict[str, Tensor]:
    """The weights under the official code's keys, ready for its `load_state_dict`; tensors are shared, not copied.

    Raises `WeightsError` where the official code cannot hold the network.
    """
    config = model.config
    if isinstance(official_v1(config), Call):
        layout = OFFICIAL_V1
    elif isinstance(official_v2(config), Call):
        layout = OFFICIAL_V2
    else:
        raise WeightsError(
            f"the official code cannot hold {config.name}. PVT v1: {official_v1(config)}. PVT v2: {official_v2(config)}"
        )
    stages = len(config.stages)
    return {layout.from_ours(key, stages=stages) or key: tensor for key, tensor in model.state_dict().items()}
