"""The tracker of live bytes, on networks whose peaks can be done by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtsearch.analysis.live_bytes import inference_peak_bytes, is_composite, peak_bytes, training_peak_bytes
from pvtsearch.analysis.setting import Optimizer

IMAGES = 4 * (2 * 3 * 5)  # bytes of a float32 tensor of 2 x 3 x 5


class Computes(nn.Module):
    """A network that is one function."""

    def __init__(self, function: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, images: Tensor) -> object:
        return self.function(images)


def keep_both(images: Tensor) -> Tensor:
    doubled = images * 2
    return doubled + 1


def keep_a_view(images: Tensor) -> Tensor:
    first = (images * 2)[0]
    return first + images


@pytest.mark.parametrize(
    ("function", "peak"),
    [
        (lambda images: images.view(-1), IMAGES),
        (lambda images: images * 2, 2 * IMAGES),
        (lambda images: images * 2 * 2 * 2, 3 * IMAGES),
        (lambda images: (images * 2).relu_(), 2 * IMAGES),
        (keep_both, 3 * IMAGES),
        (keep_a_view, 3 * IMAGES),
        (lambda images: images.transpose(0, 1).reshape(-1), 2 * IMAGES),
        (lambda images: images.expand(7, 2, 3, 5), IMAGES),
        (lambda images: images.to(torch.float16), IMAGES + IMAGES // 2),
        (lambda images: F.layer_norm(images, (5,)), 2 * IMAGES + 2 * 4 * (2 * 3)),
        (lambda images: F.linear(images, images[0]), IMAGES + 4 * (2 * 3 * 3)),
    ],
)
def test_peaks_are_those_done_by_hand(function: Callable[[Tensor], object], peak: int) -> None:
    """Views cost nothing and keep their storage; what no one holds is gone; each storage counts once."""
    assert inference_peak_bytes(Computes(function), torch.ones(2, 3, 5)) == peak


def test_parameters_and_buffers_count_once() -> None:
    """Shared parameters are one storage; a BatchNorm's count of batches has 8 bytes."""
    layer = nn.Linear(5, 5)
    assert inference_peak_bytes(nn.Sequential(layer, layer), torch.ones(2, 3, 5)) == 4 * 30 + 3 * IMAGES
    norm = nn.BatchNorm1d(3)
    assert inference_peak_bytes(norm, torch.ones(2, 3, 5)) == 4 * 4 * 3 + 8 + 2 * IMAGES


def test_gradients_are_added_in_place() -> None:
    """Autograd as it runs on its own: two gradients of one tensor meet in the memory of the first."""
    weight = torch.ones(8, requires_grad=True)

    def run() -> None:
        (weight.exp() + weight.exp()).sum().backward()

    run()
    weight.grad = None
    # Both exponentials are kept; the sum is released; the gradient of the sum is a view of a scalar.
    assert peak_bytes(run) == 32 + 32 + 32 + 4 + 4


def test_what_an_operator_needs_inside_itself_does_not_count() -> None:
    """Whatever a convolution does, its output alone is returned; numbers made tensors are none of an operator's."""
    images, weights = torch.ones(2, 3, 8, 8), torch.ones(5, 3, 3, 3)
    assert peak_bytes(lambda: F.conv2d(images, weights).add_(1.5)) == 4 * (2 * 5 * 6 * 6)


def test_composites_are_seen_through() -> None:
    """A convolution by its composite name is the operator that it calls."""
    assert is_composite("aten::conv2d")
    assert not is_composite("aten::convolution")
    assert not is_composite("aten::mm")


def test_tracking_leaves_the_module_as_it_was() -> None:
    """Its mode is restored, and its parameters can be trained afterwards."""
    module = nn.Sequential(nn.Linear(5, 5), nn.Dropout())
    module[1].eval()
    inference_peak_bytes(module, torch.ones(2, 3, 5))
    assert module.training
    assert not module[1].training
    module(torch.ones(2, 3, 5)).sum().backward()


def test_a_step_leaves_the_weights_as_they_were() -> None:
    """The learning rate is 0, gradients are gone, the mode is restored."""
    module = nn.Linear(5, 7).eval()
    before = [parameter.clone() for parameter in module.parameters()]
    training_peak_bytes(module, torch.ones(2, 5), torch.zeros(2, dtype=torch.int64), "adamw")
    assert all(torch.equal(one, other) for one, other in zip(before, module.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in module.parameters())
    assert not module.training


@pytest.mark.parametrize(("optimizer", "state"), [("none", 0), ("sgd", 4 * 42), ("adamw", 2 * 4 * 42 + 2 * 4)])
def test_a_step_done_by_hand(optimizer: Optimizer, state: int) -> None:
    """A linear layer: scores, log-softmax, and in the backward pass the gradients of both and of the parameters."""
    module = nn.Linear(5, 7)
    images, labels = torch.ones(2, 5), torch.zeros(2, dtype=torch.int64)
    held = 4 * 42 + state + 4 * 10 + 8 * 2
    scores, scalars = 4 * 14, 2 * 4  # loss and the gradient of the loss
    peak = scalars + scores + 4 * 42  # gradient of the scores, then of weights and biases
    assert training_peak_bytes(module, images, labels, optimizer) == held + peak
