"""Laws of supernets: a subnet is its extracted network, a step moves what it uses and nothing else, no blind order."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pvtsearch.cli import run
from pvtsearch.config import PooledReduction, PVTConfig, SpatialReduction
from pvtsearch.errors import ConfigError, InputError, SpaceError, Untrusted
from pvtsearch.knobs import StageKnobs
from pvtsearch.models.pvt import build_pvt
from pvtsearch.search.draws import uniform_draws
from pvtsearch.search.problem import Problem
from pvtsearch.serialize import load_config
from pvtsearch.space import SearchSpace
from pvtsearch.supernet.ranking import FEWEST, Compared, ranking
from pvtsearch.supernet.sandwich import sandwich, train_step
from pvtsearch.supernet.supernet import Supernet
from pvtsearch.supernet.training import SupernetJob, SupernetTraining, inherited_percent, train_supernet
from pvtsearch.training.checkpoints import read_weights
from pvtsearch.training.loop import job, train
from pvtsearch.training.recipe import recipe_for
from pvtsearch.training.sources import Data, open_data
from pvtsearch.trainings import Outcome

V1 = {"patch_embed": ("plain",), "position": ("learned",), "mlp": ("plain",), "pool": ("cls",)}
V2 = {"patch_embed": ("overlap",), "position": ("none",), "mlp": ("conv",), "pool": ("mean",)}


def space(network: dict[str, tuple[str, ...]]) -> SearchSpace:
    """Everything that may vary varies: patch size, width, depth, heads, MLP ratio, kind and ratio of reduction."""
    attentions = (SpatialReduction(1), SpatialReduction(2), SpatialReduction(4), PooledReduction(3))
    last = (SpatialReduction(1),) if network["pool"] == ("cls",) else (SpatialReduction(1), PooledReduction(1))
    return SearchSpace(
        stages=(
            StageKnobs((2, 4), (8, 12), (1, 3), (1, 2.5), attentions, num_heads=(1, 2, 4)),
            StageKnobs((1, 2), (8, 16), (1, 2), (2, 3), last, head_dim=(4, 8)),
        ),
        network=network,
        image_size=16,
        num_classes=5,
    )


SMALL = """
image_size: 16
stages:
  - {patch_size: 4, embed_dim: [8, 12, 16, 24], depth: [1, 2, 3], num_heads: [1, 2], mlp_ratio: [1, 2], sr_ratio: 2}
  - {patch_size: 2, embed_dim: [16, 24], depth: [1, 2], num_heads: 2, mlp_ratio: 2}
