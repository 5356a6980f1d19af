"""`pvtsearch list`: the presets and the spaces that come with the project."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from pvtsearch.analysis.metrics import analytic_cost
from pvtsearch.cli import tables
from pvtsearch.presets import PRESETS


def list_known(
    format: Annotated[
        Literal["table", "json", "markdown"], typer.Option("--format", help="How to print it.")
    ] = "table",
) -> None:
    """Presets with their cost and what was published of them, and the shipped search spaces."""
    from pvtsearch.serialize_space import load_space, shipped_spaces

    spaces = {name: load_space(name) for name in shipped_spaces()}
    sizes = {name: space.size((space.image_size, space.image_size)).legal for name, space in spaces.items()}
    presets = [_preset(name) for name in PRESETS]
    if format == "json":
        print(json.dumps({"presets": presets, "spaces": sizes}, indent=2))
        return
    header = ["preset", "params", "MACs", "M", "GFLOPs", "top-1 %", "source"]
    tables.print_table(header, [_row(preset) for preset in presets], format)
    print("\nMACs at 224x224. M, GFLOPs (which are GMACs) and top-1 as published; with PVT's recipe where two are.")
    for line in _legend(presets):
        print(line)
    print()
    tables.print_table(["space", "configurations"], [[name, f"{size:,}"] for name, size in sizes.items()], format)


def _preset(name: str) -> dict[str, Any]:
    preset = PRESETS[name]
    rows = [
        {"params_m": p.params_m, "gmacs": p.gmacs, "top1_percent": p.top1_percent, "source": p.source, "note": p.note}
        for p in preset.published
    ]
    return {"name": name, **analytic_cost(preset.config, (224, 224)), "published": rows}


def _row(preset: dict[str, Any]) -> list[str]:
    cost = [preset["name"], f"{preset['params']:,}", f"{preset['macs']:,}"]
    if not preset["published"]:
        return [*cost, "", "", "", ""]
    last = preset["published"][-1]
    return [*cost, *(str(last[key]) for key in ("params_m", "gmacs", "top1_percent")), _short(last["source"])]


def _short(source: str) -> str:
    return " ".join(source.replace(",", "").split()[:2])


def _legend(presets: list[dict[str, Any]]) -> list[str]:
    """What the short names of sources stand for, then the notes on single rows."""
    rows = [(preset["name"], row) for preset in presets for row in preset["published"]]
    sources = dict.fromkeys(row["source"] for _name, row in rows)
    notes = [f"{name}: {row['note']}." for name, row in rows if row["note"] and "recipe" not in row["note"]]
    return [f"Sources: {'; '.join(sources)}.", *notes]
