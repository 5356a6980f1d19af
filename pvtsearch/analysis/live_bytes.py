"""Peak memory of a built network, observed: what the closed forms of memory are held against.

Every storage that an operator returns is watched by a weak reference and counts with its bytes, once, for as long as
anything holds it. What one aten operator allocates and releases inside itself is not seen: blocked copies of a
convolution, the partial sums of fused attention, workspaces of libraries.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pvtsearch.analysis.counted import evaluating

COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its constructor untyped
    """Bytes of all live storages, now and at most: those handed in, and those that operators return."""

    def __init__(self, tensors: Iterable[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._storages = weakref.WeakSet(tensor.untyped_storage() for tensor in tensors)
        self.peak_bytes = self.live_bytes

    @property
    def live_bytes(self) -> int:
        """Bytes of the storages that something holds."""
        return sum(storage.nbytes() for storage in self._storages)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the operator, a composite one by the operators it is made of, and look at what it returns."""
        if torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), COMPOSITE):
            with self:  # inference mode hands composites over whole
                return func._op_dk(COMPOSITE, *args, **(kwargs or {}))
        result = func(*args, **(kwargs or {}))
        self._storages.update(leaf.untyped_storage() for leaf in tree_leaves(result) if isinstance(leaf, Tensor))
        self.peak_bytes = max(self.peak_bytes, self.live_bytes)
        return result


def inference_peak_bytes(module: nn.Module, images: Tensor) -> int:
    """Peak of one forward pass in evaluation and inference mode: parameters, buffers, input and all that is live."""
    tracker = LiveBytes((*module.parameters(), *module.buffers(), images))
    with evaluating(module), torch.inference_mode(), tracker:
        module(images)
    return tracker.peak_bytes
