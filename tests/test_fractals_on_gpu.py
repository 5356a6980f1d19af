"""Formula-driven images on a CUDA device; a file of its own, which needs nothing but torch, numpy and pytest."""

from __future__ import annotations

import pytest
import torch

from pvtsearch.training.fractals import pictures


@pytest.mark.gpu
def test_a_gpu_draws_the_same_bytes() -> None:
    """Every step is rounded the same way on every device."""
    here, there = (pictures(seed=0, classes=4, count=8, split=0, side=64, device=d)[0] for d in ("cpu", "cuda"))
    assert torch.equal(here, there.cpu())
