"""Laws of the design: what a calibration measures fills the space, and the same arguments choose the same."""

from __future__ import annotations

import pytest

from pvtsearch.analysis.design_of_parts import DEEPEST, designed, stages_alone
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError
from pvtsearch.serialize_space import load_space

TINY = load_space("tiny")
SIZE = (64, 64)


def test_stages_are_distinct_legal_and_of_every_place() -> None:
    """As many of each stage as of any other, few blocks each, and both ends of every width."""
    parts = stages_alone(TINY, SIZE, "classification", 40, seed=0)
    assert len(set(parts)) == len(parts) == 40
    for place, knobs in enumerate(TINY.stages):
        stages = [part.config.stages[place] for part in parts if part.place == place]
        assert len(stages) == 10
        assert {min(knobs.embed_dim), max(knobs.embed_dim)} <= {stage.embed_dim for stage in stages}
        assert all(stage.depth <= DEEPEST for stage in stages)
        assert {stage.attention for stage in stages} == set(knobs.attention)


def test_the_same_arguments_choose_the_same() -> None:
    """A seed is a design; more held-out networks keep the first ones; none of them is learned from."""
    arguments = {"stages": 16, "networks": 5, "budget": Budget(), "seed": 3}
    one = designed(TINY, SIZE, "classification", held_out=4, **arguments)
    assert one == designed(TINY, SIZE, "classification", held_out=4, **arguments)
    more = designed(TINY, SIZE, "classification", held_out=9, **arguments)
    assert more.held_out[:4] == one.held_out
    assert not set(more.held_out) & set(more.whole)
    assert all(TINY.contains(part.config) for part in (*more.whole, *more.held_out))


def test_networks_are_within_the_budget_or_there_is_none() -> None:
    """A budget that nothing meets is an error with what would help."""
    counts = {"stages": 16, "networks": 2, "held_out": 2, "seed": 0}
    with pytest.raises(InputError, match="are needed: give a larger --budget"):
        designed(TINY, SIZE, "classification", budget=Budget({"macs": 10}), **counts)
    with pytest.raises(InputError, match="legal at 8x8"):
        stages_alone(TINY, (8, 8), "classification", 16, seed=0)
