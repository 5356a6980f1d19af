"""Laws of zero-cost scores: each is its paper's formula, the same for the same seed, and leaves no trace of itself."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtsearch.accuracy.frame import Frame
from pvtsearch.accuracy.untrained import untrained_score
from pvtsearch.accuracy.zero_cost import ZERO_COST, random_batch
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.errors import ScoreError
from pvtsearch.models.pit_config import PiTConfig

SMALL = PVTConfig(
    name="small",
    image_size=32,
    num_classes=5,
    stages=(
        StageConfig(patch_size=4, embed_dim=8, depth=1, num_heads=1, mlp_ratio=2),
        StageConfig(patch_size=2, embed_dim=16, depth=2, num_heads=2, mlp_ratio=2),
    ),
)


def convolutional() -> nn.Module:
    """A network with batch norms, dropout, a frozen layer, a gradient, a hook, and one part in another mode."""
    torch.manual_seed(5)
    network = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.5), nn.Conv2d(6, 4, 3, stride=2), nn.GELU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5),
    )  # fmt: skip
    network[4].weight.requires_grad_(False)
    network[0].weight.grad = torch.full_like(network[0].weight, 2.0)
    network[1].eval()
    return network


def batch(count: int = 6) -> tuple[Tensor, Tensor]:
    return random_batch((count, 3, 16, 16), 5, seed=1)


def trace(network: nn.Module) -> dict[str, object]:
    """All that a score could leave changed."""
    return {
        "state": {name: tensor.clone() for name, tensor in network.state_dict().items()},
        "objects": [id(tensor) for tensor in (*network.parameters(), *network.buffers())],
        "gradients": [None if p.grad is None else p.grad.clone() for p in network.parameters()],
        "wanted": [p.requires_grad for p in network.parameters()],
        "modes": [part.training for part in network.modules()],
        "hooks": [len(part._forward_hooks) for part in network.modules()],
        "random": torch.random.get_rng_state(),
    }


def same(one: object, other: object) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    return one == other


@pytest.mark.parametrize("name", ZERO_COST)
def test_a_module_is_left_as_it_was(name: str) -> None:
    """Weights, statistics, gradients, frozen parts, modes, hooks and torch's random state; also under no_grad."""
    network, (images, labels) = convolutional(), batch()
    network.register_forward_hook(lambda *_: None)
    before, seen = trace(network), images.clone()
    first = ZERO_COST[name](network, images, labels)
    with torch.no_grad():
        assert ZERO_COST[name](network, images, labels) == first
    assert same(trace(network), before)
    assert torch.equal(images, seen)


@pytest.mark.parametrize("name", ZERO_COST)
def test_a_module_is_left_as_it_was_when_its_score_fails(name: str) -> None:
    """NaN is an error, no bad score, and leaves no hook behind."""
    network, (images, labels) = convolutional(), batch()
    with torch.no_grad():
        network[8].weight.fill_(math.nan)
        network[0].weight.fill_(math.nan)
    before = [part.training for part in network.modules()]
    if name == "naswot":
        images = images[:2].clone()
        images[1] = images[0]
        labels = labels[:2]
    with pytest.raises(ScoreError, match=f"{name}: the score is"):
        ZERO_COST[name](network, images, labels)
    assert [part.training for part in network.modules()] == before
    assert not any(part._forward_hooks for part in network.modules())


@pytest.mark.parametrize("name", ZERO_COST)
@pytest.mark.parametrize("config", [SMALL, PiTConfig(base_dim=4, num_heads=(1, 2), depth=(1, 1), mlp_ratio=2)])
def test_a_configuration_has_one_score_for_a_seed(name: str, config: PVTConfig | PiTConfig) -> None:
    """The same seed, the same score, whatever torch's random state; another seed, another; the state stays."""
    frame = Frame((32, 32))
    torch.manual_seed(11)
    state = torch.random.get_rng_state()
    first = untrained_score(name, config, frame, batch_size=4)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(12)
    assert untrained_score(name, config, frame, batch_size=4) == first
    assert untrained_score(name, config, frame, batch_size=4, seed=1) != first


def linear(weight: list[list[float]]) -> nn.Linear:
    layer = nn.Linear(len(weight[0]), len(weight), bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor(weight))
    return layer


