"""Batches of a training, each a function of the seed and its number alone.

So a training can go on at any step as if nothing had happened, however many processes load its images.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from pvtsearch.errors import InputError
from pvtsearch.training.augmentation import Transform
from pvtsearch.training.sources import Pictures

_ORDER, _IMAGE, _STEP = range(3)  # what a seed is for


@dataclass(frozen=True)
class Share:
    """Of every batch, what this process trains on: each `size`-th image from `rank` on."""

    rank: int = 0
    size: int = 1


@dataclass(frozen=True)
class Schedule:
    """Which images each step takes: all in a new order every epoch, but those that do not fill a last batch."""

    images: int
    batch_size: int
    epochs: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """At least one: fewer images than a batch are a batch."""
        return max(1, self.images // self.batch_size)

    @property
    def steps(self) -> int:
        """Of the whole training."""
        return self.epochs * self.steps_per_epoch

    def keys(self, start: int, share: Share) -> Iterator[list[tuple[int, int]]]:
        """Of each step from start on, epoch and number of every image of this process's share."""
        for step in range(start, self.steps):
            epoch, place = divmod(step, self.steps_per_epoch)
            if place == 0 or step == start:
                order = np.random.default_rng([self.seed, _ORDER, epoch]).permutation(self.images)
            batch = order[place * self.batch_size : (place + 1) * self.batch_size]
            yield [(epoch, int(number)) for number in batch[share.rank :: share.size]]


@contextmanager
def seeded(*parts: int) -> Iterator[None]:
    """Torch's random numbers follow from parts as long as this lasts; then they go on as if nothing had been drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(_seed(*parts))
        yield


def seed_step(seed: int, step: int, share: Share) -> None:
    """Seed the random numbers of all of torch's devices for a step."""
    torch.manual_seed(_seed(seed, _STEP, step, share.rank))


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0])


class Seen(Dataset[tuple[Tensor, int]]):
    """Pictures as a network sees them, by epoch and number."""

    def __init__(self, pictures: Pictures, transform: Transform, seed: int) -> None:
        self.pictures, self.transform, self.seed = pictures, transform, seed

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        epoch, number = key
        image, label = self.pictures[number]
        with seeded(self.seed, _IMAGE, epoch, number):
            return self.transform(image), label


def loaded(seen: Seen, keys: Sequence[list[tuple[int, int]]], *, workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of images (B, 3, H, H) and labels (B,), each of one list of keys; workers: processes, or 0."""
    loader: DataLoader[tuple[Tensor, int]] = DataLoader(seen, batch_sampler=keys, num_workers=workers)
    try:
        yield from loader
    except InputError as error:  # of a worker: torch puts its whole traceback in front
        raise InputError(str(error).rpartition("InputError: ")[2].strip()) from error
