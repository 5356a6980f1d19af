"""`pvtsearch report`: pages of folders, made again: of searches, finished and running, and of devices."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
from test_device_records import found as measurements
from test_page import HOSTILE, text_of
from visits import CLIPBOARD, Visit

from pvtsearch.analysis.calibration_document import read_calibration
from pvtsearch.analysis.device_records import add_measurements, read_devices
from pvtsearch.cli import run
from pvtsearch.records import TrialRecord
from pvtsearch.report.devices import devices, headline
from pvtsearch.report.devices_page import devices_page, write_devices
from pvtsearch.report.stored import Stored, write_stored
from pvtsearch.search.run import plan_search
from pvtsearch.search.storages import sqlite_storage
from pvtsearch.search.stored import open_study
from pvtsearch.search.study import run_study
from pvtsearch.search.unfinished import begun

DEVICES = Path(__file__).parent.parent / "reports" / "devices"
SEARCH = ["search", "tiny", "--max-gmacs", "0.01", "--extrapolate"]


# ---- searches


@pytest.mark.parametrize("options", [[], ["--trials", "25"]])
def test_a_finished_search_has_its_page_again(options: list[str], tmp_path: Path) -> None:
    """Exact or by trials: the same bytes, page and parts."""
    assert run([*SEARCH, *options, "--out", str(tmp_path)]) == 0
    files = [tmp_path / "report.html", *(tmp_path / "report").iterdir()]
    before = {path: path.read_bytes() for path in files}
    for path in files:
        path.unlink()
    assert run(["report", str(tmp_path)]) == 0
    assert {path: path.read_bytes() for path in files} == before


class Stopped(Exception):
    """The search was killed."""


def test_a_running_search_has_a_page_of_what_it_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its trials so far, their front, and that it is not finished."""
    plan = plan_search(
        "tiny", budget=None, objectives=("width_sum", "macs"), image_size=None, task="classification", sampler="random",
        trials=40, seed=0, extrapolate=True,
    )  # fmt: skip
    write_stored(Stored(begun(plan, {}), "mine"), tmp_path)
    assert run(["report", str(tmp_path)]) == 2
    assert "has evaluated nothing yet" in capsys.readouterr().err

    def stop(record: TrialRecord) -> None:
        if record.trial == 11:
            raise Stopped

    with pytest.raises(Stopped):
        run_study(open_study(sqlite_storage(tmp_path / "study.db"), "mine", plan), plan, stop)
    assert run(["report", str(tmp_path), "--out", str(tmp_path / "now.html")]) == 0
    assert "Of 12 networks evaluated" in capsys.readouterr().out
    text = text_of((tmp_path / "now.html").read_text())
    assert "The search is not finished: 12 of 40 networks evaluated" in text


@pytest.mark.parametrize(
    ("folder", "said"),
    [("nowhere", "no such folder"), (".", "neither a search (result.json) nor measurements")],
)
def test_bad_input_is_one_line(
    folder: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says what is wrong, and nothing is written."""
    monkeypatch.chdir(tmp_path)
    assert run(["report", folder]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


# ---- devices


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real calibration beside made-up measurements."""
    folder = tmp_path_factory.mktemp("devices")
    for path in DEVICES.glob("latency-*.json"):
        shutil.copy(path, folder)
    for base in (10.0, 20.0):
        add_measurements(measurements(base), folder)
    return folder


def test_every_measurement_is_in_the_table(folder: Path) -> None:
    """The figure has the newest of each network, the table all of them, with why there is no number."""
    found = devices(read_devices(folder), [], {})
    assert [row.values["name"] for row in found.measured] == ["small", "large"] * 2
    text = text_of(devices_page(found).html)
    assert text.count("does not fit: out of memory, even so") == 2
    (figure,) = found.figures.values()
    newest = found.measured[2].values
    assert f"small: {newest['median_ms']:.4g} ms" in figure.description


def test_where_nothing_is_steady_the_page_says_so(folder: Path) -> None:
    """A device of which no number is known is not left out, and no number stands in."""
    rows = list(read_devices(folder).values())
    unknown = dataclasses.replace(rows[0], rows=tuple(r for r in rows[0].rows if r["median_ms"] is None))
    found = devices({"x": unknown}, [], {})
    assert headline(found) == f"{found.names[0]}: no steady number among the measurements."
    assert not found.figures


def test_a_calibration_is_told_as_it_is(folder: Path) -> None:
    """Counts, errors and peaks are the calibration's own; held-out networks are points of the figure."""
    (calibration,) = [read_calibration(path) for path in folder.glob("latency-*.json")]
    found = devices({}, [calibration], {})
    (told,) = found.calibrated
    assert f"{len(calibration.of_role('alone'))} stages alone" in told.claims[0]
    assert calibration.errors is not None
    assert f"{100 * calibration.errors.mape:.1f} % off on average" in told.claims[2]
    assert told.figures.keys() == {"published-1", "held-out-1", "predicted-latency-1", "roofline-1"}
    assert told.figures["held-out-1"].body.count("<circle") >= len(calibration.held_out)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_the_page_of_devices_works(browser: Any, folder: Path, tmp_path: Path, width: int, scheme: str) -> None:
    """Written by the command: figures drawn, tables filtered and copied, nothing wider than the screen."""
    assert run(["report", str(folder), "--out", str(tmp_path / "page.html")]) == 0
    opened = Visit(browser, tmp_path / "page.html", width=width, scheme=scheme, script=CLIPBOARD)
    assert opened.overflow() <= 0
    assert opened.page.locator("svg").count() == 5
    opened.page.locator(".tools input").first.fill("small")
    assert opened.page.locator("#measured-table tbody tr:visible").count() == 2
    opened.page.locator(".tools").first.get_by_text("CSV").click()
    assert len(opened.copied().splitlines()) == 3
    opened.close()


def test_hostile_devices_change_nothing(browser: Any, tmp_path: Path) -> None:
    """A device and networks with names full of markup are text."""
    given = measurements()
    rows = tuple(dataclasses.replace(row, name=HOSTILE) for row in given.rows[:1])
    hostile = dataclasses.replace(given, rows=rows, circumstances={**given.circumstances, "device": HOSTILE[:60]})
    add_measurements(hostile, tmp_path / "records")
    found = devices(read_devices(tmp_path / "records"), [], {"command": HOSTILE})
    write_devices(found, tmp_path / "page.html")
    opened = Visit(browser, tmp_path / "page.html", width=390)
    assert opened.overflow() <= 0
    assert opened.page.locator("img").count() == 0
    assert HOSTILE in opened.page.locator("#measured-table tbody").inner_text()
    opened.close()


def test_a_folder_without_measurements_has_a_page(browser: Any, tmp_path: Path) -> None:
    """That says so."""
    write_devices(devices({}, [], {}), tmp_path / "page.html")
    opened = Visit(browser, tmp_path / "page.html")
    assert "Nothing was measured yet" in opened.page.locator("h1").inner_text()
    opened.close()
    assert [path.name for path in (tmp_path / "page").iterdir()] == ["README.md"]