def test_snip_and_grad_norm_of_one_layer_by_hand() -> None:
    """Of a linear layer the gradient is (softmax - one-hot) x input, averaged over images."""
    layer, images, labels = (
        linear([[1.0, -2.0], [0.5, 3.0]]),
        torch.tensor([[1.0, 2.0], [0.0, 1.0]]),
        torch.tensor([0, 1]),
    )
    error = F.softmax(images @ layer.weight.detach().T, dim=1) - F.one_hot(labels, 2)
    gradient = error.T @ images / 2
    assert ZERO_COST["snip"](layer, images, labels) == pytest.approx(
        float((layer.weight * gradient).abs().sum().detach())
    )
    assert ZERO_COST["grad_norm"](layer, images, labels) == pytest.approx(float(gradient.norm()))


def test_synflow_of_two_layers_by_hand() -> None:
    """R is the product of the absolute weights' column and row sums; each layer's sum of weight x gradient is R."""
    network = nn.Sequential(linear([[1.0, -2.0], [0.5, 3.0]]), linear([[-1.0, 4.0]]))
    flow = (1 + 2) * 1 + (0.5 + 3) * 4
    assert ZERO_COST["synflow"](network, torch.zeros(1, 2), torch.tensor([0])) == pytest.approx(math.log(2 * flow))


def test_zico_of_one_layer_by_hand() -> None:
    """Two mini-batches: mean over deviation of each weight's absolute gradient, summed, then the log."""
    layer, (images, labels) = (
        linear([[1.0, -2.0], [0.5, 3.0]]),
        (torch.tensor([[1.0, 2.0], [0.5, 1.0]]), torch.tensor([0, 1])),
    )
    sizes = []
    for image, label in zip(images, labels, strict=True):
        error = F.softmax(image @ layer.weight.detach().T, dim=0) - F.one_hot(label, 2)
        sizes.append(torch.outer(error, image).abs())
    mean, spread = (sizes[0] + sizes[1]) / 2, (sizes[0] - sizes[1]).abs() / 2
    assert ZERO_COST["zico"](layer, images, labels) == pytest.approx(math.log(float((mean / spread).sum())), rel=1e-5)


def test_naswot_counts_signs_that_agree() -> None:
    """Three images, four ReLUs: K counts by hand, the score is the log of its determinant."""
    network = nn.Sequential(linear([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 1.0]]), nn.ReLU())
    images = torch.tensor([[1.0, 1.0], [-1.0, 2.0], [2.0, -3.0]])
    signs = [[value > 0 for value in row] for row in network[0](images).tolist()]
    kernel = [[float(sum(a == b for a, b in zip(one, other, strict=True))) for other in signs] for one in signs]
    expected = math.log(abs(float(torch.linalg.det(torch.tensor(kernel, dtype=torch.float64)))))
    assert ZERO_COST["naswot"](network, images, torch.tensor([0, 0, 0])) == pytest.approx(expected)
    with pytest.raises(ScoreError, match="no activation layers"):
        ZERO_COST["naswot"](linear([[1.0]]), torch.ones(1, 1), torch.tensor([0]))


def test_zen_knows_no_scale_that_a_batch_norm_takes_away() -> None:
    """Without norms the score of a linear layer grows by log 10 with its weights; before a batch norm too."""
    images, labels = torch.randn(64, 3, generator=torch.Generator().manual_seed(0)), torch.zeros(64, dtype=torch.long)
    weight = torch.randn(5, 3, generator=torch.Generator().manual_seed(1)).tolist()
    larger = [[10 * value for value in row] for row in weight]

    def bare(values: list[list[float]]) -> nn.Module:
        return linear(values)

    def normed(values: list[list[float]]) -> nn.Module:
        return nn.Sequential(linear(values), nn.BatchNorm1d(5))

    builders: list[Callable[[list[list[float]]], nn.Module]] = [bare, normed]
    for build in builders:
        grown = ZERO_COST["zen"](build(larger), images, labels) - ZERO_COST["zen"](build(weight), images, labels)
        assert grown == pytest.approx(math.log(10), abs=1e-3)


def test_a_score_needs_one_tensor() -> None:
    """A backbone gives maps: that is an error of the caller's."""
    with pytest.raises(TypeError, match="one tensor as its output, got list"):
        ZERO_COST["naswot"](_Many(), torch.ones(2, 1), torch.tensor([0, 0]))


class _Many(nn.Module):
    def forward(self, images: Tensor) -> list[Tensor]:
        return [images]
