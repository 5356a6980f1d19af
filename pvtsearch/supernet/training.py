"""A supernet trained on data, by the recipe and the order of images that a network on its own has."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.config import PVTConfig
from pvtsearch.errors import ConfigError, InputError
from pvtsearch.space import SearchSpace
from pvtsearch.supernet.sandwich import BETWEEN, sandwich, train_step
from pvtsearch.supernet.supernet import Supernet
from pvtsearch.training.augmentation import training_transform
from pvtsearch.training.batches import Schedule, Seen, Share, loaded, seed_step, seeded
from pvtsearch.training.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from pvtsearch.training.loop import CHECKPOINT_SECONDS, decayed, learning_rate, right_answers
from pvtsearch.training.recipe import Recipe
from pvtsearch.training.sources import Data


@dataclass(frozen=True)
class SupernetJob:
    """One training: pool holds the networks that take part, of which each step has the ends and `between` others.

    The ends are the networks of most and of fewest MACs. Raises `ConfigError` where space and data differ.
    """

    space: SearchSpace
    data: Data
    recipe: Recipe
    pool: tuple[PVTConfig, ...]
    seed: int = 0
    between: int = BETWEEN

    def __post_init__(self) -> None:
        space, data = self.space, self.data
        if (space.num_classes, space.image_size) != (data.classes, data.side):
            raise ConfigError(
                f"{space.name}: its networks are of {space.num_classes:,} classes at {space.image_size}, the data has "
                f"{data.classes:,} at {data.side}: give the space num_classes and image_size of the data"
            )
        if not self.pool:
            raise InputError(f"{space.name}: a supernet needs at least one network to train")

    @cached_property
    def ends(self) -> tuple[PVTConfig, PVTConfig]:
        """The largest and the smallest network of the pool, which take part in every step."""
        size = (self.data.side, self.data.side)
        by_macs = sorted(self.pool, key=lambda config: network_cost(config, size, "classification").total.macs)
        return by_macs[-1], by_macs[0]

    @cached_property
    def digest(self) -> str:
        """Tells this training from any other."""
        parts = [repr(self.space), self.data.digest, asdict(self.recipe), repr(self.pool), self.seed, self.between]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class SupernetTraining:
    """A training under way; with a checkpoint what was killed goes on, step by step as if nothing had been."""

    def __init__(self, wanted: SupernetJob, *, device: str = "cpu", checkpoint: Path | None = None) -> None:
        self.job, self.device, self.checkpoint = wanted, torch.device(device), checkpoint
        with seeded(wanted.seed):
            self.supernet = Supernet(wanted.space)
        self.supernet.to(self.device)
        self.optimizer = torch.optim.AdamW(
            decayed(self.supernet, wanted.recipe.weight_decay), lr=wanted.recipe.learning_rate
        )
        self.schedule = Schedule(len(wanted.data.train), wanted.recipe.batch_size, wanted.recipe.epochs, wanted.seed)
        self.losses = list[float]()  # of every step
        if checkpoint is not None:
            self._resume(read_checkpoint(checkpoint, wanted.digest))

    @property
    def epoch_losses(self) -> list[float]:
        """The mean loss of every epoch that is through."""
        size = self.schedule.steps_per_epoch
        whole = len(self.losses) // size * size
        return [sum(self.losses[start : start + size]) / size for start in range(0, whole, size)]

    def epochs(self) -> Iterator[int]:
        """Train to the end; the number of each epoch that is through, those before an interruption too."""
        yield from range(1, len(self.epoch_losses) + 1)
        saved = time.monotonic()
        for step, images, labels in self._batches():
            self._train(step, images.to(self.device), labels.to(self.device))
            full = len(self.losses) % self.schedule.steps_per_epoch == 0
            if self.checkpoint is not None and (full or time.monotonic() - saved > CHECKPOINT_SECONDS):
                write_checkpoint(self.checkpoint, self._state())
                saved = time.monotonic()
            if full:
                yield len(self.epoch_losses)

    def _batches(self) -> Iterator[tuple[int, torch.Tensor, torch.Tensor]]:
        done, wanted = len(self.losses), self.job
        seen = Seen(wanted.data.train, training_transform(wanted.recipe, wanted.data.side), wanted.seed)
        batches = loaded(seen, list(self.schedule.keys(done, Share())), workers=0)
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            for step, (images, labels) in enumerate(batches, start=done):
                yield step, images, labels

    def _train(self, step: int, images: torch.Tensor, labels: torch.Tensor) -> None:
        """One step of the optimizer. Images are not mixed: subnets have enough to learn."""
        wanted = self.job
        seed_step(wanted.seed, step, Share())
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(wanted.recipe, step, self.schedule)
        configs = sandwich(wanted.ends, wanted.pool, seed=wanted.seed, step=step, between=wanted.between)
        self.losses.append(
            train_step(
                self.supernet,
                self.optimizer,
                configs,
                images,
                labels,
                label_smoothing=wanted.recipe.label_smoothing,
                clip_norm=wanted.recipe.clip_norm,
            )
        )

    def _state(self) -> Checkpoint:
        tensors = {
            "network": self.supernet.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "losses": torch.tensor(self.losses, dtype=torch.float64),
        }
        return Checkpoint(self.job.digest, len(self.losses), tensors, 0.0, (), 0.0)

    def _resume(self, found: Checkpoint | None) -> None:
        if found is not None:
            self.supernet.load_state_dict(found.tensors["network"])
            self.optimizer.load_state_dict(found.tensors["optimizer"])
            self.losses = found.tensors["losses"].tolist()


def train_supernet(wanted: SupernetJob, *, device: str = "cpu", checkpoint: Path | None = None) -> SupernetTraining:
    """A training that is through, with its supernet and losses."""
    training = SupernetTraining(wanted, device=device, checkpoint=checkpoint)
    for _ in training.epochs():
        pass
    return training


def inherited_percent(supernet: Supernet, config: PVTConfig, data: Data, *, batch_size: int = 64) -> float:
    """Top-1 of a configuration on the held-out images, with the supernet's weights as they are."""
    supernet.eval()
    device = next(supernet.parameters()).device
    right = right_answers(
        lambda images: supernet(images.to(device), config), data, batch_size=batch_size, share=Share()
    )
    return 100 * right / len(data.held_out)


def distinct(configs: Sequence[PVTConfig]) -> tuple[PVTConfig, ...]:
    """Configurations in their order, each once."""
    return tuple(dict.fromkeys(configs))
