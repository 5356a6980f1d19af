"""The tracker of live bytes, on networks whose peaks can be done by hand."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtsearch.analysis.live_bytes import LiveBytes, inference_peak_bytes

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


def test_bytes_follow_the_last_holder() -> None:
    """A storage counts until its last view goes, and not longer."""
    with LiveBytes([]) as tracker:
        whole = torch.ones(8)
        view = whole[1:]
        del whole
        assert tracker.live_bytes == 32
        del view
        assert tracker.live_bytes == 0
    assert tracker.peak_bytes == 32


def test_tracking_leaves_the_module_as_it_was() -> None:
    """Its mode is restored, and its parameters can be trained afterwards."""
    module = nn.Sequential(nn.Linear(5, 5), nn.Dropout())
    module[1].eval()
    inference_peak_bytes(module, torch.ones(2, 3, 5))
    assert module.training
    assert not module[1].training
    module(torch.ones(2, 3, 5)).sum().backward()
