"""Accuracy as a search asks for it: of a configuration and a seed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from pvtsearch.analysis.setting import Autocast
from pvtsearch.config import PVTConfig
from pvtsearch.training.ledger import Ledger
from pvtsearch.training.loop import Machine, job
from pvtsearch.training.recipe import Recipe
from pvtsearch.training.sources import Data
from pvtsearch.trainings import OnEpoch, Outcome, Trainer, unheard


def ledger_trainer(
    folder: Path,
    data: Data,
    recipe: Recipe,
    *,
    machine: Machine | None = None,
    autocast: Autocast = "none",
) -> Trainer:
    """A trainer that keeps what it trained in folder: asked again, also after it was killed, it has it at once."""
    ledger = Ledger(folder, machine)

    def trained(config: PVTConfig, seed: int, on_epoch: OnEpoch = unheard) -> Outcome:
        return ledger.trained(job(config, data, recipe, seed=seed, autocast=autocast), on_epoch)

    return trained


def circumstances(data: Data, recipe: Recipe, autocast: Autocast) -> dict[str, Any]:
    """What accuracies follow from, beside network and seed, in plain values."""
    return {
        "data": {"name": data.name, "digest": data.digest, "classes": data.classes, "train": len(data.train),
                 "held_out": len(data.held_out)},
        "recipe": asdict(recipe),
        "autocast": autocast,
    }  # fmt: skip
