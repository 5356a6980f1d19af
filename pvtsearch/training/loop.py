"""One network trained from its seed to its accuracy; what is killed goes on from its last checkpoint."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pvtsearch.analysis.baselines import buildable_cost
from pvtsearch.analysis.latency import memory_named
from pvtsearch.analysis.setting import Autocast
from pvtsearch.config import ModelConfig, PVTConfig
from pvtsearch.errors import ConfigError, Diverged, InputError
from pvtsearch.models.baselines import build_model
from pvtsearch.models.weights import load_weights
from pvtsearch.training.augmentation import evaluation_transform, mixing, training_transform
from pvtsearch.training.batches import Schedule, Seen, Share, loaded, seed_step, seeded
from pvtsearch.training.checkpoints import Checkpoint, read_checkpoint, write_checkpoint
from pvtsearch.training.recipe import Recipe
from pvtsearch.training.sources import Data
from pvtsearch.training.team import Team, team
from pvtsearch.trainings import Epoch, OnEpoch, Outcome, unheard

CHECKPOINT_SECONDS = 60.0
MOST_WORKERS = 256
_FIRST_LEARNING_RATE = 1e-6  # of the warm-up (DeiT)


@dataclass(frozen=True)
class Machine:
    """Where and how it is computed. workers: processes that load images, 0 for the training's own."""

    device: str = "cpu"
    autocast: Autocast = "none"
    workers: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.workers <= MOST_WORKERS:
            raise InputError(f"processes that load images must be 0 to {MOST_WORKERS}, got {self.workers}")


@dataclass(frozen=True)
class Job:
    """One training: the network for its data, and all that its accuracy follows from."""

    config: ModelConfig
    data: Data
    recipe: Recipe
    seed: int
    autocast: Autocast

    @property
    def digest(self) -> str:
        """Tells this training from any other; where it is computed does not count."""
        network = asdict(self.config) | {"name": ""}
        parts = [network, self.data.digest, self.data.side, asdict(self.recipe), self.seed, self.autocast]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def job(config: ModelConfig, data: Data, recipe: Recipe, *, seed: int = 0, autocast: Autocast = "none") -> Job:
    """The training of a network on data: its classes, input size and drop path are theirs.

    Raises `ConfigError` where the data's images are too small for the network, it is too large, or does not read RGB.
    """
    if config.in_chans != 3:
        raise ConfigError(f"{config.name}: training reads RGB images, in_chans must be 3, got {config.in_chans}")
    fitted: ModelConfig = replace(config, num_classes=data.classes, image_size=data.side)
    if isinstance(fitted, PVTConfig):
        fitted = replace(fitted, drop_path_rate=recipe.drop_path_rate)
    buildable_cost(fitted, (data.side, data.side), "classification")
    return Job(fitted, data, recipe, seed, autocast)


def train(
    wanted: Job,
    machine: Machine | None = None,
    *,
    checkpoint: Path | None = None,
    initial: Mapping[str, Tensor] | None = None,
    on_epoch: OnEpoch = unheard,
) -> tuple[Outcome, dict[str, Tensor]]:
    """The outcome of a training, and the weights.

    initial: weights to start from, such as a supernet's, in place of fresh ones. checkpoint: the file that it is kept
    in every minute and after every epoch, and goes on from. on_epoch: told of every epoch, of those before an
    interruption too; what it raises ends the training. Started by torchrun, all processes train one network: each
    takes its share of every batch. Torch's random state is left as it was. Raises `Diverged` where the loss is no
    number any more, `DoesNotFit` where memory ends.
    """
    machine = machine or Machine()
    with team(machine.device) as members, _random_state_kept(members.device), memory_named():
        training = _Training(wanted, machine, members, initial)
        if checkpoint is not None:
            training.resume(read_checkpoint(checkpoint, training.digest), checkpoint)
        for epoch in training.curve:
            on_epoch(epoch)
        for save in training.epochs():
            if checkpoint is not None and members.leads:
                write_checkpoint(checkpoint, training.checkpoint())
            if save is not None:
                on_epoch(save)
        return training.outcome(), {name: value.cpu() for name, value in training.network.state_dict().items()}


def _random_state_kept(device: torch.device) -> AbstractContextManager[None]:
    return torch.random.fork_rng(devices=[device] if device.type == "cuda" else [])