"""
SPACES = {"v1": space(V1), "v2": space(V2)}


@cache
def networks(name: str) -> tuple[PVTConfig, ...]:
    """Uniform draws of a space."""
    return tuple(uniform_draws(Problem(SPACES[name], (16, 16)), 40, seed=0))


@cache
def supernet(name: str) -> Supernet:
    """In float64."""
    torch.manual_seed(0)
    return Supernet(SPACES[name]).double().eval()


@pytest.mark.parametrize("name", SPACES)
@settings(max_examples=15)
@given(which=st.integers(0, 39))
def test_a_subnet_is_its_extracted_network(name: str, which: int) -> None:
    """Logits equal to 1e-10 in float64, and every weight is the slice itself."""
    config, shared = networks(name)[which], supernet(name)
    images = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    alone = shared.extract(config).eval()
    with torch.inference_mode():
        assert (alone(images) - shared(images, config)).abs().max() < 1e-10
    for key, value in shared.weights(config).items():
        assert torch.equal(alone.state_dict()[key], value)
    alone.head.weight.data.zero_()  # type: ignore[union-attr, operator]
    assert not torch.equal(alone.state_dict()["head.weight"], shared.weights(config)["head.weight"])


def test_smaller_networks_have_the_first_channels_of_larger_ones() -> None:
    """Of keys and of values alike; kernels of another size are others."""
    shared = supernet("v2")
    narrow = next(c for c in networks("v2") if c.stages[0].embed_dim == 8)
    wide = next(
        c
        for c in networks("v2")
        if c.stages[0].embed_dim == 12 and c.stages[0].patch_size == narrow.stages[0].patch_size
    )
    small, large = shared.weights(narrow), shared.weights(wide)
    name = "stages.0.blocks.0.attn.kv.weight"
    assert torch.equal(small[name][:8], large[name][:8, :8])
    assert torch.equal(small[name][8:], large[name][12:20, :8])
    kernel = "stages.0.patch_embed.proj.weight"
    assert torch.equal(small[kernel], large[kernel][:8])
    other = next(c for c in networks("v2") if c.stages[0].patch_size != narrow.stages[0].patch_size)
    assert shared.weights(other)[kernel].shape != small[kernel].shape


def test_every_configuration_of_a_space_is_held() -> None:
    """And one outside is refused; so is a space of networks that share no layers."""
    for name in SPACES:
        for config in networks(name):
            shapes = {key: value.shape for key, value in build_pvt(config).named_parameters()}
            assert {key: value.shape for key, value in supernet(name).weights(config).items()} == shapes
    first, second = networks("v1")[0].stages
    stranger = replace(networks("v1")[0], stages=(replace(first, depth=2), second))
    with pytest.raises(SpaceError, match="no network of the space"):
        supernet("v1").weights(stranger)
    with pytest.raises(SpaceError, match="one value of each network-wide part"):
        Supernet(replace(SPACES["v2"], network=V2 | {"patch_norm": (True, False)}))


def test_a_step_moves_what_its_networks_use() -> None:
    """And nothing else; losses fall where it is repeated."""
    torch.manual_seed(1)
    shared = Supernet(SPACES["v2"])
    config = min(networks("v2"), key=lambda c: sum(s.embed_dim * s.depth for s in c.stages))
    before = {name: value.detach().clone() for name, value in shared.shared.items()}
    optimizer = torch.optim.SGD(shared.parameters(), lr=0.1)
    images, labels = torch.randn(8, 3, 16, 16), torch.arange(8) % 5
    losses = [train_step(shared, optimizer, [config], images, labels) for _ in range(12)]
    assert losses[-1] < losses[0]
    shared.zero_grad()
    sum(weights.sum() for weights in shared.weights(config).values()).backward()  # type: ignore[union-attr]
    moved = {name: value.detach() != before[name] for name, value in shared.shared.items()}
    for name, value in shared.shared.items():
        part = torch.zeros_like(value, dtype=torch.bool) if value.grad is None else value.grad != 0
        assert not (moved[name] & ~part).any()
    assert sum(bool(each.any()) for each in moved.values()) > len(moved) / 3


def test_a_sandwich_follows_from_seed_and_step() -> None:
    """The ends first, then draws; a step without networks is refused."""
    ends = networks("v1")[:2]

    pool = networks("v1")
    first = sandwich(ends, pool, seed=0, step=7)
    assert first == sandwich(ends, pool, seed=0, step=7)
    assert first[:2] == list(ends)
    assert len(first) == 4
    assert len({tuple(sandwich(ends, pool, seed=0, step=step)) for step in range(8)}) > 1
    with pytest.raises(InputError, match="at least one network"):
        train_step(
            supernet("v1"), torch.optim.SGD(supernet("v1").parameters(), lr=0.1), [], torch.zeros(1), torch.zeros(1)
        )


def test_no_order_without_proof() -> None:
    """Too few comparisons, or none that agree, and there is no ranking; with them the best comes first."""
    configs = list(dict.fromkeys(networks("v1")))
    rng = np.random.default_rng(0)
    truth = np.arange(12.0)

    def pairs(inherited: np.ndarray) -> list[Compared]:
        return [Compared(c, float(i), float(t)) for c, i, t in zip(configs, inherited, truth, strict=False)]

    inherited = list(zip(configs[12:20], rng.permutation(8).tolist(), strict=True))
    found = ranking(inherited, pairs(truth + rng.normal(size=12)))
    assert found.tau.lower > 0
    assert found.order[0] == max(inherited, key=lambda each: each[1])[0]
    with pytest.raises(InputError, match="train 1 more"):
        ranking(inherited, pairs(truth)[: FEWEST - 1])
    with pytest.raises(InputError, match="train 7 more"):
        ranking(inherited, pairs(truth)[:1] * 9)
    with pytest.raises(Untrusted, match="not to be trusted"):
        ranking(inherited, pairs(rng.permutation(truth)))


def test_a_supernet_learns_and_its_networks_start_from_it() -> None:
    """Subnets leave chance behind with inherited weights; fine-tuned from them, a network begins where they are."""
    data = open_data("fractals:classes=3,train=12,held_out=12", 16)
    small = SearchSpace(
        stages=(
            StageKnobs((4,), (8, 12), (1, 2), (2,), (SpatialReduction(2),), num_heads=(2,)),
            StageKnobs((2,), (16,), (1, 2), (2, 3), (SpatialReduction(1),), head_dim=(8,)),
        ),
        network=V1,
        image_size=16,
        num_classes=3,
    )
    configs = sorted(set(uniform_draws(Problem(small, (16, 16)), 60, seed=0)), key=_size)
    wanted_supernet = SupernetJob(small, data, recipe_for(25, 8, 0.004), tuple(configs))
    trained = train_supernet(wanted_supernet)
    shared, losses = trained.supernet, trained.epoch_losses
    assert len(losses) == 25
    assert losses[-1] < losses[0]
    reached = [inherited_percent(shared, config, data) for config in configs[::4]]
    assert np.mean(reached) > 50  # chance is 33
    wanted = job(configs[0], data, recipe_for(1, 36, 1e-6))
    alone, _ = train(wanted, initial=shared.extract(configs[0]).state_dict())
    assert alone.accuracy_percent == pytest.approx(inherited_percent(shared, configs[0], data), abs=6)
    with pytest.raises(ConfigError, match="num_classes and image_size of the data"):
        SupernetJob(SPACES["v1"], data, recipe_for(1, 8), networks("v1"))
    with pytest.raises(InputError, match="at least one network"):
        dataclasses.replace(wanted_supernet, pool=())


def small_job(epochs: int = 2) -> SupernetJob:
    """Eight images a step, in a space of two networks' ends."""
    data = open_data("fractals:classes=5,train=5,held_out=5", 16)
    return SupernetJob(SPACES["v1"], data, recipe_for(epochs, 8), networks("v1"))


