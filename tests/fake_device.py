"""A CUDA device that is not there: torch's fake tensors, which know of every operator what it returns on a device.

They know it from the operators' meta kernels, so this is what torch documents of itself, and no measurement. The
backward pass asks for a device, so a training step is followed up to its loss.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pvtsearch.analysis.live_bytes import loss_of
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import ImageSize, ModelConfig, NetworkTask
from pvtsearch.models.baselines import build_model


class Live(TorchDispatchMode):
    """Bytes of the storages that operators returned and that something holds: now, and at most."""

    def __init__(self, there: Iterable[Tensor]) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known = {tensor.untyped_storage()._cdata for tensor in there}

    def __torch_dispatch__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        returned = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(returned):
            if isinstance(leaf, Tensor) and not is_seed(leaf):
                self._watch(leaf)
        self.peak = max(self.peak, self.now)
        return returned

    def _watch(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        name, nbytes = storage._cdata, storage.nbytes()
        if name not in self._known:
            self._known.add(name)
            self.now += nbytes
            weakref.finalize(storage, self._forget, name, nbytes)

    def _forget(self, name: int, nbytes: int) -> None:
        self._known.discard(name)
        self.now -= nbytes


def is_seed(tensor: Tensor) -> bool:
    """Seed and offset of memory-efficient attention, which stay on the CPU where nothing drops out."""
    return tensor.dtype == torch.int64 and tensor.dim() == 0


def attend(query: Tensor, key: Tensor, value: Tensor, scale: float) -> Tensor:
    """The kernel that torch takes on a CUDA device: flash for half types, memory-efficient for float32."""
    if query.dtype != torch.float32:
        return torch.ops.aten._scaled_dot_product_flash_attention(query, key, value, scale=scale)[0]  # type: ignore[no-any-return]
    trains = torch.is_grad_enabled() and query.requires_grad
    efficient = torch.ops.aten._scaled_dot_product_efficient_attention
    return efficient(query, key, value, None, trains, scale=scale)[0]  # type: ignore[no-any-return]


class Observed(NamedTuple):
    """Most bytes at once, with all that is there before; bytes that operators returned and that are held at the end."""

    peak_bytes: int
    kept_bytes: int


def inference(config: ModelConfig, image_size: ImageSize, task: NetworkTask, setting: MemorySetting) -> Observed:
    """A forward pass. Without inference mode, which would hide what operators are made of; without gradients too."""
    with torch.no_grad():
        return _observe(config, image_size, task, setting, lambda module, images, _: module.eval()(images))


def forward_of_training(
    config: ModelConfig, image_size: ImageSize, task: NetworkTask, setting: MemorySetting
) -> Observed:
    """A training step up to its loss; without optimizer and labels."""
    return _observe(config, image_size, task, setting, lambda module, images, labels: loss_of(module(images), labels))


def _observe(
    config: ModelConfig,
    image_size: ImageSize,
    task: NetworkTask,
    setting: MemorySetting,
    run: Callable[[nn.Module, Tensor, Tensor], object],
) -> Observed:
    dtype = getattr(torch, setting.dtype)
    with torch.device("meta"), patch("pvtsearch.models.attention.fused_attention", attend):
        module: nn.Module = build_model(config, task=task, attention=setting.attention).to(dtype)
    with FakeTensorMode(allow_non_fake_inputs=True):
        module.to_empty(device="cuda")
        with torch.device("cuda"):
            images = torch.empty(setting.batch_size, config.in_chans, *image_size, dtype=dtype)
            labels = torch.empty(setting.batch_size if task == "classification" else 0, dtype=torch.int64)
        there = (*module.parameters(), *module.buffers(), images)
        held = {tensor.untyped_storage()._cdata: tensor.untyped_storage().nbytes() for tensor in there}
        with Live((*there, labels)) as live:
            returned = run(module, images, labels)
        kept = live.now
        del returned
    return Observed(sum(held.values()) + live.peak, kept)
