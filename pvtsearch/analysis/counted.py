"""Counting on a built module: what the closed forms are held against.

Two counters by other people, fvcore (by operator, traced on the CPU) and torch's FlopCounterMode (on the meta
device, nothing is computed). Both skip in silence what they do not know; here that is an error, unless the operator
stands in this file's list for that counter. Counts are for ONE image; a multiply-accumulate is 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from pvtsearch.config import ImageSize
from pvtsearch.errors import UnknownOperator

Shape: TypeAlias = tuple[int, ...]

# Operators fvcore has no rule for and that a count leaves out, as the papers do: element-wise work (dropout, which does
# nothing here, and DETR's sines of positions among it), softmax, means, plain pooling, changes of shape. fvcore itself
# leaves out copies, most changes of shape and ReLU.
UNCOUNTED_BY_FVCORE = (
    "aten::add",
    "aten::add_",
    "aten::cos",
    "aten::div",
    "aten::feature_dropout",
    "aten::gelu",
    "aten::max_pool2d",
    "aten::mean",
    "aten::mul",
    "aten::pow",
    "aten::sigmoid",
    "aten::sin",
    "aten::softmax",
    "aten::unflatten",
)

# The same for FlopCounterMode, which sees what aten dispatches: views and copies too, and norms and
# resampling, which fvcore counts.
UNCOUNTED_ON_META = (
    "_adaptive_avg_pool2d",
    "_native_batch_norm_legit_no_training",
    "_safe_softmax",
    "_softmax",
    "_to_copy",
    "_unsafe_view",
    "add",
    "add_",
    "alias",
    "arange",
    "as_strided_",
    "cat",
    "clone",
    "cos",
    "detach",
    "div",
    "empty",
    "expand",
    "gelu",
    "max_pool2d_with_indices",
    "mean",
    "mul",
    "native_batch_norm",
    "native_layer_norm",
    "permute",
    "pow",
    "relu",
    "relu_",
    "select",
    "sigmoid",
    "sin",
    "slice",
    "stack",
    "t",
    "transpose",
    "unbind",
    "unsqueeze",
    "upsample_bilinear2d",
    "upsample_nearest2d",
    "view",
    "zeros_like",
)


def count_params(module: nn.Module) -> int:
    """Parameters, each tensor once; buffers are none."""
    return sum(parameter.numel() for parameter in module.parameters())


@contextmanager
def in_mode(module: nn.Module, *, training: bool) -> Iterator[None]:
    """Training or evaluation mode, and afterwards the mode that each part was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.train(training)
    try:
        yield
    finally:
        for part, before in modes:
            part.training = before


def _named(operators: Mapping[str, int] | set[str], counter: str) -> UnknownOperator:
    return UnknownOperator(f"{counter} has no rule for {', '.join(sorted(operators))}: no total is given")


def count_by_operator(
    module: nn.Module, image_size: ImageSize, in_chans: int, further: Sequence[Shape] = ()
) -> dict[str, int]:
    """Operations by fvcore's operator names, of those that occur, at an input of (height, width).

    further: shapes of the module's inputs after the image. The module lies on the CPU and computes attention
    explicitly: fvcore knows no fused attention. Raises `UnknownOperator` for an operator that is neither counted nor
    listed above.
    """
    inputs = tuple(torch.zeros(shape) for shape in ((1, in_chans, *image_size), *further))
    with in_mode(module, training=False), torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit", category=FutureWarning)
        warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
        from fvcore.nn import FlopCountAnalysis

        analysis = FlopCountAnalysis(module, inputs)
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        counts = analysis.by_operator()
        unknown = set(analysis.unsupported_ops()) - set(UNCOUNTED_BY_FVCORE)
    if unknown:
        raise _named(unknown, "fvcore")
    return {name: int(count) for name, count in sorted(counts.items()) if count}


class OperatorAudit(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves its constructor untyped
    """Raises `UnknownOperator` at the first operator that FlopCounterMode would skip and that is not listed above."""

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run the operator if it is known."""
        packet = func.overloadpacket
        name = packet._qualified_op_name
        if packet not in flop_registry and name.removeprefix("aten::") not in UNCOUNTED_ON_META:
            raise _named({name}, "FlopCounterMode")
        return func(*args, **(kwargs or {}))


def _on_meta(tensors: Iterator[tuple[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors}


def count_macs_on_meta(module: nn.Module, image_size: ImageSize, in_chans: int, further: Sequence[Shape] = ()) -> int:
    """Multiply-accumulates at an input of (height, width): half of what FlopCounterMode calls FLOPs.

    further: shapes of the module's inputs after the image. The module may lie anywhere and stays there; nothing is
    computed. Raises `UnknownOperator` for an operator that is neither counted nor listed above.
    """
    tensors = _on_meta(module.named_parameters()) | _on_meta(module.named_buffers())
    inputs = tuple(torch.empty(shape, device="meta") for shape in ((1, in_chans, *image_size), *further))
    counter = FlopCounterMode(display=False)
    audit = OperatorAudit()  # type: ignore[no-untyped-call]
    with in_mode(module, training=False), torch.no_grad(), counter, audit:
        torch.func.functional_call(module, tensors, inputs)
    macs, rest = divmod(counter.get_total_flops(), 2)
    if rest:
        raise UnknownOperator(f"FlopCounterMode counted an odd number of FLOPs, {2 * macs + rest}: not all are pairs")
    return macs
