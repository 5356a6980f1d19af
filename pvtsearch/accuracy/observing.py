"""A module looked at without leaving a trace: its tensors stand in as copies, its modes and hooks come back.

What a score needs of a network is a forward pass, gradients, or what certain layers see. Parameters, gradients,
`requires_grad`, buffers (running statistics among them), modes, hooks and torch's random state are as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from pvtsearch.analysis.counted import in_mode

Hook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], Tensor | None]
WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)


@dataclass(frozen=True)
class Replica:
    """A module with tensors of its own; `weights` are those of its convolutions and linear layers."""

    module: nn.Module
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]

    @property
    def weights(self) -> list[Tensor]:
        """Weight tensors of convolutions and linear layers, each once, in the module's order."""
        names = [
            f"{name}.weight".lstrip(".") for name, part in self.module.named_modules() if isinstance(part, WEIGHTED)
        ]
        return [self.parameters[name] for name in names if name in self.parameters]

    def __call__(self, inputs: Tensor) -> Tensor:
        """The module's output, as a tensor."""
        output = torch.func.functional_call(self.module, {**self.parameters, **self.buffers}, (inputs,))
        if not isinstance(output, Tensor):
            raise TypeError(f"a score needs a module with one tensor as its output, got {type(output).__name__}")
        return output


@contextmanager
def replica(module: nn.Module, change: Callable[[Tensor], Tensor] = torch.Tensor.clone) -> Iterator[Replica]:
    """A replica whose floating tensors are `change` of the module's; batch statistics are the batch's own.

    Everything else is in evaluation mode: a score is no draw of a dropout. Gradients can be taken.
    """
    parameters = {
        name: _changed(p, change).requires_grad_(p.is_floating_point()) for name, p in module.named_parameters()
    }
    buffers = {name: _changed(buffer, change) for name, buffer in module.named_buffers()}
    with in_mode(module, training=False), torch.random.fork_rng(devices=[]), torch.enable_grad():
        for part in module.modules():
            if isinstance(part, _BatchNorm):
                part.training = True
        yield Replica(module, parameters, buffers)


def _changed(tensor: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    copied = tensor.detach()
    return change(copied).detach() if copied.is_floating_point() else copied.clone()


@contextmanager
def watched(module: nn.Module, kinds: Sequence[type[nn.Module]], hook: Hook) -> Iterator[int]:
    """The number of layers of some kinds in a module, each with a forward hook as long as this lasts."""
    handles = [part.register_forward_hook(hook) for part in module.modules() if isinstance(part, tuple(kinds))]
    try:
        yield len(handles)
    finally:
        for handle in handles:
            handle.remove()