def test_a_killed_training_of_a_supernet_ends_the_same(tmp_path: Path) -> None:
    """Left after its first epoch and taken up again: the same losses and the same bytes as in one go."""
    whole = train_supernet(small_job())
    first = SupernetTraining(small_job(), checkpoint=tmp_path / "checkpoint.pt")
    assert next(first.epochs()) == 1
    again = SupernetTraining(small_job(), checkpoint=tmp_path / "checkpoint.pt")
    assert len(again.epoch_losses) == 1
    assert list(again.epochs()) == [1, 2]
    assert again.losses == whole.losses
    for name, value in whole.supernet.state_dict().items():
        assert torch.equal(again.supernet.state_dict()[name], value)
    with pytest.raises(InputError, match="belongs to another training"):
        SupernetTraining(small_job(3), checkpoint=tmp_path / "checkpoint.pt")


def test_an_order_is_written_where_it_is_borne_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command, with trainings that agree with inherited weights or do not: an order, or one line and status 1."""
    small = tmp_path / "small.yaml"
    small.write_text(SMALL, encoding="utf-8")
    numbers = count()

    def inherited_of(_supernet: Supernet, _config: PVTConfig, _data: Data) -> float:
        return float(next(numbers))

    monkeypatch.setattr("pvtsearch.supernet.proof.inherited_percent", inherited_of)
    options = ["supernet", str(small), "--max-gmacs", "1", "--data", "fractals:classes=2,train=4,held_out=4"]
    options += ["--epochs", "1", "--candidates", "6", "--batch-size", "8"]
    for rising, status in ((1, 0), (-1, 1)):

        def trainer(_config: PVTConfig, _seed: int, rising: int = rising) -> Outcome:
            return Outcome(50 + rising * float(next(numbers)) / 10, 8, (), 0.0)

        monkeypatch.setattr("pvtsearch.training.trainer.ledger_trainer", lambda *_, trainer=trainer, **__: trainer)
        out = tmp_path / str(status)
        assert run([*options, "--out", str(out)]) == status
        captured = capsys.readouterr()
        assert ("not to be trusted" in captured.err) == bool(status)
        assert len((out / "compared.csv").read_text().splitlines()) == 9
        assert (out / "order.csv").exists() == (status == 0)
    best = tmp_path / "0" / "best_1"
    config = load_config(best.with_suffix(".yaml"))
    start = train(job(config, open_data("fractals:classes=2,train=4,held_out=4", 16), recipe_for(1, 8)),
                  initial=read_weights(best.with_suffix(".pt")))  # fmt: skip
    assert start[0].held_out == 8


def _size(config: PVTConfig) -> int:
    return sum(stage.depth * stage.embed_dim * stage.mlp_width for stage in config.stages)
