"""Laws of training: what it follows from, interrupted or not; recipe, schedule, memory of what is done, the command."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pvtsearch.cli import run
from pvtsearch.config import PVTConfig, SpatialReduction, StageConfig
from pvtsearch.errors import ConfigError, Diverged, InputError
from pvtsearch.models.pvt import build_pvt
from pvtsearch.models.weights import load_weights, read_checkpoint
from pvtsearch.presets import PRESETS
from pvtsearch.serialize import dump_config
from pvtsearch.training import loop
from pvtsearch.training.augmentation import evaluation_transform, mixing, training_transform
from pvtsearch.training.batches import Schedule, Share
from pvtsearch.training.ledger import Ledger
from pvtsearch.training.loop import Job, Machine, job, learning_rate, train
from pvtsearch.training.recipe import recipe_for
from pvtsearch.training.sources import Data, open_data
from pvtsearch.trainings import Epoch, Outcome

NETWORK = PVTConfig(
    name="two",
    image_size=16,
    stages=(
        StageConfig(4, 8, 1, 2, 2, SpatialReduction(2)),
        StageConfig(2, 16, 1, 2, 2),
    ),
)
FRACTALS = "fractals:classes=3,train=10,held_out=8"


@pytest.fixture(scope="module")
def data() -> Data:
    """A few formula-driven images."""
    return open_data(FRACTALS, 16)


def small(data: Data, epochs: int = 3, seed: int = 0, strength: float = 1.0) -> Job:
    """A training of a second, with everything of the recipe in it."""
    recipe = replace(recipe_for(epochs, 8), mix=strength, randaugment=9, erasing=0.5, drop_path_rate=0.2)
    return job(NETWORK, data, recipe, seed=seed)


class Killed(Exception):
    """A process that ends."""


def test_a_killed_training_goes_on_as_if_nothing_had_been(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bit by bit: weights, losses and accuracies, killed between epochs and in the middle of one."""
    whole, weights = train(small(data))
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)  # after every step
    kept = tmp_path / "checkpoint.pt"
    written = loop.write_checkpoint
    for deadly in (2, 5):  # steps of an epoch: 3
        steps = 0

        def kill(path: Path, checkpoint: loop.Checkpoint, deadly: int = deadly) -> None:
            nonlocal steps
            written(path, checkpoint)
            steps += 1
            if checkpoint.step >= deadly:
                raise Killed

        monkeypatch.setattr(loop, "write_checkpoint", kill)
        with pytest.raises(Killed):
            train(small(data), checkpoint=kept)
        assert steps
    monkeypatch.setattr(loop, "write_checkpoint", written)
    resumed, again = train(small(data), checkpoint=kept)
    assert resumed.curve == whole.curve
    assert all(torch.equal(again[name], value) for name, value in weights.items())


def test_loading_processes_change_nothing(data: Data) -> None:
    """What an image becomes follows from seed, epoch and number alone."""
    alone, _ = train(small(data, epochs=1))
    helped, _ = train(small(data, epochs=1), Machine(workers=2))
    assert helped.curve == alone.curve


def test_a_seed_is_a_training_and_another_is_another(data: Data) -> None:
    """And torch's own random numbers go on as if nothing had been drawn."""
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    first, _ = train(small(data, epochs=1))
    assert torch.equal(torch.rand(3), expected)
    assert train(small(data, epochs=1))[0].curve == first.curve
    assert train(small(data, epochs=1, seed=1))[0].curve != first.curve


def test_it_learns(data: Data) -> None:
    """Two dozen epochs of thirty images leave chance far behind; the loss falls."""
    easy = job(NETWORK, data, recipe_for(25, 8, 0.003))
    outcome, weights = train(easy)
    assert outcome.accuracy_percent > 60  # chance is 33
    assert outcome.curve[-1].loss < outcome.curve[0].loss
    network = build_pvt(easy.config).eval()
    load_weights(network, weights)
    with torch.inference_mode():
        seen = torch.stack([evaluation_transform(16)(data.held_out[n][0]) for n in range(len(data.held_out))])
        answers = network(seen).argmax(dim=1)
    labels = torch.tensor([data.held_out[n][1] for n in range(len(data.held_out))])
    assert 100 * (answers == labels).float().mean().item() == pytest.approx(outcome.accuracy_percent, abs=1e-4)


@pytest.mark.parametrize("autocast", ["bfloat16", "float16"])
def test_lower_types_train_too(data: Data, autocast: str) -> None:
    """With float32 weights."""
    outcome, weights = train(replace(small(data, epochs=1), autocast=autocast))
    assert np.isfinite(outcome.curve[0].loss)
    assert {value.dtype for value in weights.values() if value.is_floating_point()} == {torch.float32}


