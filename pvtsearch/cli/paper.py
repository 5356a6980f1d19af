"""`pvtsearch paper`: the papers' tables and figures, reproduced. No torch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def paper(
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("reports/paper"),
) -> None:
    """Write every #Param and GFLOPs of the PVT papers' tables beside the closed form, and cost by input scale."""
    from pvtsearch.report.paper import write_paper
    from pvtsearch.report.paper_page import headline

    entries = write_paper(out)
    print(headline(entries).replace("**", ""))
    print(f"{out}: README.md, entries.csv, curves.csv, macs-by-scale.svg, memory-by-scale.svg")
