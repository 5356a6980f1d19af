"""Peak memory of a built network, observed: what the closed forms of memory are held against.

torch's profiler notes every allocation and release of the CPU's allocator beside the operators that made them, and
changes nothing of what runs: a dispatch mode would, since autograd adds gradients in place only where none is active.
Storages that one aten operator allocates and releases inside itself do not count (blocked copies of a convolution,
partial sums of fused attention), nor do those that no operator returns, as a Python number made a tensor.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache, reduce
from itertools import count
from typing import Any, NamedTuple, assert_never

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import SGD, AdamW, Optimizer
from torch.profiler import ProfilerActivity, profile
from torch.utils._pytree import tree_leaves

from pvtsearch.analysis.counted import in_mode
from pvtsearch.analysis.setting import Autocast
from pvtsearch.analysis.setting import Optimizer as OptimizerName

COMPOSITE = "CompositeImplicitAutograd"


class Change(NamedTuple):
    """Bytes allocated, or released as a negative number, at a time and an address, inside an operator or in none."""

    nanoseconds: int
    address: int
    nbytes: int
    operator: int | None


@cache
def is_composite(name: str) -> bool:
    """Whether an operator is no more than the operators that it calls, as `aten::conv2d`."""
    packet = getattr(torch.ops.aten, name.removeprefix("aten::"), None)
    if not name.startswith("aten::") or packet is None:
        return True
    kernels = [f"{name}.{overload}".removesuffix(".default") for overload in packet.overloads()]
    known = [kernel for kernel in kernels if torch._C._dispatch_has_kernel(kernel)]
    return all(torch._C._dispatch_has_kernel_for_dispatch_key(kernel, COMPOSITE) for kernel in known)


def changes(events: Iterable[Any]) -> list[Change]:
    """Allocations and releases in a profiler's event tree, in the order of time."""
    numbers = count()

    def walk(event: Any, operator: int | None) -> Iterator[Change]:
        match event.tag.name:
            case "Allocation":
                fields = event.extra_fields
                yield Change(event.start_time_ns, fields.ptr, fields.alloc_size, operator)
            case "TorchOp" if operator is None and not is_composite(event.name):
                operator = next(numbers)
        for child in event.children:
            yield from walk(child, operator)

    return sorted((change for event in events for change in walk(event, None)), key=lambda change: change.nanoseconds)


def peak_of(history: Iterable[Change]) -> int:
    """The highest sum of bytes that operators returned, counted from what was there at the start."""
    live: dict[int, tuple[int, Change]] = {}
    counted: list[int] = []
    for position, change in enumerate(history):
        counted.append(change.nbytes)
        if change.nbytes > 0:
            live[change.address] = position, change
        elif change.address in live:
            start, allocation = live.pop(change.address)
            if allocation.operator is None or allocation.operator == change.operator:
                counted[start] = counted[position] = 0
    highest = now = 0
    for nbytes in counted:
        now += nbytes
        highest = max(highest, now)
    return highest


@contextmanager
def _quiet_profiler() -> Iterator[None]:
    """Without its notes to standard error, on machines without a GPU too."""
    variable = "KINETO_LOG_LEVEL"
    before = os.environ.get(variable)
    os.environ[variable] = "99"
    try:
        yield
    finally:
        del os.environ[variable]
        if before is not None:
            os.environ[variable] = before


def peak_bytes(run: Callable[[], None]) -> int:
    """Most bytes that are live at once while `run` runs on the CPU, beyond those that were before."""
    with _quiet_profiler(), profile(activities=[ProfilerActivity.CPU], profile_memory=True) as observed:
        run()
    return peak_of(changes(observed.profiler.kineto_results.experimental_event_tree()))


def bytes_of(tensors: Iterable[Tensor]) -> int:
    """Bytes of the tensors' storages, each once."""
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


class Ready(NamedTuple):
    """A pass or step that can run, and the tensors that are there before and after."""

    run: Callable[[], None]
    held: Sequence[Tensor]

    @property
    def held_bytes(self) -> int:
        """Bytes of what is there."""
        return bytes_of(self.held)


@contextmanager
def ready_pass(module: nn.Module, images: Tensor, *further: Tensor) -> Iterator[Ready]:
    """A forward pass in evaluation and inference mode. further: the module's inputs after the images."""

    def run() -> None:
        module(images, *further)

    with in_mode(module, training=False), torch.inference_mode():
        yield Ready(run, (*module.parameters(), *module.buffers(), images, *further))


def inference_peak_bytes(module: nn.Module, images: Tensor) -> int:
    """Peak of one forward pass: parameters, buffers, input and all that is live."""
    with ready_pass(module, images) as ready:
        return ready.held_bytes + peak_bytes(ready.run)


def loss_of(output: Tensor | list[Tensor], labels: Tensor) -> Tensor:
    """Cross-entropy of class scores; of a backbone's maps the sum of their means, read in the order they lie in."""
    if isinstance(output, Tensor):
        return F.cross_entropy(output, labels)
    means = ((each if each.is_contiguous() else each.permute(0, 2, 3, 1)).mean() for each in output)
    return reduce(Tensor.add, means)


def build_optimizer(name: OptimizerName, module: nn.Module) -> Optimizer | None:
    """torch's fused optimizer, which changes no weight: its learning rate is 0."""
    match name:
        case "none":
            return None
        case "sgd":
            return SGD(module.parameters(), lr=0.0, momentum=0.9, fused=True)
        case "adamw":
            return AdamW(module.parameters(), lr=0.0, fused=True)
        case _:
            assert_never(name)


def autocast(name: Autocast) -> AbstractContextManager[object]:
    """torch's automatic mixed precision on the CPU, or nothing."""
    return nullcontext() if name == "none" else torch.autocast("cpu", dtype=getattr(torch, name))


@contextmanager
def ready_step(
    module: nn.Module, images: Tensor, labels: Tensor, optimizer: OptimizerName, *, lower: Autocast = "none"
) -> Iterator[Ready]:
    """A training step: forward and backward pass and update, with the optimizer's state already there.

    lower: the lower type of autocast, which is around forward pass and loss, as torch documents it.
    labels: a class per image, which a backbone leaves alone; they count with the input. Has trained the module for one
    step at a learning rate of 0, so only a BatchNorm's statistics move. Parameters are left without gradients.
    """
    updates = build_optimizer(optimizer, module)
    losses: list[Tensor] = []

    def step() -> None:
        with autocast(lower):
            losses[:] = [loss_of(module(images), labels)]
        losses[0].backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        if updates:
            updates.step()

    with in_mode(module, training=True):
        step()
        module.zero_grad()
        losses.clear()
        leaves = [] if updates is None else tree_leaves(updates.state_dict())
        state = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
        yield Ready(step, (*module.parameters(), *module.buffers(), images, labels, *state))
        module.zero_grad()


def training_peak_bytes(
    module: nn.Module, images: Tensor, labels: Tensor, optimizer: OptimizerName, *, lower: Autocast = "none"
) -> int:
    """Peak of one training step. Arguments as for `ready_step`."""
    with ready_step(module, images, labels, optimizer, lower=lower) as ready:
        return ready.held_bytes + peak_bytes(ready.run)
