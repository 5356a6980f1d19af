"""What initial weights do to zero-cost scores: their agreement with trained PiT networks under three kinds.

    python tests/benchmarks/initial_weights.py TABLE.json > reports/signals/README.md

TABLE: ViT-Bench-101's PiT networks (published with Auto-Prox, AAAI 2024), as `pvtsearch validate` reads it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from pvtsearch.accuracy.agreement import agreement, mean_ranks
from pvtsearch.accuracy.tables import TrainedTable, load_table
from pvtsearch.accuracy.untrained import WITHOUT_CLASSIFIER
from pvtsearch.accuracy.zero_cost import ZERO_COST, random_batch
from pvtsearch.errors import ScoreError
from pvtsearch.models.pit import build_pit
from pvtsearch.models.pit_config import PiTConfig

CONSENSUS = ("c100_base_acc", "c100_kd_acc", "flower_base_acc", "flower_kd_acc")
# tau over all pairs, and pair accuracy in per cent, that another implementation of these scores had on the same table
KNOWN = {
    "zen": (0.86, 84),
    "snip": (0.84, 77.5),
    "grad_norm": (0.77, 67.5),
    "zico": (0.73, 59.5),
    "synflow": (0.74, 85),
    "naswot": (0.54, 27),
}


def as_trained(_module: nn.Module) -> None:
    """Truncated normal of .02 in linear layers: as the networks are built, and as cards are made."""


def torch_default(module: nn.Module) -> None:
    """What torch gives a layer that nobody initialises: uniform, by its number of inputs."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            layer.reset_parameters()


def standard_normal(module: nn.Module) -> None:
    """All weights from a standard normal, biases 0, as Zen-NAS draws them (arXiv 2102.01063, algorithm 1)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d):
            nn.init.normal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


INITIAL: dict[str, Callable[[nn.Module], None]] = {
    "truncated normal, .02": as_trained,
    "torch's default": torch_default,
    "standard normal": standard_normal,
}


def score(name: str, config: PiTConfig, initialise: Callable[[nn.Module], None], *, seed: int = 0) -> float:
    """A zero-cost score of a PiT with such weights."""
    torch.manual_seed(seed)
    network = build_pit(PiTConfig(**{**vars(config), "num_classes": 0}) if name in WITHOUT_CLASSIFIER else config)
    initialise(network)
    images, labels = random_batch((8, 3, config.image_size, config.image_size), config.num_classes, seed=seed)
    return ZERO_COST[name](network, images, labels)


def row(table: TrainedTable, name: str, kind: str) -> str:
    """One line of the table."""
    networks = [network for network in table.networks if isinstance(network, PiTConfig)]
    known = f"{KNOWN[name][0]:.2f}, {KNOWN[name][1]:g} %"
    try:
        scores = [score(name, network, INITIAL[kind]) for network in networks]
    except ScoreError as error:
        return f"| {name} | {kind} | none | {error} | {known} |"
    found = agreement(scores, mean_ranks([table.accuracies[column] for column in CONSENSUS]), table.macs())
    tau, pairs = found.tau, found.pair_percent
    return (
        f"| {name} | {kind} | {tau.value:.2f} [{tau.lower:.2f}, {tau.upper:.2f}] "
        f"| {pairs.value:.1f} % [{pairs.lower:.1f}, {pairs.upper:.1f}] | {known} |"
    )


def main() -> None:
    """Print the report."""
    table = load_table(Path(sys.argv[1]), CONSENSUS)
    print("| signal | initial weights | tau [95 %] | right at equal MACs [95 %] | another implementation |")
    print("| --- | --- | --- | --- | --- |")
    for name in ZERO_COST:
        for kind in INITIAL:
            print(row(table, name, kind), flush=True)


if __name__ == "__main__":
    main()
