"""Large tables as files: CSV, or Parquet where pyarrow is installed; whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from pvtsearch.errors import InputError
from pvtsearch.files import appearing


def write_table(frames: Iterable[pd.DataFrame], path: Path) -> None:
    """Write frames, one below the other, to a .csv or .parquet file that appears when it is complete.

    Raises `InputError` where the folder is missing or cannot be written, or Parquet is asked for without pyarrow.
    """
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise InputError(f"{path}: Parquet needs pyarrow: pip install 'pvtsearch[parquet]'")
    with appearing(path) as temporary:
        if path.suffix == ".parquet":
            pd.concat(frames, ignore_index=True).to_parquet(temporary, index=False)
        else:
            _write_csv(frames, temporary)


def _write_csv(frames: Iterable[pd.DataFrame], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, frame in enumerate(frames):
            frame.to_csv(file, index=False, header=number == 0, lineterminator="\n")
