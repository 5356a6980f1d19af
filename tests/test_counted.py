"""The counters: what they count on networks whose counts can be done by hand, and that they never skip in silence."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtsearch.analysis.counted import count_by_operator, count_macs_on_meta, count_params
from pvtsearch.config import PVTConfig, SpatialReduction, StageConfig
from pvtsearch.errors import UnknownOperator
from pvtsearch.models.pvt import build_pvt

SIZE = (6, 8)
COUNTERS = [count_by_operator, count_macs_on_meta]


class Fourier(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return torch.fft.fft2(images).real


class RunningSum(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.cumsum(-1)


class FusedAttention(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(images, images, images)


class Convolution(nn.Module):
    """Carries its own expected counts, at an input of 3 x 6 x 8."""

    params = 3 * 5 * 9 + 5 + 2 * 5
    by_operator: ClassVar = {"batch_norm": 2 * 5 * 12, "conv": 3 * 5 * 9 * 12}

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 5, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(5)

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.norm(self.conv(images)))


class Products(nn.Module):
    """Carries its own expected counts, at an input of 3 x 6 x 8."""

    params = 8 * 4
    by_operator: ClassVar = {"linear": 3 * 6 * 8 * 4, "matmul": 3 * 6 * 4 * 6}

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 4, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        hidden = self.linear(images)
        return (hidden @ hidden.transpose(-2, -1)).softmax(-1)


@pytest.mark.parametrize("network", [Convolution, Products])
def test_counts_are_those_done_by_hand(network: type[Convolution | Products]) -> None:
    """Each test network's counts == the counts it carries."""
    module = network()
    macs = sum(count for name, count in network.by_operator.items() if name in ("conv", "linear", "matmul"))
    assert count_params(module) == network.params
    assert count_by_operator(module, SIZE, 3) == network.by_operator
    assert count_macs_on_meta(module, SIZE, 3) == macs


@pytest.mark.parametrize("count", COUNTERS)
@pytest.mark.parametrize(("network", "operator"), [(Fourier, "fft"), (RunningSum, "cumsum")])
def test_unknown_operators_are_errors(count: object, network: type[nn.Module], operator: str) -> None:
    """No total is given where an operator has no rule, and the operator is named."""
    assert callable(count)
    with pytest.raises(UnknownOperator, match=operator):
        count(network(), SIZE, 3)


def test_fvcore_refuses_fused_attention() -> None:
    """It would count 0."""
    with pytest.raises(UnknownOperator, match="scaled_dot_product_attention"):
        count_by_operator(FusedAttention(), SIZE, 3)


def test_fused_attention_counts_on_meta_as_explicit_attention_does() -> None:
    """MACs of a network do not depend on the kernel that computes its attention."""
    stages = (StageConfig(2, 8, 1, 2, 2, SpatialReduction(2)), StageConfig(2, 8, 1, 2, 2))
    config = PVTConfig(stages=stages, image_size=16)
    fused, explicit = (build_pvt(config, attention=kind) for kind in ("fused", "explicit"))
    assert count_macs_on_meta(fused, (16, 24), 3) == count_macs_on_meta(explicit, (16, 24), 3) > 0


@pytest.mark.parametrize("count", COUNTERS)
def test_a_count_leaves_the_module_as_it_was(count: object) -> None:
    """Modes of every part, devices, values and running statistics are unchanged."""
    assert callable(count)
    module = Convolution()
    module.norm.eval()
    before = {key: value.clone() for key, value in module.state_dict().items()}
    count(module, SIZE, 3)
    assert module.training
    assert module.conv.training
    assert not module.norm.training
    assert all(torch.equal(value, before[key]) for key, value in module.state_dict().items())


@pytest.mark.parametrize("count", COUNTERS)
def test_a_failed_count_restores_the_mode_too(count: object) -> None:
    """Training mode survives an unknown operator."""
    assert callable(count)
    module = Fourier()
    with pytest.raises(UnknownOperator):
        count(module, SIZE, 3)
    assert module.training


def test_shared_parameters_count_once() -> None:
    """One tensor under two names is one tensor."""
    layer = nn.Linear(3, 3)
    assert count_params(nn.Sequential(layer, layer)) == 12
