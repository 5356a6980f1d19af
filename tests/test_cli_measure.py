"""`pvtsearch measure` from the command line: what it prints, where it writes, what it refuses."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from pvtsearch.analysis.device_records import read_devices
from pvtsearch.cli import run

YAML = """name: {name}
image_size: 8
num_classes: 3
stages:
  - {{patch_size: 4, embed_dim: {width}, depth: 1, num_heads: 1, mlp_ratio: 1}}
"""


@pytest.fixture
def networks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, width in (("small", 8), ("large", 16)):
        Path(f"{name}.yaml").write_text(YAML.format(name=name, width=width))


@pytest.mark.usefixtures("networks")
def test_every_form_tells_the_same_and_adds_to_the_records(capsys: pytest.CaptureFixture[str]) -> None:
    """A table with where it went, JSON that parses, CSV that parses; nothing on standard error in a pipe."""
    command = ["measure", "small.yaml", "--against", "large.yaml", "--batch-size", "2", "--seconds", "0.1"]
    assert run([*command, "--format", "markdown"]) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert sum(line.startswith("| small | 1 |") for line in lines) == 1
    assert sum(line.startswith("| small | small (again) |") for line in lines) == 2
    assert lines[-1].startswith("Added to reports/devices/")
    assert printed.err == ""
    assert run([*command, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in found["measurements"]] == ["small", "large"] * 2
    assert found["circumstances"]["threads"] >= 1
    assert run([*command, "--format", "csv", "--out", "elsewhere"]) == 0
    assert len(list(csv.DictReader(io.StringIO(capsys.readouterr().out)))) == 4
    (records,) = read_devices().values()
    assert (len(records.rows), len(records.runs)) == (8, 2)
    assert len(next(iter(read_devices(Path("elsewhere")).values())).rows) == 4


@pytest.mark.usefixtures("networks")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--device", "cuda:99"], "device cuda:99: torch sees"),
        (["--device", "tpu"], "device must be cpu, cuda or cuda:N, got 'tpu'"),
        (["--execution", "graph"], "execution=graph replays a CUDA graph"),
        (["--batch-size", "0"], "batch_size"),
        (["--task", "detr"], "needs a network of 4 stages"),
        (["--image-size", "2"], "needs a larger input"),
        (["--against", "small.yaml"], "two networks share a name"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2, and no file."""
    assert run(["measure", "small.yaml", *arguments]) == 2
    error = capsys.readouterr().err
    assert problem in error
    assert error.count("\n") == 1
    assert not Path("reports").exists()