def test_a_loss_that_is_no_number_ends_it(data: Data) -> None:
    """With a word on what to change, and nothing that looks like an accuracy."""
    wanted = small(data, epochs=1)
    with pytest.raises(Diverged, match="lower --learning-rate"):
        train(replace(wanted, recipe=replace(wanted.recipe, clip_norm=float("nan"))))


def test_networks_are_fitted_to_the_data(data: Data) -> None:
    """Classes, input size and drop path; what cannot be is refused at once."""
    wanted = small(data)
    assert isinstance(wanted.config, PVTConfig)
    assert (wanted.config.num_classes, wanted.config.image_size, wanted.config.drop_path_rate) == (3, 16, 0.2)
    with pytest.raises(ConfigError, match="in_chans must be 3"):
        job(replace(NETWORK, in_chans=1), data, wanted.recipe)
    with pytest.raises(ConfigError, match="grid of at least"):
        job(PRESETS["pvt_small"].config, data, wanted.recipe)


def test_digests_tell_trainings_apart(data: Data) -> None:
    """By all that an accuracy follows from, and by nothing else."""
    wanted = small(data)
    assert replace(wanted, config=replace(NETWORK, name="other")).digest != wanted.digest  # other classes too
    assert job(replace(NETWORK, name="other"), data, wanted.recipe).digest == wanted.digest
    others = [small(data, seed=1), small(data, epochs=4), replace(wanted, autocast="bfloat16")]
    assert len({each.digest for each in (wanted, *others)}) == 4


