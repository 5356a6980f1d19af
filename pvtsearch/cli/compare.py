"""`pvtsearch compare`: networks beside one another, as a page. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pvtsearch.analysis.setting import Dtype
from pvtsearch.cli import values
from pvtsearch.cli.outputs import command_line
from pvtsearch.cli.profile import own_size
from pvtsearch.errors import InputError
from pvtsearch.serialize import load_config

if TYPE_CHECKING:
    from pvtsearch.analysis.calibration import Calibration
    from pvtsearch.analysis.device_records import DeviceRecords


def compare(
    configs: Annotated[list[str] | None, typer.Argument(metavar="CONFIG", help="Presets or YAML files.")] = None,
    task: values.TaskOption = "classification",
    image_size: Annotated[str | None, typer.Option(help="Input side or HxW; by default the networks' own.")] = None,
    batch_size: Annotated[int, typer.Option(help="Images of peak memory and latency.", min=1)] = 1,
    dtype: Annotated[Dtype, typer.Option(help="Type of weights and activations.")] = "float32",
    against: Annotated[str, typer.Option(help="Networks to hold them against, separated by commas.")] = "",
    records: Annotated[
        Path | None, typer.Option(help="Folder of measurements and calibrations; by default reports/devices.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The page; its parts go into the folder of that name.")] = Path(
        "compare.html"
    ),
) -> None:
    """Networks beside one another on one page: which one, and why, with their shapes and how to build them."""
    from pvtsearch.report.comparison import compared
    from pvtsearch.report.comparison_page import write_comparison
    from pvtsearch.report.comparison_wording import headline
    from pvtsearch.report.networks import Circumstances

    if out.suffix != ".html":
        raise InputError(f"--out {out}: must end in .html: the folder beside it has its name without the ending")
    loaded = [load_config(name) for name in configs or ()]
    others = [load_config(name) for name in values.names(against)]
    size = values.image_size(image_size) or (own_size([*loaded, *others]) if loaded or others else (224, 224))
    measurements, calibrations = known_of_devices(records)
    found = compared(
        loaded,
        Circumstances(size, task, batch_size, dtype),
        against=others,
        records=measurements,
        calibrations=calibrations,
        circumstances={"command": command_line()},
    )
    write_comparison(found, out)
    print(headline(found))
    print(f"Page: {out}")


def known_of_devices(records: Path | None) -> tuple[dict[str, DeviceRecords], list[Calibration]]:
    """What `measure` and `calibrate` left in a folder; nothing where the usual one is not there.

    Raises `InputError` where there is no folder of that name.
    """
    from pvtsearch.analysis.calibration_document import read_calibration
    from pvtsearch.analysis.calibration_files import PREFIX, calibrations_folder
    from pvtsearch.analysis.device_records import read_devices

    folder = calibrations_folder(records)
    if not folder.is_dir():
        if records is not None:
            raise InputError(f"--records {records}: no such folder; 'pvtsearch measure' writes reports/devices")
        return {}, []
    return read_devices(folder), [read_calibration(path) for path in sorted(folder.glob(f"{PREFIX}*.json"))]
