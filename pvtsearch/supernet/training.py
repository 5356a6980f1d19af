"""A supernet trained on data, by the recipe and the order of images that a network on its own has."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from pvtsearch.config import PVTConfig
from pvtsearch.errors import ConfigError
from pvtsearch.supernet.sandwich import BETWEEN, Draw, sandwich, train_step
from pvtsearch.supernet.supernet import Supernet
from pvtsearch.training.augmentation import training_transform
from pvtsearch.training.batches import Schedule, Seen, Share, loaded, seed_step
from pvtsearch.training.loop import decayed, learning_rate, right_answers
from pvtsearch.training.recipe import Recipe
from pvtsearch.training.sources import Data


def train_supernet(
    supernet: Supernet,
    data: Data,
    recipe: Recipe,
    ends: Sequence[PVTConfig],
    draw: Draw,
    *,
    seed: int = 0,
    between: int = BETWEEN,
) -> list[float]:
    """The mean loss of every epoch; the supernet is changed in place.

    ends: the largest and the smallest network, which take part in every step. draw: a network of the space by a random
    generator. Images are not mixed: subnets have enough to learn. Raises `ConfigError` where space and data differ.
    """
    space = supernet.space
    if (space.num_classes, space.image_size) != (data.classes, data.side):
        raise ConfigError(
            f"{space.name}: its networks are of {space.num_classes:,} classes at {space.image_size}, the data has "
            f"{data.classes:,} at {data.side}: give the space num_classes and image_size of the data"
        )
    schedule = Schedule(len(data.train), recipe.batch_size, recipe.epochs, seed)
    optimizer = torch.optim.AdamW(decayed(supernet, recipe.weight_decay), lr=recipe.learning_rate)
    seen = Seen(data.train, training_transform(recipe, data.side), seed)
    losses = list[float]()
    with torch.random.fork_rng(devices=[]):
        for step, (images, labels) in enumerate(loaded(seen, list(schedule.keys(0, Share())), workers=0)):
            seed_step(seed, step, Share())
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(recipe, step, schedule)
            configs = sandwich(ends, draw, seed=seed, step=step, between=between)
            smoothing, norm = recipe.label_smoothing, recipe.clip_norm
            losses.append(
                train_step(supernet, optimizer, configs, images, labels, label_smoothing=smoothing, clip_norm=norm)
            )
    size = schedule.steps_per_epoch
    return [sum(losses[start : start + size]) / size for start in range(0, len(losses), size)]


def inherited_percent(supernet: Supernet, config: PVTConfig, data: Data, *, batch_size: int = 64) -> float:
    """Top-1 of a configuration on the held-out images, with the supernet's weights as they are."""
    supernet.eval()
    right = right_answers(lambda images: supernet(images, config), data, batch_size=batch_size, share=Share())
    return 100 * right / len(data.held_out)
