"""`pvtsearch verify`: the closed forms held against counting the built networks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pvtsearch.cli import tables, values
from pvtsearch.config import Task
from pvtsearch.errors import InputError
from pvtsearch.serialize import load_config

if TYPE_CHECKING:
    from pvtsearch.verification import Verification


def verify(
    configs: Annotated[list[str] | None, typer.Argument(metavar="[CONFIG...]", help="Presets or YAML files.")] = None,
    task: Annotated[Task, typer.Option(help="What the network is built for.")] = "classification",
    image_size: Annotated[str | None, typer.Option(help="Input side or HxW; by default the network's own.")] = None,
    random: Annotated[int, typer.Option(help="Further random small networks of every kind.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the random networks.", min=0)] = 0,
    format: Annotated[
        Literal["table", "json", "markdown"], typer.Option("--format", help="How to print it.")
    ] = "table",
) -> int:
    """Count the built networks with fvcore and torch's FlopCounterMode beside the closed form; 1 on any difference."""
    loaded = [load_config(name) for name in configs or []]
    size = values.image_size(image_size)
    if not loaded and not random:
        raise InputError("verify needs a CONFIG or --random N")
    from pvtsearch import verification as room

    named = [room.verify(each, image_size=size or (each.image_size,) * 2, task=task) for each in loaded]
    drawn = list(_drawn(random, seed))
    differing = [each for each in (*named, *drawn) if not each.agrees]
    if format == "json":
        print(json.dumps(as_json([*named, *drawn]), indent=2))
    else:
        shown = [*named, *(each for each in drawn if not each.agrees)]
        if shown:
            tables.print_table(*rows(shown), format)
        print(f"{len(named) + len(drawn) - len(differing)} of {len(named) + len(drawn)} networks agree in every count.")
    return 1 if differing else 0


def _drawn(count: int, seed: int) -> Iterator[Verification]:
    from pvtsearch import verification as room

    for case in room.random_cases(count, seed=seed):
        yield room.verify(case.config, image_size=case.image_size, task=case.task)


def rows(verifications: list[Verification]) -> tuple[list[str], list[list[str]]]:
    """One row per quantity: closed form, counted, by whom, and whether they agree."""
    header = ["network", "quantity", "closed form", "counted", "by", ""]
    body = [
        [
            f"{each.name} {each.image_size[0]}x{each.image_size[1]} {each.task}",
            check.quantity,
            f"{check.closed_form:,}",
            f"{check.counted:,}",
            check.counted_by,
            "equal" if check.agrees else f"differs by {check.counted - check.closed_form:+,}",
        ]
        for each in verifications
        for check in each.checks
    ]
    return header, body


def as_json(verifications: list[Verification]) -> list[dict[str, Any]]:
    """Every check of every network."""
    return [
        {
            "name": each.name,
            "image_size": list(each.image_size),
            "task": each.task,
            "agrees": each.agrees,
            "checks": [
                {
                    "quantity": check.quantity,
                    "closed_form": check.closed_form,
                    "counted": check.counted,
                    "counted_by": check.counted_by,
                }
                for check in each.checks
            ],
        }
        for each in verifications
    ]
