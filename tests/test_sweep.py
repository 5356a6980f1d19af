"""Laws of sweeps: a million costs at once are the million costs one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from small_spaces import every_config, image_sizes, memory_settings, spaces, tasks

from pvtsearch.analysis.metrics import SUMS, analytic_cost, every_metric
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.sweep import ILLEGAL, Sweep
from pvtsearch.cli import run
from pvtsearch.config import ImageSize, Task
from pvtsearch.errors import InputError
from pvtsearch.serialize_space import load_space
from pvtsearch.space import SearchSpace


@settings(max_examples=60, deadline=None)
@given(space=spaces(), image_size=image_sizes, task=tasks, setting=memory_settings)
def test_every_point_is_what_brute_force_finds(
    space: SearchSpace, image_size: ImageSize, task: Task, setting: MemorySetting
) -> None:
    """All legal configurations, each once, each with its cost in closed form, memory too, computed alone."""
    costing = every_metric(task, setting)
    sweep = Sweep(space, image_size, task, costing)
    found = [
        (sweep.config(p), tuple(c)) for points, costs in sweep.every_point() for p, c in zip(points, costs, strict=True)
    ]
    assert len(found) == space.size(image_size).legal
    assert {config for config, _cost in found} == set(every_config(space, image_size))
    for config, cost in found:
        assert dict(zip(costing.metrics, map(int, cost), strict=True)) == analytic_cost(
            config, image_size, task, costing
        )


@pytest.mark.parametrize(("name", "attention"), [("pvt_v1", "fused"), ("pvt_v2", "explicit")])
def test_a_sample_of_a_large_space_equals_one_by_one(name: str, attention: Literal["fused", "explicit"]) -> None:
    """Drawn points are legal, their costs those of their configurations; the same seed draws the same."""
    space = load_space(name)
    costing = every_metric("classification", MemorySetting(batch_size=4, dtype="float16", attention=attention))
    sweep = Sweep(space, (224, 224), costing=costing)
    points, costs = (np.concatenate(parts) for parts in zip(*sweep.sample(150_000, seed=1), strict=True))
    again = np.concatenate([points for points, _costs in sweep.sample(150_000, seed=1)])
    assert (points == again).all()
    assert len(points) == len(costs) == 150_000
    for row in range(0, len(points), 3_000):
        config = sweep.config(points[row])
        assert space.contains(config)
        alone = analytic_cost(config, (224, 224), costing=costing)
        assert dict(zip(costing.metrics, map(int, costs[row]), strict=True)) == alone


@pytest.mark.parametrize("task", ["retinanet", "mask_rcnn", "semantic_fpn"])
def test_a_sweep_of_a_dense_task_counts_neck_and_heads(task: Task) -> None:
    """Each row is the whole network of the task, backbone, neck and heads, as it is computed alone."""
    sweep = Sweep(load_space("tiny"), (64, 96), task, every_metric(task, MemorySetting()))
    points, costs = next(sweep.sample(20, seed=0))
    for point, cost in zip(points, costs, strict=True):
        assert dict(zip(SUMS, map(int, cost), strict=True)) == analytic_cost(sweep.config(point), (64, 96), task)


def test_a_sample_of_tiny_is_uniform() -> None:
    """Chi-square of 81,920 draws over the 8,192 configurations: within five standard deviations of its mean."""
    sweep = Sweep(load_space("tiny"), (64, 64))
    points = np.concatenate([points for points, _costs in sweep.sample(81_920, seed=0)])
    _unique, counts = np.unique(points, axis=0, return_counts=True)
    expected = 81_920 / 8_192
    chi_square = ((counts - expected) ** 2).sum() / expected + (8_192 - len(counts)) * expected
    assert abs(chi_square - 8_191) < 5 * (2 * 8_191) ** 0.5


def test_points_that_break_a_law_have_no_cost() -> None:
    """A point outside the rules is marked, never given a number; where nothing is legal, no draw is made up."""
    space = load_space("tiny")
    sweep = Sweep(space, (64, 64))
    everything = np.stack(np.meshgrid(*[np.arange(len(o.stages)) for o in space.options]), axis=-1).reshape(-1, 4)
    points = np.concatenate([np.zeros((len(everything), 1), dtype=np.int64), everything], axis=1)
    costs = sweep.costs(points)
    assert (costs[:, 0] != ILLEGAL).sum() == 8_192
    assert ((costs == ILLEGAL).all(axis=1) == (costs == ILLEGAL).any(axis=1)).all()
    with pytest.raises(InputError, match="hardly any"):
        next(Sweep(space, (8, 8)).sample(1, seed=0))


def test_the_command_writes_a_table_whole_or_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of a small space, a sample of a large one; too large a space, wrong endings, missing folders are refused."""
    monkeypatch.chdir(tmp_path)
    assert run(["sweep", "tiny", "--out", "all.csv"]) == 0
    table = pd.read_csv("all.csv")
    assert len(table) == 8_192
    assert list(table.columns[:2]) == ["stage1.patch_size", "stage1.embed_dim"]
    assert list(table.columns[-4:]) == ["params", "macs", "inference_peak_bytes", "training_peak_bytes"]
    assert run(["sweep", "tiny", "--task", "retinanet", "--out", "all.csv"]) == 0
    assert list(pd.read_csv("all.csv").columns[-2:]) == ["params", "macs"]
    assert run(["sweep", "tiny", "--batch-size", "3", "--dtype", "bfloat16", "--out", "all.csv"]) == 0
    smaller = pd.read_csv("all.csv")["inference_peak_bytes"] / table["inference_peak_bytes"]
    assert 0.5 < smaller.min() < smaller.max() < 1.5
    assert run(["sweep", "pvt_v1", "--sample", "1000", "--out", "some.csv"]) == 0
    assert len(pd.read_csv("some.csv")) == 1_000
    capsys.readouterr()
    for arguments, problem in (
        (["pvt_v1", "--out", "x.csv"], "give --sample N"),
        (["tiny", "--out", "x.xls"], "must end in .csv or .parquet"),
        (["tiny", "--out", "missing/x.csv"], "cannot be written"),
        (["tiny", "--image-size", "8", "--out", "x.csv"], "has 0 configurations at 8x8"),
    ):
        assert run(["sweep", *arguments]) == 2
        assert problem in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["all.csv", "some.csv"]


def test_parquet_holds_what_csv_holds(tmp_path: Path) -> None:
    """The two forms are one table."""
    pytest.importorskip("pyarrow", reason="Parquet is the extra 'parquet'")
    assert run(["sweep", "tiny", "--out", str(tmp_path / "t.csv")]) == 0
    assert run(["sweep", "tiny", "--out", str(tmp_path / "t.parquet")]) == 0
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "t.csv"), pd.read_parquet(tmp_path / "t.parquet"), check_dtype=False
    )
