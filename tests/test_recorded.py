"""Laws of measurements beside the closed form: found by what a network is, and equal to the byte where counted so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pvtsearch import measure
from pvtsearch.analysis.device_records import add_measurements, read_devices
from pvtsearch.analysis.measured import Measured, Measurements, Peaks
from pvtsearch.analysis.peak import training_memory
from pvtsearch.analysis.recorded import recorded
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.timing import Plan, TimingSetting
from pvtsearch.cli import run
from pvtsearch.config import PVTConfig, StageConfig

SMALL = PVTConfig(name="small", stages=(StageConfig(4, 8, 1, 1, 1),), image_size=8, num_classes=3)
SIZE = (8, 8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network measured on this CPU, at one image and at two."""
    found = measure(SMALL, batch_size=2, plan=Plan.within(0.05))
    add_measurements(found, tmp_path)
    return tmp_path


def test_a_network_is_known_by_what_it_is(folder: Path) -> None:
    """Under another name it is the same; with another stage, task or input it was not measured."""
    devices = read_devices(folder)
    rows = recorded(SMALL.named("other"), SIZE, "classification", devices)
    assert [each.row["batch_size"] for each in rows] == [1, 2]
    deeper = replace(SMALL, stages=(StageConfig(4, 8, 2, 1, 1),))
    assert recorded(deeper, SIZE, "classification", devices) == []
    assert recorded(SMALL, (8, 16), "classification", devices) == []
    assert recorded(SMALL, SIZE, "backbone", devices) == []


def test_memory_measured_on_the_cpu_is_the_closed_form(folder: Path) -> None:
    """To the byte, in the setting of each row."""
    for each in recorded(SMALL, SIZE, "classification", read_devices(folder)):
        assert each.predicted_bytes == each.row["requested_bytes"]


def test_the_closed_form_is_of_the_rows_own_setting(tmp_path: Path) -> None:
    """A training step on a CUDA device, by its kernels; of what a compiler made there is none."""
    setting = TimingSetting(device="cuda:1", batch_size=4, dtype="bfloat16", mode="training", optimizer="sgd")
    rows = [
        Measured(
            name="small",
            config=SMALL,
            task="classification",
            image_size=SIZE,
            setting=replace(setting, execution=execution),
            outcome="does not fit",
            peaks=Peaks(1),
        )
        for execution in ("eager", "compiled")
    ]
    about = {"device": "NVIDIA H200", "date": "2026-01-02T03:04:05+00:00", "compute_capability": "8.6"}
    add_measurements(Measurements(tuple(rows), (), (), about), tmp_path)
    eager, compiled = recorded(SMALL, SIZE, "classification", read_devices(tmp_path))
    memory = MemorySetting(batch_size=4, dtype="bfloat16", optimizer="sgd", backend="cuda", compute_capability=8)
    assert eager.predicted_bytes == training_memory(SMALL, SIZE, setting=memory).peak_bytes
    assert compiled.predicted_bytes is None


YAML = """name: mine
image_size: 8
num_classes: 3
stages:
  - {patch_size: 4, embed_dim: 8, depth: 1, num_heads: 1, mlp_ratio: 1}
"""


def test_profile_shows_what_was_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table and JSON; a sentence where nothing was."""
    network = folder / "mine.yaml"
    network.write_text(YAML)
    command = ["profile", str(network), "--records", str(folder)]
    assert run([*command, "--format", "markdown"]) == 0
    lines = [line.split("|") for line in capsys.readouterr().out.splitlines() if line.startswith("| mine |")]
    measured = [[cell.strip() for cell in line] for line in lines if " eager " in line]
    assert [line[3:5] for line in measured] == [["inference", "1"], ["inference", "2"]]
    assert all(line[10] == line[11] != "" for line in measured)
    assert run([*command, "--format", "json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert [row["batch_size"] for row in model["measured"]] == [1, 2]
    assert all(row["predicted_bytes"] == row["requested_bytes"] for row in model["measured"])
    assert run(["profile", "pvt_tiny", "--records", str(folder)]) == 0
    assert "Nothing was measured of these networks" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--records", "nowhere"], "--records nowhere: no such folder"),
        (["--records", ".", "--format", "csv"], "--records goes with other formats"),
    ],
)
def test_records_that_cannot_be_shown_are_one_line(
    options: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2."""
    assert run(["profile", "pvt_tiny", *options]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1
