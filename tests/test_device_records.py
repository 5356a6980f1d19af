"""Files of measurements: added to, never overwritten, read back as they were."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from pvtsearch.analysis.device_records import (
    COLUMNS,
    add_measurements,
    device_slug,
    read_device,
    read_devices,
)
from pvtsearch.analysis.measured import Comparison, Measured, Measurements, Peaks
from pvtsearch.analysis.timing import Latency, TimingSetting, compare
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.errors import InputError

SMALL = PVTConfig(name="small", stages=(StageConfig(4, 8, 1, 1, 1),), image_size=8, num_classes=3)
CIRCUMSTANCES = {"device": "NVIDIA H200", "date": "2026-01-02T03:04:05+00:00"}


def found(base: float = 10.0) -> Measurements:
    latency = Latency(tuple(base + i / 3 for i in range(12)), host_ms=tuple(base / 2 for _ in range(12)))
    row = Measured(
        name="small",
        config=SMALL,
        task="classification",
        image_size=(8, 9),
        setting=TimingSetting(device="cuda", batch_size=4),
        outcome="measured",
        latency=latency,
        peaks=Peaks(5, 512, 2048),
    )
    missing = Measured(
        name="large",
        config=None,
        task="classification",
        image_size=(8, 9),
        setting=TimingSetting(device="cuda"),
        outcome="does not fit",
        note="out of memory, even so",
    )
    ratio = Comparison("small", "small (again)", 4, compare(latency, latency))
    return Measurements((row, missing), (), (ratio,), CIRCUMSTANCES)


def test_rows_are_read_back_as_they_were(tmp_path: Path) -> None:
    """Every column with its type; nothing where nothing was measured."""
    table = add_measurements(found(), tmp_path / "new")
    assert table == tmp_path / "new" / "nvidia-h200.csv"
    rows = read_device(table).rows
    for row, measured in zip(rows, found().rows, strict=True):
        assert {name: value for name, value in row.items() if name != "run"} == measured.to_row()
        assert tuple(row) == COLUMNS


def test_measuring_again_adds(tmp_path: Path) -> None:
    """In the same second too: another run, the former's lines and durations as they were."""
    table = add_measurements(found(), tmp_path)
    before = table.read_text()
    add_measurements(found(20.0), tmp_path)
    assert table.read_text().startswith(before)
    records = read_devices(tmp_path)["nvidia-h200"]
    assert [row["median_ms"] for row in records.rows] == [pytest.approx(11.8333), None, pytest.approx(21.8333), None]
    assert len(records.runs) == 2
    assert {row["run"] for row in records.rows} == set(records.runs)


def test_runs_tell_circumstances_networks_and_every_duration(tmp_path: Path) -> None:
    """Statistics can be made anew from the files."""
    add_measurements(found(), tmp_path)
    ((run, about),) = read_devices(tmp_path)["nvidia-h200"].runs.items()
    assert about["circumstances"] == CIRCUMSTANCES
    assert about["networks"]["small"]["stages"][0]["embed_dim"] == 8
    assert about["repeats"][0]["ratio"] == 1
    durations = json.loads((tmp_path / "nvidia-h200.samples.json").read_text())[run]["0/small"]
    assert Latency(tuple(durations["ms"])).median_ms == pytest.approx(11.8333, rel=1e-4)
    assert durations["host_ms"] == [5.0] * 12
    assert "throttled_ms" not in durations


def _add(folder: Path) -> None:
    add_measurements(found(), folder)


def test_two_processes_lose_nothing(tmp_path: Path) -> None:
    """Eight runs from two processes are eight runs, and nothing but their files stays."""
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_add, [tmp_path] * 8))
    records = read_devices(tmp_path)["nvidia-h200"]
    assert (len(records.rows), len(records.runs)) == (16, 8)
    assert len(list(tmp_path.iterdir())) == 3


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    """A table or document of that name that is something else is refused and stays; other tables are no devices."""
    (tmp_path / "memory.csv").write_text("model,mode\n")
    assert read_devices(tmp_path) == {}
    table = tmp_path / "nvidia-h200.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="is no table of measurements"):
        add_measurements(found(), tmp_path)
    assert table.read_text() == "a,b\n1,2\n"
    table.unlink()
    (tmp_path / "nvidia-h200.samples.json").write_text("{")
    with pytest.raises(InputError, match=r"samples\.json: not valid JSON"):
        add_measurements(found(), tmp_path)
    assert not table.exists()


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    """With its name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot be written: File exists"):
        add_measurements(found(), tmp_path / "file")


def test_names_of_files_are_plain() -> None:
    """Letters, digits and dashes."""
    assert device_slug("Intel(R) Xeon(R) Processor @ 2.30GHz") == "intel-r-xeon-r-processor-2-30ghz"
    assert device_slug("///") == "unknown"
