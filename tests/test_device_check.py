"""The GPU check without a GPU: its loop, statistics and files, with another reader of memory."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from test_imports import NEEDLESS

from pvtsearch.analysis.calibration_document import read_calibration
from pvtsearch.analysis.device import driver_version, library_versions, torch_flags
from pvtsearch.analysis.device_records import read_devices
from pvtsearch.analysis.live_bytes import Ready, peak_bytes
from pvtsearch.analysis.measured import Peaks
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.device_check.__main__ import FOLDER_VARIABLE, main
from pvtsearch.device_check.calibration_check import PVT_V2, check_calibration
from pvtsearch.device_check.gpu_tests import gpu_test_files
from pvtsearch.device_check.latency_check import batches, check_latency
from pvtsearch.device_check.memory_check import Case, Row, as_csv, check, every_case, spread, summary, write_results
from pvtsearch.device_check.settings import Design, Settings
from pvtsearch.device_check.steps import Step, run_steps
from pvtsearch.device_check.timm_check import check_same, check_timm, compared
from pvtsearch.errors import Failure
from pvtsearch.models.baselines import build_model
from pvtsearch.presets import PRESETS
from pvtsearch.serialize_space import load_space

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
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "out"))
    assert main([]) == 2
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


def test_make_gpu_needs_torch_torchvision_and_numpy_alone(tmp_path: Path) -> None:
    """Everything else that the project uses is blocked; all steps run, here on the CPU, and write their files."""
    blocked = (*NEEDLESS, "filelock", "fvcore", "pydantic", "sqlalchemy", "transformers", "timm", "pytest")
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\n")
    tiny = "--device cpu --networks pvt_v2_b0 --image-sizes 32 --batch-sizes 1 --memory-batch-sizes 1"
    tiny += f" --stages 12 --calibrated 2 --held-out 3 --seconds 60 --seconds-each 0.05 --out {tmp_path}"
    process = subprocess.run(
        ["make", "gpu", f"PYTHON={sys.executable}", f"ARGUMENTS={tiny}"],
        cwd=Path(__file__).parent.parent,
        env=os.environ | {"PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert "timm is not installed" in process.stdout
    assert "2 of 2 cases measured, 2 of them within 1 % of the closed form" in process.stdout
    (records,) = read_devices(tmp_path).values()
    assert {row["name"] for row in records.rows} == {"pvt_v2_b0", "resnet50"}
    (calibrated,) = tmp_path.glob("latency-*.json")
    calibration = read_calibration(calibrated)
    assert f"{len(calibration.measured)} of {len(calibration.measured)} parts measured" in process.stdout
    assert (len(calibration.of_role("held_out")), len(calibration.references_ns)) == (3, 2)
    assert calibration.model.network_ns(PRESETS["pvt_v2_b0"].config) > 0
    (document,) = tmp_path.glob("*.check.json")
    steps = json.loads(document.read_text())["steps"]
    assert [(step["step"], step["state"]) for step in steps] == [
        (name, "ok") for name in ("tests", "memory", "latency", "calibrate", "timm")
    ]


def settings(**given: Any) -> Settings:
    own = {
        "device": "cpu", "folder": Path("unused"), "date": "", "configs": (SMALL, LARGE), "reference": SMALL,
        "image_sizes": ((8, 8), (16, 8)), "batch_sizes": (2, 1), "memory_batch_sizes": (1,), "dtypes": ("float32",),
        "design": Design(12, 2, 3), "seconds": 60.0, "seconds_each": 0.01,
    }  # fmt: skip
    return Settings(**(own | given))


def test_a_step_that_fails_or_hangs_stops_no_other() -> None:
    """Each tells why; what an earlier step leaves of its time goes to the later ones; none outlives the end."""
    deadlines = []

    def fails(_settings: Settings, deadline: float) -> str:
        deadlines.append(deadline - time.monotonic())
        raise Failure("no")

    def breaks(_settings: Settings, deadline: float) -> str:
        deadlines.append(deadline - time.monotonic())
        raise KeyError("x")

    def hangs(_settings: Settings, _deadline: float) -> str:
        time.sleep(60)
        return "never"

    steps = {"a": Step(fails, 1), "b": Step(breaks, 1), "c": Step(hangs, 2), "d": Step(hangs, 1)}
    outcomes = list(run_steps(steps, settings(seconds=1.0)))
    assert [outcome.told for outcome in outcomes] == ["no", "KeyError: 'x'", "the time was up", "the time was up"]
    assert {outcome.state for outcome in outcomes} == {"failed"}
    assert deadlines == pytest.approx([0.2, 0.25], abs=0.1)
    assert [outcome.seconds for outcome in outcomes[2:]] == pytest.approx([0.8, 0.2], abs=0.15)


def test_a_step_that_hears_no_alarm_ends_the_process(tmp_path: Path) -> None:
    """What the steps before it wrote is there, with the name of the one that hung and where it did."""
    code = "import sys; from collections import deque; from pvtsearch.device_check import __main__ as check\n"
    code += "from pvtsearch.device_check.steps import Step\n"
    code += "check.GRACE_SECONDS = 0.5\n"
    code += "def hangs(settings, deadline): deque(iter(int, 1), maxlen=0)\n"  # a loop in C that looks at no signal
    code += "check.STEPS = {'a': Step(lambda settings, deadline: 'done', 1), 'b': Step(hangs, 1)}\n"
    code += f"sys.exit(check.main(['--device', 'cpu', '--seconds', '1', '--out', {str(tmp_path)!r}]))"
    began = time.monotonic()
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert time.monotonic() - began < 60
    assert process.returncode == 1
    assert "in hangs" in process.stderr
    (document,) = tmp_path.glob("*.check.json")
    found = json.loads(document.read_text())
    assert [(step["step"], step["told"]) for step in found["steps"]] == [("a", "done")]
    assert found["unfinished"] == ["b"]


def test_the_space_is_the_shipped_one() -> None:
    """What `make gpu` calibrates serves searches in pvt_v2."""
    assert load_space("pvt_v2") == PVT_V2


def test_a_calibration_cut_short_goes_on_where_it_was(tmp_path: Path) -> None:
    """After the deadline no group begins; the next time the rest is measured, and nothing twice."""
    given = settings(folder=tmp_path, image_sizes=((32, 32),), batch_sizes=(1,), reference=PRESETS["resnet18"].config)
    told = re.fullmatch(
        r"8 of (\d+) parts measured, 0 did not fit: too few stages for a model", check_calibration(given, 0)
    )
    assert told is not None
    (path,) = tmp_path.glob("latency-*.json")
    before = read_calibration(path).measured
    again = check_calibration(given, time.monotonic() + 600)
    assert again.startswith(f"{told[1]} of {told[1]} parts measured, 0 did not fit; 3 networks held out are predicted")
    assert read_calibration(path).measured[:8] == before


def test_latency_is_measured_in_groups_beside_the_reference() -> None:
    """Every network but the reference in every size and type; groups of at most five."""
    many = tuple(replace(SMALL, name=f"n{i}") for i in range(7))
    found = list(batches(settings(configs=(*many, SMALL), dtypes=("bfloat16", "float32"))))
    assert [len(batch.configs) for batch in found] == [5, 2] * 4
    assert [(batch.image_size, batch.batch_size) for batch in found[::4]] == [((8, 8), 2), ((16, 8), 1)]


def test_what_is_not_reached_in_time_is_counted(tmp_path: Path) -> None:
    """After the deadline nothing is measured."""
    assert (
        check_latency(settings(folder=tmp_path), time.monotonic() - 1)
        == "none measured, 2 networks not reached in time"
    )
    assert not list(tmp_path.iterdir())


def test_networks_that_compute_something_else_are_not_compared() -> None:
    """The same weights give the same scores; others are a failure."""
    one, other = build_model(SMALL), build_model(SMALL)
    check_same("small", one, one, (1, 3, 8, 8))
    with pytest.raises(Failure, match="small: scores differ from timm's by up to"):
        check_same("small", one, other, (1, 3, 8, 8))


def test_ours_is_timms_at_equal_weights(tmp_path: Path) -> None:
    """Where timm is installed: its weights fit, its scores come out, and the two take turns."""
    pytest.importorskip("timm", reason="timm is an extra")
    small = settings(folder=tmp_path, configs=(PRESETS["pvt_v2_b0"].config,), image_sizes=((32, 32),), batch_sizes=(1,))
    found = next(compared(small, time.monotonic() + 60))
    assert [row.name for row in found.rows] == ["pvt_v2_b0", "timm pvt_v2_b0"]
    assert [(each.name, each.other) for each in found.comparisons] == [("pvt_v2_b0", "timm pvt_v2_b0")]
    assert check_timm(small, time.monotonic() - 1) == "nothing was reached in time"


def test_files_of_gpu_tests_are_those_that_mark_one() -> None:
    """So no other file's imports are needed on a bare machine."""
    assert [path.name for path in gpu_test_files(Path(__file__).parent)] == [
        "test_fractals_on_gpu.py",
        "test_latency.py",
    ]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--networks", "pvt_nano"], "no preset is called pvt_nano"),
        (["--image-sizes", "224", "512"], "needs one for each of --image-sizes"),
        (["--image-sizes", "a", "--batch-sizes", "1"], "a side such as 224 or HxW"),
    ],
)
def test_what_cannot_be_checked_is_one_line(
    arguments: list[str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 2."""
    assert main(["--device", "cpu", *arguments]) == 2
    assert problem in capsys.readouterr().err
