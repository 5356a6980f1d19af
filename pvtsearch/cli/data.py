"""`pvtsearch data`: what a network would be trained on, counted and looked at."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from pvtsearch.cli.train import the_side
from pvtsearch.errors import InputError

ROWS, COLUMNS = 12, 12


def data(
    name: Annotated[
        str, typer.Argument(metavar="DATA", help="fractals, a folder of images, or torchvision:NAME:FOLDER.")
    ] = "fractals",
    image_size: Annotated[str, typer.Option(help="Input side.")] = "64",
    device: Annotated[str, typer.Option(help="Where pictures are drawn: cpu or cuda.")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="Write some of each class to this PNG, a class per row.")] = None,
) -> None:
    """How many classes and images there are, and how they look."""
    from pvtsearch.training.sources import open_data

    if out is not None and out.suffix.lower() != ".png":
        raise InputError(f"--out {out}: must end in .png")
    began = time.perf_counter()
    found = open_data(name, the_side(image_size, 64), device=device)
    passed = time.perf_counter() - began
    total = len(found.train) + len(found.held_out)
    print(
        f"{found.name}: {found.classes:,} classes, {len(found.train):,} images to train on, {len(found.held_out):,} "
        f"held out ({total / passed:,.0f} images per second)"
    )
    if out is not None:
        from pvtsearch.training.gallery import write_gallery

        write_gallery(found, out, rows=ROWS, columns=COLUMNS)
        print(f"Some of them: {out}")
