"""The accuracy prior: a static score, higher is better, and the region in which it may be trusted."""

from __future__ import annotations

from pvtsearch.accuracy.cards import Card, Validation
from pvtsearch.config import PVTConfig
from pvtsearch.geometry import Number

CARD = Card(
    signal="prior",
    meaning="S, the sum of embed_dim over all blocks; higher is better. A prior, not an accuracy.",
    validations=(
        Validation(
            table="PiT networks of ViT-Bench-101 (Auto-Prox, AAAI 2024); mean rank over CIFAR-100 and Flowers, "
            "with and without distillation",
            networks="100",
            tau=0.91,
            pair_percent=88.0,
            pair_interval_percent=(83.5, 92.5),
        ),
        Validation(
            table="AutoFormer-T networks of ViT-Bench-101, trained with distillation",
            networks="100 to 200",
            tau=0.78,
            pair_percent=78.5,
        ),
    ),
    caveats=(
        "S was picked on these same tables, after looking at about 20 scores: its figures flatter it.",
        "No PVT was in these tables; PiT is the nearest pyramid with public ground truth.",
        "Outside the envelope around the published PVT networks the score is an extrapolation.",
    ),
    source="computed for this project from the published tables; see docs/accuracy.md",
)


def stage_score(depth: Number, embed_dim: Number) -> Number:
    """A stage's part of S."""
    return depth * embed_dim


def prior_score(config: PVTConfig) -> int:
    """S: the sum over all blocks of their embed_dim."""
    return sum(int(stage_score(stage.depth, stage.embed_dim)) for stage in config.stages)
