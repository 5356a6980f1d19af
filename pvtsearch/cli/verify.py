"""`pvtsearch verify`: the closed forms held against counting the built networks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pvtsearch.cli import tables, values
from pvtsearch.cli.progress import progress
from pvtsearch.config import ImageSize, ModelConfig, Task
from pvtsearch.errors import InputError
from pvtsearch.serialize import load_config
from pvtsearch.shown import printable

if TYPE_CHECKING:
    from pvtsearch.verification import Verification


def verify(
    configs: Annotated[list[str] | None, typer.Argument(metavar="CONFIG", help="Presets or YAML files.")] = None,
    task: values.TaskOption = "classification",
    image_size: Annotated[str | None, typer.Option(help="Input side or HxW; by default the network's own.")] = None,
    random: Annotated[int, typer.Option(help="Further random small networks of every kind.", min=0)] = 0,
    seed: Annotated[int, typer.Option(help="Seed of the random networks.", min=0)] = 0,
    front: Annotated[
        Path | None, typer.Option(help="Folder of a search: its front is costed anew, from the YAML files.")
    ] = None,
    format: Annotated[
        Literal["table", "json", "markdown"], typer.Option("--format", help="How to print it.")
    ] = "table",
) -> int:
    """Count the built networks, also their live bytes, beside the closed form; 1 on any difference."""
    loaded = [load_config(name) for name in configs or []]
    size = values.image_size(image_size)
    if front is not None:
        if loaded or random:
            raise InputError("--front goes without CONFIG and --random")
        return _verify_front(front)
    if not loaded and not random:
        raise InputError("verify needs a CONFIG, --random N or --front DIR")
    with progress("verifying", len(loaded) + random) as advance:
        done = list(_verified(loaded, size, task, random, seed, advance))
    named, drawn = done[: len(loaded)], done[len(loaded) :]
    differing = [each for each in done if not each.agrees]
    if format == "json":
        print(json.dumps(as_json(done), indent=2))
    else:
        shown = [*named, *(each for each in drawn if not each.agrees)]
        if shown:
            tables.print_table(*rows(shown), format)
        print(f"{len(done) - len(differing)} of {len(done)} networks agree in every count.")
    return 1 if differing else 0


def _verify_front(folder: Path) -> int:
    """Print every difference between a search's files and the closed form; 1 where there is one."""
    from pvtsearch.report.recheck import recheck

    found = recheck(folder)
    for difference in found.differences:
        print(printable(difference))
    print(f"{found.networks:,} networks of {folder} costed anew, {len(found.differences):,} differences.")
    return 1 if found.differences else 0


def _verified(
    loaded: list[ModelConfig],
    size: ImageSize | None,
    task: Task,
    random: int,
    seed: int,
    advance: Callable[[int], None],
) -> Iterator[Verification]:
    """The named networks, then random ones, each when it is done."""
    from pvtsearch.verification import random_cases, verify

    named = ((config, size or (config.image_size, config.image_size), task) for config in loaded)
    for number, (config, image_size, its_task) in enumerate(chain(named, random_cases(random, seed=seed)), start=1):
        yield verify(config, image_size=image_size, task=its_task)
        advance(number)


def rows(verifications: list[Verification]) -> tuple[list[str], list[list[str]]]:
    """One row per quantity: closed form, counted, by whom, and whether they agree."""
    header = ["network", "quantity", "closed form", "counted", "by", ""]
    body = [
        [
            _label(each),
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


def _label(one: Verification) -> str:
    task = "" if one.task == "classification" else f" {one.task}"
    return f"{one.name} {one.image_size[0]}x{one.image_size[1]}{task}"


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
