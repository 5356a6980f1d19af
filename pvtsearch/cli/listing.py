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
    tables.print_table(
        ["preset", "params", "MACs at 224", "published M", "published GFLOPs", "top-1 %", "source"],
        [[p["name"], f"{p['params']:,}", f"{p['macs']:,}", *_published(p)] for p in presets],
        format,
    )
    print()
    tables.print_table(["space", "configurations"], [[name, f"{size:,}"] for name, size in sizes.items()], format)


def _preset(name: str) -> dict[str, Any]:
    preset = PRESETS[name]
    rows = [
        {"params_m": p.params_m, "gflops": p.gmacs, "top1_percent": p.top1_percent, "source": p.source, "note": p.note}
        for p in preset.published
    ]
    return {"name": name, **analytic_cost(preset.config, (224, 224)), "published": rows}


def _published(preset: dict[str, Any]) -> list[str]:
    if not preset["published"]:
        return ["", "", "", "not published"]
    last = preset["published"][-1]
    source = last["source"] + (f"; {last['note']}" if last["note"] else "")
    return [str(last["params_m"]), str(last["gflops"]), str(last["top1_percent"]), source]
