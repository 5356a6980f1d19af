"""Scores of an untrained network, from a few passes over random images: votes, no verdicts.

Each takes any module from images to one tensor, leaves it as it was, and is higher for what its authors hold to be
better. The same seed gives the same score. Where a paper sums over layers, these are convolutions and linear layers.
What is not a number, or infinite, raises `ScoreError`. Letters: B images, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from pvtsearch.accuracy.observing import Replica, replica, watched
from pvtsearch.errors import ScoreError

Score: TypeAlias = Callable[[nn.Module, Tensor, Tensor], float]  # of a module, images (B ...) and labels (B,)

PERTURBATION = 0.01
MINIBATCHES = 2
ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.GELU, nn.SiLU, nn.Hardswish, nn.LeakyReLU, nn.ELU, nn.Mish)


def random_batch(shape: tuple[int, ...], classes: int, *, seed: int) -> tuple[Tensor, Tensor]:
    """Normal images of shape (B, channels, height, width) and uniform labels (B,), by a generator of their own."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(shape, generator=generator)
    return images, torch.randint(max(classes, 1), (shape[0],), generator=generator)


def zen(module: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """How far outputs move when images do: log E |f(x + a e) - f(x)|, with what batch norms took away added again.

    Lin et al. 2021 (Zen-NAS, arXiv 2102.01063), algorithm 1: e is normal, a is 0.01, and each batch norm's scale, the
    log of the root mean of its channels' variances, is added. f is to be a network without its classifier. Weights are
    taken as they are, where the paper draws all from a normal: layer norms, which have no scale to add, need theirs.
    """
    scales = list[float]()

    def scale(_norm: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        channels = inputs[0].transpose(0, 1).flatten(1)
        scales.append(0.5 * _log(channels.var(dim=1, unbiased=False).mean().item()))

    moved = images + PERTURBATION * _noise_like(images)
    with replica(module) as copy, torch.no_grad():
        with watched(module, (_BatchNorm,), scale):
            still = copy(images)
        distance = (copy(moved) - still).flatten(1).norm(dim=1).mean().item()
    return _finite("zen", _log(distance) + sum(scales))


def snip(module: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The sum over weights of |weight x gradient of the loss|, the connection sensitivities before their scaling.

    Lee et al. 2019 (arXiv 1810.02340), equation 5; as a score, Abdelfattah et al. 2021 (arXiv 2101.08134), section 3.2.
    """
    with replica(module) as copy:
        gradients = _gradients(copy, images, labels)
        pairs = zip(copy.weights, gradients, strict=True)
        return _finite("snip", sum((weight * gradient).abs().sum().item() for weight, gradient in pairs))


def grad_norm(module: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The sum over layers of the Euclidean norm of the loss's gradient.

    Abdelfattah et al. 2021 (arXiv 2101.08134), section 3.2.
    """
    with replica(module) as copy:
        return _finite("grad_norm", sum(g.norm().item() for g in _gradients(copy, images, labels)))


def synflow(module: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """The log of the sum over weights of |weight x gradient of R|, R being the sum of outputs for an image of ones.

    Tanaka et al. 2020 (arXiv 2006.05467), equation 2, with all tensors replaced by their absolute values, in float64.
    Batch norms are left out, as by Abdelfattah et al. 2021 (arXiv 2101.08134); layer norms, without which attention
    saturates, are not: they alone make a product negative.
    """

    def pass_on(_norm: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> Tensor:
        return inputs[0]

    with replica(module, lambda tensor: tensor.double().abs()) as copy, watched(module, (_BatchNorm,), pass_on):
        flow = copy(torch.ones_like(images[:1], dtype=torch.float64)).sum()
        gradients = torch.autograd.grad(flow, copy.weights, allow_unused=True)
        pairs = zip(copy.weights, gradients, strict=True)
        total = sum((w * g).abs().sum().item() for w, g in pairs if g is not None)
    return _finite("synflow", _log(total))


def zico(module: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The sum over layers of log sum over weights of mean |gradient| / its standard deviation, over two mini-batches.

    Li et al. 2023 (ZiCo, arXiv 2301.11300), equation 8. A weight whose gradients do not vary counts nothing.
    """
    if len(images) < MINIBATCHES:
        raise ScoreError(f"zico: needs at least {MINIBATCHES} images, got {len(images)}")
    with replica(module) as copy:
        batches = zip(images.chunk(MINIBATCHES), labels.chunk(MINIBATCHES), strict=True)
        sizes = [[g.abs() for g in _gradients(copy, part, wanted)] for part, wanted in batches]
        logs = [_consistency(torch.stack(layer)) for layer in zip(*sizes, strict=True)]
    return _finite("zico", sum(value for value in logs if value is not None))


def _consistency(sizes: Tensor) -> float | None:
    """Of one layer; sizes (mini-batches, weights ...). None where no weight's gradient varies."""
    spread, mean = sizes.std(dim=0, unbiased=False), sizes.mean(dim=0)
    varying = spread != 0  # NaN is no reason to leave a weight out
    total = (mean[varying] / spread[varying]).sum().item()
    return None if total == 0 else _log(total)


def naswot(module: nn.Module, images: Tensor, _labels: Tensor) -> float:
    """The log of |det K|, K counting for two images the activations that have the same sign in both.

    Mellor et al. 2021 (NASWOT, arXiv 2006.04647), equations 1 and 2: which ReLUs are on. Here every activation layer
    counts, GELU among them, by the sign of its input. Raises `ScoreError` for a module without activation layers.
    """
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64)

    def compare(_activation: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        on = (inputs[0].flatten(1) > 0).to(torch.float64).cpu()
        kernel.add_(on @ on.T + (1 - on) @ (1 - on).T)

    with replica(module) as copy, torch.no_grad(), watched(module, ACTIVATIONS, compare) as layers:
        copy(images)
    if not layers:
        raise ScoreError("naswot: the module has no activation layers, which it counts")
    return _finite("naswot", torch.linalg.slogdet(kernel).logabsdet.item())


ZERO_COST: dict[str, Score] = {
    "zen": zen,
    "snip": snip,
    "grad_norm": grad_norm,
    "synflow": synflow,
    "zico": zico,
    "naswot": naswot,
}


def _noise_like(images: Tensor) -> Tensor:
    """Normal noise that follows from the images alone."""
    generator = torch.Generator().manual_seed(1 + images.numel())
    return torch.randn(images.shape, generator=generator).to(images)


def _gradients(copy: Replica, images: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """Gradients of the cross entropy with respect to a replica's weights; zeros for a weight that takes no part."""
    loss = F.cross_entropy(copy(images), labels)
    found = torch.autograd.grad(loss, copy.weights, allow_unused=True, materialize_grads=True)
    return tuple(found)


def _log(value: float) -> float:
    """The natural logarithm, of zero too; NaN of what has none."""
    if value > 0:
        return math.log(value)
    return -math.inf if value == 0 else math.nan


def _finite(name: str, value: float) -> float:
    if not math.isfinite(value):
        raise ScoreError(f"{name}: the score is {value}, no number that could be compared")
    return value
