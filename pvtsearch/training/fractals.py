"""Formula-driven images drawn: many points walk through the maps of an iterated function system, and are counted.

A picture follows from its parameters alone: which maps a walker takes is decided by one table of numbers for all
pictures. Every step is a product or a sum of its own, which every device rounds the same way: the same seed gives the
same bytes, whatever the number of threads or processes. Letters: N pictures, W walkers, S steps, H x H pixels.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from torch import Tensor

from pvtsearch.training.systems import MOST_MAPS, Instances, instances

WALKERS = 1536
STEPS = 28
FORGOTTEN = 8  # first steps, on the way from the origin to the picture
MARGIN = 0.05  # of a picture's side, free on both sides
TOGETHER = 64  # pictures drawn at once


@cache
def _choices() -> Tensor:
    """(S, W) numbers from 0 to 1 that decide which map a walker takes at a step."""
    numbers = np.random.default_rng(0).random((STEPS, WALKERS), dtype=np.float32)
    return torch.from_numpy(numbers)


def drawn(found: Instances, side: int, device: torch.device | str = "cpu") -> Tensor:
    """Pictures of instances, uint8, (N, 3, H, H), on device."""

    def here(rows: np.ndarray, start: int) -> Tensor:
        return torch.from_numpy(rows[start : start + TOGETHER]).to(device)

    parts = [
        _drawn(*(here(rows, start) for rows in (found.maps, found.chances, found.colours)), side=side)
        for start in range(0, len(found.maps), TOGETHER)
    ]
    return torch.cat(parts) if parts else torch.empty(0, 3, side, side, dtype=torch.uint8, device=device)


def _drawn(maps: Tensor, chances: Tensor, colours: Tensor, *, side: int) -> Tensor:
    horizontal, vertical = _walk(maps, chances)
    counts = _counts(horizontal, vertical, side)
    brightest = counts.amax(dim=(1, 2), keepdim=True)
    levels = (255 * (1 + counts).log() / (1 + brightest).log()).round().long()[:, None]  # N 1 H H
    ground, picture = (colours[:, place, :, None, None].long() for place in (0, 1))
    return ((ground * (255 - levels) + picture * levels + 127) // 255).to(torch.uint8)


def _walk(maps: Tensor, chances: Tensor) -> tuple[Tensor, Tensor]:
    """Where walkers were after the forgotten steps: both coordinates, (N, (S - forgotten) W) each."""
    here = [torch.zeros(len(maps), WALKERS, device=maps.device) for _ in "xy"]
    seen: tuple[list[Tensor], list[Tensor]] = ([], [])
    by_entry = maps.permute(2, 0, 1).contiguous()  # 6 N K
    for step, numbers in enumerate(_choices().to(maps.device)):
        taken = torch.searchsorted(chances, numbers.expand(len(maps), -1).contiguous(), right=True)  # N W
        a, b, c, d, e, f = (entry.gather(1, taken.clamp_(max=MOST_MAPS - 1)) for entry in by_entry)
        x, y = here
        here = [a * x + b * y + e, c * x + d * y + f]
        if step >= FORGOTTEN:
            for places, coordinate in zip(seen, here, strict=True):
                places.append(coordinate)
    return torch.cat(seen[0], dim=1), torch.cat(seen[1], dim=1)


def _counts(horizontal: Tensor, vertical: Tensor, side: int) -> Tensor:
    """How often each pixel was met, float64, (N, H, H): the picture in the middle, as large as the margin allows."""
    ends = [coordinate.aminmax(dim=1, keepdim=True) for coordinate in (horizontal, vertical)]
    extent = torch.maximum(*(high - low for low, high in ends)).clamp_(min=1e-6)
    pixels = []
    for coordinate, (low, high) in zip((horizontal, vertical), ends, strict=True):
        unit = (coordinate - (low + high) * 0.5) / extent * (1 - 2 * MARGIN) + 0.5  # 0 to 1
        pixels.append((unit * side).long().clamp_(0, side - 1))
    first = torch.arange(len(horizontal), device=horizontal.device)[:, None] * side**2
    met = torch.bincount((first + pixels[1] * side + pixels[0]).flatten(), minlength=len(horizontal) * side**2)
    return met.reshape(-1, side, side).double()


def pictures(
    *, seed: int, classes: int, count: int, split: int, side: int, device: torch.device | str = "cpu"
) -> tuple[Tensor, Tensor]:
    """`count` pictures of each of `classes` classes, uint8 (classes x count, 3, H, H), and labels, class by class.

    split: 0 for training, 1 to be held out; instances of another split are other jitters of the same systems.
    """
    images = [drawn(instances(seed, number, split, count), side, device) for number in range(classes)]
    labels = torch.arange(classes, device=device).repeat_interleave(count)
    return torch.cat(images), labels