@given(
    images=st.integers(1, 60),
    batch=st.integers(2, 16),
    epochs=st.integers(1, 4),
    size=st.integers(1, 3),
    start=st.data(),
)
def test_a_schedule_takes_every_image_once_an_epoch(
    images: int, batch: int, epochs: int, size: int, start: st.DataObject
) -> None:
    """But those that do not fill a batch; shares of processes are disjoint; from any step on it is the same."""
    schedule = Schedule(images, batch, epochs, seed=1)
    steps = [list(schedule.keys(0, Share(rank, size))) for rank in range(size)]
    assert all(len(each) == schedule.steps for each in steps)
    for epoch in range(epochs):
        taken = [
            key
            for each in steps
            for step in each[epoch * schedule.steps_per_epoch : (epoch + 1) * schedule.steps_per_epoch]
            for key in step
        ]
        assert len(set(taken)) == len(taken) == (images // batch * batch or images)
        assert {key[0] for key in taken} == {epoch}
    later = start.draw(st.integers(0, schedule.steps))
    assert list(schedule.keys(later, Share(0, size))) == steps[0][later:]


def test_the_learning_rate_rises_and_falls() -> None:
    """From next to nothing, to the recipe's own, to the least (PVT, section 5.1)."""
    recipe, schedule = recipe_for(20, 256), Schedule(1024, 256, 20, 0)
    rates = [learning_rate(recipe, step, schedule) for step in range(schedule.steps)]
    top = int(np.argmax(rates))
    assert rates[0] == 1e-6
    assert rates[top] == pytest.approx(1e-3)
    assert top == 8  # a tenth of 80 steps
    assert all(a < b for a, b in pairwise(rates[: top + 1]))
    assert all(a > b for a, b in pairwise(rates[top:]))
    assert rates[-1] == pytest.approx(1e-5, rel=0.2)


def test_the_recipe_is_pvts_where_there_is_time() -> None:
    """Of DeiT's table 9; a short run has a part of what fights overfitting."""
    full = recipe_for(300, 1024)
    assert (full.learning_rate, full.weight_decay, full.warmup_epochs) == (1e-3, 0.05, 5)
    assert (full.mix, full.randaugment, full.erasing, full.drop_path_rate) == (1, 9, 0.25, 0.1)
    assert full.smallest_crop == pytest.approx(0.08)
    short = recipe_for(10, 64)
    assert (short.mix, short.randaugment, short.drop_path_rate) == (0.1, 1, pytest.approx(0.01))
    assert short.learning_rate == 1e-3
    assert recipe_for(10, 16).learning_rate == pytest.approx(5e-4)
    for epochs, batch, rate in ((0, 8, None), (1, 1, None), (1, 8, 2.0)):
        with pytest.raises(InputError, match="must be"):
            recipe_for(epochs, batch, rate)


def test_transforms_have_the_side_and_repeat_by_their_seed(data: Data) -> None:
    """Held-out images of that side are left as they are, but for their scale; mixed labels are shares."""
    recipe = recipe_for(100, 8)
    image = data.train[0][0]
    torch.manual_seed(0)
    first = training_transform(recipe, 16)(image)
    torch.manual_seed(0)
    assert torch.equal(training_transform(recipe, 16)(image), first)
    assert first.shape == (3, 16, 16)
    assert evaluation_transform(8)(image).shape == (3, 8, 8)
    images, labels = torch.rand(4, 3, 16, 16), torch.tensor([0, 1, 2, 0])
    mixed, shares = mixing(recipe, 3)(images, labels)
    assert mixed.shape == images.shape
    assert torch.allclose(shares.sum(dim=1), torch.ones(4))
    same, whole = mixing(replace(recipe, mix=0.0), 3)(images, labels)
    assert torch.equal(same, images)
    assert torch.equal(whole, labels)


def test_a_ledger_trains_once(data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in the folder is told from there, epoch by epoch; a file that is no training is named."""
    ledger = Ledger(tmp_path)
    first = ledger.trained(small(data, epochs=2))
    monkeypatch.setattr("pvtsearch.training.ledger.train", None)  # not called again
    epochs: list[Epoch] = []
    assert ledger.trained(small(data, epochs=2), epochs.append) == first
    assert tuple(epochs) == first.curve
    (file,) = tmp_path.iterdir()
    file.write_text("{}")
    with pytest.raises(InputError, match="no outcome of a training"):
        ledger.trained(small(data, epochs=2))


def test_the_error_of_an_accuracy_is_the_binomials() -> None:
    """And never 0: no number of right answers proves that all are."""
    assert Outcome(50.0, 100, (), 0.0).error_percent == pytest.approx(5.0)
    assert Outcome(100.0, 100, (), 0.0).error_percent > 0


def command(folder: Path, *more: str) -> list[str]:
    """A small training by the command line."""
    folder.mkdir(exist_ok=True)
    (folder / "two.yaml").write_text(dump_config(NETWORK))
    return ["train", str(folder / "two.yaml"), "--data", FRACTALS, "--epochs", "2", "--batch-size", "8",
            "--out", str(folder / "out"), *more]  # fmt: skip


def test_the_command_writes_weights_and_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Weights that load, a row per epoch; done, the same command is done at once and says the same."""
    assert run(command(tmp_path)) == 0
    told = capsys.readouterr().out
    assert "chance is 33.3 %" in told
    out = tmp_path / "out"
    held = json.loads((out / "training.json").read_text())
    assert f"top-1 {held['outcome']['accuracy_percent']:.1f} %" in told
    assert len((out / "curve.csv").read_text().splitlines()) == 3
    load_weights(build_pvt(replace(NETWORK, num_classes=3)), read_checkpoint(out / "weights.pt"))
    assert run(command(tmp_path)) == 0
    assert capsys.readouterr().out == told


def test_the_command_refuses_what_cannot_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, with status 2: another training in the folder, sides that differ, a checkpoint that is none."""
    assert run(command(tmp_path)) == 0
    for more, message in (
        (["--seed", "1"], "belongs to another training"),
        (["--image-size", "16x24"], "must be one side"),
        (["--learning-rate", "7"], "learning rate must be"),
    ):
        capsys.readouterr()
        assert run(command(tmp_path, *more)) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
    (tmp_path / "out" / "checkpoint.pt").write_bytes(b"nothing")
    assert run(command(tmp_path)) == 2
    assert "no checkpoint of a training" in capsys.readouterr().err


def test_two_processes_train_one_network(tmp_path: Path) -> None:
    """By torchrun, without anything that processes draw for themselves: as one process does, up to rounding."""
    script = tmp_path / "two.py"
    script.write_text(TOGETHER)
    for processes in (1, 2):
        subprocess.run(
            [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}",
             str(script), str(tmp_path / f"{processes}.pt")],
            check=True, capture_output=True, timeout=300,
        )  # fmt: skip
    one, two = (torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in (1, 2))
    assert two["curve"] == pytest.approx(one["curve"], rel=1e-4)
    for name, value in one["weights"].items():
        assert torch.allclose(two["weights"][name], value, atol=1e-4), name


TOGETHER = """
import sys
from dataclasses import replace
from itertools import pairwise
import torch
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.training.loop import job, train
from pvtsearch.training.recipe import recipe_for
from pvtsearch.training.sources import open_data
from pvtsearch.training.team import leads

network = PVTConfig(image_size=16, stages=(StageConfig(4, 8, 1, 2, 2), StageConfig(2, 16, 1, 2, 2)))
recipe = replace(recipe_for(2, 8), mix=0.0, drop_path_rate=0.0)
outcome, weights = train(job(network, open_data("fractals:classes=3,train=8,held_out=7", 16), recipe))
if leads():
    torch.save({"curve": [epoch.loss for epoch in outcome.curve], "weights": weights}, sys.argv[1])
"""


def test_the_data_command_counts_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture with a class per row; anything but a PNG is refused."""
    picture = tmp_path / "grid.png"
    assert run(["data", FRACTALS, "--image-size", "16", "--out", str(picture)]) == 0
    assert "3 classes, 30 images to train on, 24 held out" in capsys.readouterr().out
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert run(["data", FRACTALS, "--out", str(tmp_path / "grid.jpg")]) == 2


def test_a_search_by_trainings_goes_on_and_ends_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """End to end on the tiny space: what was trained is taken from the folder, and every file comes out the same."""
    out = tmp_path / "out"
    arguments = ["search", "tiny", "--max-gmacs", "0.004", "--objectives", "accuracy", "--image-size", "32", "--data",
                 "fractals:classes=2,train=4,held_out=4", "--epochs", "1", "--train-batch-size", "8", "--trials", "6",
                 "--out", str(out)]  # fmt: skip
    assert run(arguments) == 0
    first = {file.name: file.read_bytes() for file in out.iterdir() if file.is_file()}
    done = sorted((out / "trainings").iterdir())
    done[0].unlink()
    assert run(arguments) == 0
    assert {file.name: file.read_bytes() for file in out.iterdir() if file.is_file() and file.suffix == ".csv"} == {
        name: text for name, text in first.items() if name.endswith(".csv")
    }
    summary = json.loads((out / "summary.json").read_text())
    assert summary["method"] == "predict"
    assert len(summary["campaign"]["trainings"]) == len(done)
    assert summary["budget"]["limits"]["macs"] == 4_000_000
    capsys.readouterr()


def test_accuracy_by_trials(tmp_path: Path) -> None:
    """Beside another objective every trial trains its network; a second seed is another study."""
    arguments = ["search", "tiny", "--max-gmacs", "0.004", "--objectives", "accuracy,macs", "--image-size", "32",
                 "--data", "fractals:classes=2,train=4,held_out=4", "--epochs", "1", "--train-batch-size", "8",
                 "--trials", "3", "--out", str(tmp_path)]  # fmt: skip
    assert run(arguments) == 0
    assert len(list((tmp_path / "trainings").iterdir())) == 3
    assert run([*arguments, "--seed", "1"]) == 2


def test_poor_trainings_end_early_and_a_killed_study_goes_on(tmp_path: Path) -> None:
    """By Optuna's median; pruned configurations count as evaluated, come once, and are no records."""
    arguments = ["search", "tiny", "--max-gmacs", "0.004", "--objectives", "accuracy", "--image-size", "32",
                 "--data", "fractals:classes=2,train=4,held_out=16", "--epochs", "3", "--train-batch-size", "8",
                 "--learning-rate", "0.003", "--sampler", "random"]  # fmt: skip
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert run([*arguments, "--trials", "12", "--out", str(whole)]) == 0
    for trials in ("7", "12"):
        assert run([*arguments, "--trials", trials, "--out", str(parts)]) == 0
    records = (whole / "trials.csv").read_text()
    assert records == (parts / "trials.csv").read_text()
    pruned = json.loads((whole / "summary.json").read_text())["pruned"]
    assert pruned > 0
    assert len(records.splitlines()) - 1 + pruned == 12
    assert run([*arguments, "--trials", "12", "--out", str(whole), "--pruner", "none"]) == 2  # another study


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--objectives", "prior", "--epochs", "3"], "--epochs is of trainings"),
        (["--objectives", "accuracy", "--trials", "4"], "trials must be at least 5"),
        (["--objectives", "accuracy,macs", "--method", "predict"], "accuracy alone"),
        (["--objectives", "accuracy", "--method", "exact"], "accuracy"),
        (["--objectives", "accuracy,macs", "--pruner", "median"], "the only objective"),
        (["--objectives", "accuracy", "--image-size", "64x32"], "must be one side"),
        (["--objectives", "accuracy", "--data", "nowhere"], "no such folder"),
    ],
)
def test_searches_by_trainings_that_cannot_be(
    more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, status 2."""
    assert run(["search", "tiny", "--max-gmacs", "0.01", "--out", str(tmp_path), *more]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
