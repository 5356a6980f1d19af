"""One step of a supernet's training: the largest network, the smallest, and some between, on the same images.

The sandwich rule of Yu and Huang 2019 (arXiv 1903.05134, section 3.2): the ends of a space bound all that lies between.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pvtsearch.config import PVTConfig
from pvtsearch.errors import InputError
from pvtsearch.supernet.supernet import Supernet

BETWEEN = 2


def sandwich(
    ends: Sequence[PVTConfig], pool: Sequence[PVTConfig], *, seed: int, step: int, between: int = BETWEEN
) -> list[PVTConfig]:
    """The networks of a step: the ends, and so many of a pool, which follow from seed and step alone."""
    rng = np.random.default_rng([seed, step])
    return [*ends, *(pool[int(number)] for number in rng.integers(len(pool), size=between))]


def train_step(
    supernet: Supernet,
    optimizer: torch.optim.Optimizer,
    configs: Sequence[PVTConfig],
    images: Tensor,
    labels: Tensor,
    *,
    label_smoothing: float = 0.0,
    clip_norm: float = 1.0,
) -> float:
    """The mean loss of the networks, after a step by the mean of their gradients."""
    if not configs:
        raise InputError("a step needs at least one network")
    supernet.train()
    optimizer.zero_grad(set_to_none=True)
    total = 0.0
    for config in configs:
        loss = F.cross_entropy(supernet(images, config), labels, label_smoothing=label_smoothing) / len(configs)
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    torch.nn.utils.clip_grad_norm_(supernet.parameters(), clip_norm)
    optimizer.step()
    return total
