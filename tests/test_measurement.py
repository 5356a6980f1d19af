"""Networks measured together on the CPU: what is measured, what is compared, what does not fit, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from pvtsearch import measurement
from pvtsearch.analysis.peak import inference_memory, training_memory
from pvtsearch.analysis.sampling import measure_interleaved
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.timing import Plan, Sample, TimingSetting
from pvtsearch.config import PVTConfig, StageConfig, Task
from pvtsearch.errors import ConfigError, Failure, InputError
from pvtsearch.measurement import (
    REPEAT,
    Candidate,
    candidate,
    measure,
    measure_candidates,
    steps_of,
    torch_errors_named,
)
from pvtsearch.presets import PRESETS

SMALL = PVTConfig(name="small", stages=(StageConfig(4, 8, 1, 1, 1),), image_size=8, num_classes=3)
LARGE = PVTConfig(name="large", stages=(StageConfig(4, 16, 2, 2, 2),), image_size=8, num_classes=3)
PYRAMID = PVTConfig(
    name="pyramid", image_size=64, stages=(StageConfig(4, 8, 1, 1, 1), *[StageConfig(2, 8, 1, 1, 1)] * 3)
)
QUICK = Plan(min_rounds=6, max_rounds=6, min_seconds=0, max_seconds=0, warm_up_seconds=0)


@pytest.fixture(autouse=True)
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything runs; the clock says 10 ms, 20 ms from the third run of a turn on."""

    def loop(runs: dict[str, Any], **options: Any) -> Any:
        slow = [run for name, run in runs.items() if run is not next(iter(runs.values()))]

        def timer(run: Any) -> Sample:
            run()
            return Sample(20.0 if run in slow else 10.0)

        return measure_interleaved(runs, **(options | {"timer": timer}))

    monkeypatch.setattr(measurement, "measure_interleaved", loop)


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_memory_is_the_closed_form_and_throughput_the_batch_over_the_median(mode: Any) -> None:
    """At one image and at the batch, for every network; the second is slower, the first as slow as itself."""
    steps: list[int] = []
    found = measure(SMALL, against=[LARGE], batch_size=3, mode=mode, plan=QUICK, advance=steps.append)
    formula = inference_memory if mode == "inference" else training_memory
    assert [(row.name, row.setting.batch_size) for row in found.rows] == [
        ("small", 1), ("large", 1), ("small", 3), ("large", 3),
    ]  # fmt: skip
    for row, config in zip(found.rows, (SMALL, LARGE) * 2, strict=True):
        predicted = formula(config, (8, 8), setting=MemorySetting(batch_size=row.setting.batch_size))
        assert row.peaks is not None
        assert row.peaks.requested_bytes == predicted.peak_bytes
        assert row.images_per_second == row.setting.batch_size * (100 if row.name == "small" else 50)
    assert [(each.name, each.other, each.ratio.median, each.ratio.verdict) for each in found.comparisons] == [
        ("small", "large", 0.5, "faster")
    ] * 2
    assert [(each.other, each.ratio.median) for each in found.repeats] == [("small" + REPEAT, 1.0)] * 2
    assert steps == list(range(1, steps_of(2, 3) + 1))


def test_circumstances_go_with_the_numbers() -> None:
    """What computed, how busy it was, with which flags, and what it said meanwhile."""
    about = measure(SMALL, batch_size=1, plan=QUICK).circumstances
    assert about["torch"] == torch.__version__
    assert about["threads"] == torch.get_num_threads()
    assert about["device"]
    assert {"load_average", "matmul_precision", "cudnn_allow_tf32", "python", "date"} <= set(about)
    assert about["groups"][0]["warm_up_rounds"] == 2
    assert about["groups"][0]["throttle"] == []


@pytest.mark.parametrize("task", ["backbone", "retinanet", "semantic_fpn", "mask_rcnn"])
def test_every_task_is_given_what_it_takes(task: Task) -> None:
    """Regions of Mask R-CNN too, as many per image."""
    one = candidate(PYRAMID, (64, 64), task, "fused")
    assert [shape[0] for shape in one.shapes(2)] == ([2, 2000, 200] if task == "mask_rcnn" else [2])
    with torch.device("meta"), torch.no_grad():
        one.build().eval()(*map(torch.empty, one.shapes(2)))


