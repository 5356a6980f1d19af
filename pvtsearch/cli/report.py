"""`pvtsearch report`: the page of a folder, made again: of a search, finished or running, or of devices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pvtsearch.cli.outputs import command_line
from pvtsearch.errors import InputError


def report(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Of a search, or of measurements.")],
    out: Annotated[Path | None, typer.Option(help="The page; by default FOLDER/report.html.")] = None,
) -> None:
    """Write the page of a search, finished or still running, or of the devices that a folder has measurements of."""
    from pvtsearch.report.stored import is_search

    path = folder / "report.html" if out is None else out
    if path.suffix != ".html":
        raise InputError(f"--out {path}: must end in .html: the folder beside it has its name without the ending")
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; 'pvtsearch search' and 'pvtsearch measure' write folders")
    said = searched(folder, path) if is_search(folder) else measured(folder, path)
    print(said)
    print(f"Report: {path}")


def searched(folder: Path, path: Path) -> str:
    """Write the page of a search; its headline."""
    from pvtsearch.report.rows import report_rows
    from pvtsearch.report.search_page import write_report
    from pvtsearch.report.stored import read_stored

    stored = read_stored(folder)
    result = stored.result
    if stored.study is not None:
        from pvtsearch.search.unfinished import so_far

        result = so_far(result, folder / "study.db", stored.study)
    write_report(result, path)
    return report_rows(result).headline


def measured(folder: Path, path: Path) -> str:
    """Write the page of devices; its headline. Raises `InputError` where the folder has nothing of any."""
    from pvtsearch.analysis.calibration_document import read_calibration
    from pvtsearch.analysis.calibration_files import PREFIX
    from pvtsearch.analysis.device_records import read_devices
    from pvtsearch.report.devices import devices, headline
    from pvtsearch.report.devices_page import write_devices

    records = read_devices(folder)
    calibrations = [read_calibration(file) for file in sorted(folder.glob(f"{PREFIX}*.json"))]
    if not records and not calibrations:
        raise InputError(
            f"{folder}: holds neither a search (result.json) nor measurements (DEVICE.csv, {PREFIX}*.json)"
        )
    found = devices(records, calibrations, {"command": command_line()})
    write_devices(found, path)
    return headline(found)
