"""The GPU check without a GPU: its loop, statistics and files, with another reader of memory."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
import torch
from test_imports import NEEDLESS

from pvtsearch import device_check
from pvtsearch.analysis.device import driver_version, library_versions, torch_flags
from pvtsearch.analysis.live_bytes import Ready, peak_bytes
from pvtsearch.analysis.measured import Peaks
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.device_check import Case, Row, as_csv, check, every_case, spread, summary, write_results

SMALL = PVTConfig(name="small", stages=(StageConfig(4, 8, 1, 1, 1),), image_size=8, num_classes=3)
LARGE = PVTConfig(name="large", stages=(StageConfig(4, 16, 2, 2, 2),), image_size=8, num_classes=3)
ENDLESS = 10**12


def observed(ready: Ready) -> Peaks:
    """What a device would report, by the profiler on the CPU; its allocator rounds to 512 bytes."""
    peak = ready.held_bytes + peak_bytes(ready.run)
    return Peaks(peak, -(-peak // 512) * 512)


def cases() -> list[Case]:
    return every_case([LARGE, SMALL], [(16, 12), (8, 8)], [2, 1], ["float32", "bfloat16"], MemorySetting())


def checked(read: Callable[[Ready], Peaks] = observed, **options: object) -> list[Row]:
    given: dict[str, object] = {"capacity_bytes": ENDLESS, "seconds": 1e9} | options
    return list(check(cases(), device="cpu", read=read, **given))  # type: ignore[arg-type]


def test_cases_are_all_combinations_from_cheap_to_dear() -> None:
    """Each once; work never falls."""
    found = cases()
    assert len(found) == len(set(found)) == 2 * 2 * 2 * 2 * 2
    assert [case.work for case in found] == sorted(case.work for case in found)


def test_what_is_predicted_is_measured() -> None:
    """On the CPU the reader and the closed form agree to the byte, in both modes."""
    rows = checked()
    assert {row.outcome for row in rows} == {"measured"}
    assert all(row.requested_error == 0 for row in rows)
    assert all(-0.2 < (row.allocated_error or 0) <= 0 for row in rows)
    assert {(row.model, row.mode) for row in rows} == {(name, mode) for name in ("small", "large")
                                                       for mode in ("inference", "training")}  # fmt: skip


def test_out_of_memory_is_a_result() -> None:
    """The row says so, and the rest goes on."""
    numbers = count()

    def tight(ready: Ready) -> Peaks:
        if next(numbers) % 2:
            raise torch.OutOfMemoryError("no more")
        return observed(ready)

    rows = checked(tight)
    assert [row.outcome for row in rows] == ["measured", "out of memory"] * (len(rows) // 2)
    assert all((row.requested_bytes is None) == (row.outcome == "out of memory") for row in rows)


def test_what_cannot_fit_is_not_tried() -> None:
    """By the prediction alone."""
    capacity = sorted(case.predicted.peak_bytes for case in cases())[3]
    rows = checked(capacity_bytes=capacity)
    assert sum(row.outcome == "measured" for row in rows) == 4
    assert all((row.outcome == "does not fit") == (row.predicted_bytes > capacity) for row in rows)


def test_none_begins_after_its_time() -> None:
    """Rows remain, and say so."""
    ticks = count()
    rows = checked(seconds=3, clock=lambda: float(next(ticks)))
    assert [row.outcome for row in rows] == ["measured"] * 2 + ["not reached in time"] * (len(rows) - 2)


def test_errors_are_summed_up() -> None:
    """Shares within a percent, medians, extremes; nothing where nothing was measured."""
    assert spread([-0.02, 0.0, 0.005, 0.04]) == {
        "count": 4, "median": 0.0025, "lowest": -0.02, "highest": 0.04,
        "within_1_percent": 0.5, "within_3_percent": 0.75,
    }  # fmt: skip
    assert spread([]) == {}
    none = summary(checked(capacity_bytes=0))
    assert none["outcomes"] == {"measured": 0, "does not fit": 32, "out of memory": 0, "not reached in time": 0}
    assert none["training_requested"] == {}


def test_results_are_files(tmp_path: Path) -> None:
    """A row per case with empty cells where nothing was measured, and the circumstances beside the summary."""
    rows = checked(capacity_bytes=20_000)
    write_results(rows, {"device": "a CPU"}, tmp_path / "new")
    lines = list(csv.DictReader((tmp_path / "new" / "memory.csv").read_text().splitlines()))
    assert [line["outcome"] for line in lines] == [row.outcome for row in rows]
    assert all((line["requested_bytes"] == "") == (line["outcome"] == "does not fit") for line in lines)
    document = json.loads((tmp_path / "new" / "memory.json").read_text())
    assert document["circumstances"] == {"device": "a CPU"}
    assert document["summary"] == json.loads(json.dumps(summary(rows)))
    assert as_csv(rows).count("\n") == 1 + len(rows)


def test_without_a_device_it_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Exit status 2, and no file."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv(device_check.FOLDER_VARIABLE, str(tmp_path / "out"))
    assert device_check.main() == 2
    assert capsys.readouterr().err == "error: make gpu needs a CUDA device, and torch sees none\n"
    assert not (tmp_path / "out").exists()


def test_flags_are_left_as_found() -> None:
    """Measuring sets none."""
    before = torch_flags()
    checked()
    assert torch_flags() == before


def test_circumstances_name_what_computed() -> None:
    """Versions of the libraries; a driver where there is one to ask."""
    assert library_versions()["torch"] == torch.__version__
    assert set(driver_version()) <= {"driver"}


def test_it_needs_torch_torchvision_and_numpy_alone() -> None:
    """Everything else that the project uses is blocked; without a device it ends as documented."""
    blocked = (*NEEDLESS, "fvcore", "pydantic", "sqlalchemy", "transformers")
    code = f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\n"
    code += "import torch; torch.cuda.is_available = lambda: False\n"
    code += "from pvtsearch.device_check import main; sys.exit(main())"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (process.returncode, process.stderr) == (2, "error: make gpu needs a CUDA device, and torch sees none\n")