def test_a_dense_task_is_measured() -> None:
    """Its neck and head with the backbone."""
    found = measure(PYRAMID, task="semantic_fpn", batch_size=1, plan=QUICK)
    assert [row.outcome for row in found.rows] == ["measured"]


def test_what_does_not_fit_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the closed form, before the system ends the process; the others go on."""
    largest = inference_memory(SMALL, (8, 8), setting=MemorySetting(batch_size=2)).peak_bytes
    monkeypatch.setattr(measurement, "available_bytes", lambda: largest)
    found = measure(LARGE, SMALL, batch_size=2, plan=QUICK)
    assert [(row.name, row.outcome) for row in found.rows] == [
        ("large", "does not fit"), ("small", "measured"),
    ] * 2  # fmt: skip
    assert found.rows[0].note.endswith(f"and {largest:,} are available")
    assert found.comparisons == ()


def test_out_of_memory_is_a_row() -> None:
    """Raised by a network that runs alone, or only beside the others."""

    class Greedy(nn.Module):
        allowed = 0

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            Greedy.allowed -= 1
            if Greedy.allowed < 0:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return images.mean((2, 3))

    modest = Candidate(name="modest", build=nn.Identity, image_size=(8, 8))
    greedy = Candidate(name="greedy", build=Greedy, image_size=(8, 8))
    for allowed, note in ((0, "out of memory"), (2, "out of memory beside the others: measure it alone")):
        Greedy.allowed = allowed
        found = measure_candidates([modest, greedy], ["modest"], TimingSetting(), plan=QUICK)
        assert [(row.outcome, row.note) for row in found.rows] == [("measured", ""), ("does not fit", note)]
    Greedy.allowed = 6
    found = measure_candidates([modest, greedy], ["modest"], TimingSetting(), plan=QUICK)
    assert [row.outcome for row in found.rows] == ["does not fit"] * 2


def test_what_drifts_is_a_row_without_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the reason."""
    ticks = iter(range(10**6))
    loop = lambda runs, **options: measure_interleaved(  # noqa: E731
        runs, **(options | {"timer": lambda run: Sample(10.0 + next(ticks))})
    )
    monkeypatch.setattr(measurement, "measure_interleaved", loop)
    row = measure(SMALL, batch_size=1, plan=Plan(min_rounds=20, max_rounds=20, warm_up_seconds=0)).rows[0]
    assert (row.outcome, row.images_per_second) == ("unsteady", None)
    assert row.note.startswith("it drifted")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"image_size": 2}, "needs a larger input"),
        ({"task": "retinanet"}, "needs a network of 4 stages"),
        ({"task": "semantic_fpn", "mode": "training"}, "has no loss for task semantic_fpn"),
        ({"against": [SMALL]}, "two networks share a name, got small, small"),
        ({"device": "cuda:99"}, "device cuda:99"),
        ({"execution": "graph"}, "execution=graph"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(given: dict[str, Any], problem: str) -> None:
    """One line, before anything is built."""
    with pytest.raises(InputError, match=problem):
        measure(SMALL, **given)
    assert issubclass(ConfigError, InputError)


def test_training_a_norm_on_one_value_is_refused() -> None:
    """torch cannot, and says so in its words; here it is the network's name and what would be right."""
    with pytest.raises(InputError, match="resnet18: BatchNorm cannot be trained on one value per channel"):
        measure(PRESETS["resnet18"].config, image_size=32, mode="training", plan=QUICK)


def test_errors_of_the_compiler_are_one_line() -> None:
    """With the network's name."""
    from torch._dynamo.exc import TorchDynamoException

    with pytest.raises(Failure, match=r"small: torch.compile failed: no compiler$"), torch_errors_named("small"):
        raise TorchDynamoException("no compiler\nand much more")