class _Training:
    """A training under way."""

    def __init__(self, wanted: Job, machine: Machine, members: Team, initial: Mapping[str, Tensor] | None) -> None:
        self.job, self.machine, self.team = wanted, machine, members
        self.digest = wanted.digest if initial is None else _digest_from(wanted, initial)
        recipe = wanted.recipe
        self.schedule = Schedule(len(wanted.data.train), recipe.batch_size, recipe.epochs, wanted.seed)
        with seeded(wanted.seed):
            self.network = build_model(wanted.config)
        if initial is not None:
            load_weights(self.network, initial)
        self.network.to(members.device)
        self.joined = members.joined(self.network)
        self.optimizer = torch.optim.AdamW(
            decayed(self.network, recipe.weight_decay), lr=recipe.learning_rate, fused=False
        )
        self.scaler = torch.amp.GradScaler(members.device.type, enabled=wanted.autocast == "float16")
        self.mix = mixing(recipe, wanted.data.classes)
        self.step, self.loss_sum, self.curve, self.seconds = 0, 0.0, list[Epoch](), 0.0

    def checkpoint(self) -> Checkpoint:
        """What it takes to go on from here."""
        states = {name: part.state_dict() for name, part in self._parts().items()}
        return Checkpoint(self.digest, self.step, states, self.loss_sum, tuple(self.curve), self.seconds)

    def resume(self, found: Checkpoint | None, path: Path) -> None:
        """Go on from a checkpoint. Raises `InputError` where its tensors do not fit."""
        if found is None:
            return
        try:
            for name, part in self._parts().items():
                part.load_state_dict(found.tensors[name])
        except Exception as error:  # a file of any content: torch raises what it stumbles over
            raise InputError(f"{path}: its tensors do not fit: remove it, or give another --out") from error
        self.step, self.loss_sum, self.seconds = found.step, found.loss_sum, found.seconds
        self.curve = list(found.curve)

    def _parts(self) -> dict[str, Any]:
        return {"network": self.network, "optimizer": self.optimizer, "scaler": self.scaler}

    def outcome(self) -> Outcome:
        """Of a training that is through."""
        return Outcome(self.curve[-1].accuracy_percent, len(self.job.data.held_out), tuple(self.curve), self.seconds)

    def epochs(self) -> Iterator[Epoch | None]:
        """Train to the end: an epoch when one is through, None when it is time to save in the middle of one."""
        seen = Seen(self.job.data.train, training_transform(self.job.recipe, self.job.data.side), self.job.seed)
        keys = list(self.schedule.keys(self.step, self.team.share))
        began = time.monotonic()
        for images, labels in loaded(seen, keys, workers=self.machine.workers):
            self._train(images.to(self.team.device), labels.to(self.team.device))
            self.step += 1
            full = self.step % self.schedule.steps_per_epoch == 0
            if full:
                self._close_epoch()
            passed = time.monotonic() - began
            if full or passed > CHECKPOINT_SECONDS:
                self.seconds += passed
                began = time.monotonic()
                yield self.curve[-1] if full else None

    def _train(self, images: Tensor, labels: Tensor) -> None:
        """One step of the optimizer."""
        seed_step(self.job.seed, self.step, self.team.share)
        self.joined.train()
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.job.recipe, self.step, self.schedule)
        images, targets = self.mix(images, labels)
        with self._autocast():
            loss = F.cross_entropy(self.joined(images), targets, label_smoothing=self.job.recipe.label_smoothing)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.network.parameters(), self.job.recipe.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.loss_sum += loss.item()

    def _close_epoch(self) -> None:
        """Evaluate, and add the epoch to the curve."""
        steps, number = self.schedule.steps_per_epoch, self.step // self.schedule.steps_per_epoch
        total = self.team.total(torch.tensor(self.loss_sum, dtype=torch.float64)).item()
        loss = total / steps / self.team.share.size
        if not math.isfinite(loss):
            raise Diverged(
                f"{self.job.config.name}: the loss of epoch {number} is {loss}: give a lower --learning-rate"
            )
        self.curve.append(Epoch(number, loss, self._accuracy_percent()))
        self.loss_sum = 0.0

    def _accuracy_percent(self) -> float:
        """Top-1 on the held-out pictures, each process looking at its share."""
        self.network.eval()
        with self._autocast():
            right = right_answers(
                lambda images: self.network(images.to(self.team.device)),
                self.job.data,
                batch_size=self.job.recipe.batch_size,
                share=self.team.share,
                workers=self.machine.workers,
            )
        return 100 * int(self.team.total(torch.tensor([right]))) / len(self.job.data.held_out)

    def _autocast(self) -> AbstractContextManager[object]:
        if self.job.autocast == "none":
            return nullcontext()
        return torch.autocast(self.team.device.type, dtype=getattr(torch, self.job.autocast))


def _digest_from(wanted: Job, initial: Mapping[str, Tensor]) -> str:
    """Of a training that starts from given weights."""
    found = hashlib.sha256(wanted.digest.encode())
    for name, value in sorted(initial.items()):
        found.update(name.encode())
        found.update(value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def right_answers(
    scores: Callable[[Tensor], Tensor], data: Data, *, batch_size: int, share: Share, workers: int = 0
) -> int:
    """How many held-out pictures of a share get their class by scores (B, classes) of images (B, 3, H, H)."""
    seen = Seen(data.held_out, evaluation_transform(data.side), 0)
    mine = range(len(data.held_out))[share.rank :: share.size]
    keys = [[(0, number) for number in mine[start : start + batch_size]] for start in range(0, len(mine), batch_size)]
    with torch.inference_mode():
        batches = loaded(seen, keys, workers=workers)
        return sum(int((scores(images).argmax(dim=1).cpu() == labels).sum()) for images, labels in batches)


def learning_rate(recipe: Recipe, step: int, schedule: Schedule) -> float:
    """At a step: up in a line over the warm-up, then down by half a cosine (PVT, section 5.1)."""
    warmup = recipe.warmup_epochs * schedule.steps_per_epoch
    if step < warmup:
        return _FIRST_LEARNING_RATE + (recipe.learning_rate - _FIRST_LEARNING_RATE) * step / warmup
    share = (step - warmup) / max(1.0, schedule.steps - warmup)
    low = min(recipe.final_learning_rate, recipe.learning_rate)
    return low + (recipe.learning_rate - low) * (1 + math.cos(math.pi * share)) / 2


def decayed(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Parameter groups: matrices and kernels decay; vectors and tokens do not, as in DeiT's code."""
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    matrices = [p for name, p in named if p.ndim > 1 and "cls_token" not in name]
    rest = [p for name, p in named if p.ndim <= 1 or "cls_token" in name]
    return [{"params": matrices, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]
