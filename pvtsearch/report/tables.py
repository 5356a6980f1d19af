"""Large tables as files: CSV, or Parquet where pyarrow is installed; whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

import pandas as pd

from pvtsearch.errors import InputError


def write_table(frames: Iterable[pd.DataFrame], path: Path) -> None:
    """Write frames, one below the other, to a .csv or .parquet file that appears when it is complete.

    Raises `InputError` where the folder is missing or cannot be written, or Parquet is asked for without pyarrow.
    """
    if path.suffix == ".parquet" and find_spec("pyarrow") is None:
        raise InputError(f"{path}: Parquet needs pyarrow: pip install 'pvtsearch[parquet]'")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        if path.suffix == ".parquet":
            pd.concat(frames, ignore_index=True).to_parquet(temporary, index=False)
        else:
            _write_csv(frames, temporary)
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)


def _write_csv(frames: Iterable[pd.DataFrame], path: Path) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        for number, frame in enumerate(frames):
            frame.to_csv(file, index=False, header=number == 0, lineterminator="\n")
