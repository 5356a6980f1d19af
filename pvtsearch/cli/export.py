"""`pvtsearch export`: a network for other code: constructor calls, and ONNX."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pvtsearch.cli import values
from pvtsearch.config import ModelConfig, NetworkTask
from pvtsearch.errors import InputError
from pvtsearch.serialize import load_config


def export(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A preset or a YAML file.")],
    onnx: Annotated[Path | None, typer.Option(help="Write the network to this ONNX file.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Checkpoint for --onnx; fresh weights without it.")] = None,
    task: Annotated[
        NetworkTask | None, typer.Option(help="What --onnx is built for; by default classification.")
    ] = None,
    image_size: Annotated[str | None, typer.Option(help="Input side or HxW of --onnx.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per call of --onnx; by default 1.", min=1)] = None,
) -> None:
    """The constructor calls of other libraries that build the same network, or why there is none; and ONNX."""
    loaded = load_config(config)
    size = values.image_size(image_size) or (loaded.image_size, loaded.image_size)
    if onnx is None:
        if (weights, task, image_size, batch_size) != (None, None, None, None):
            raise InputError("--weights, --task, --image-size and --batch-size go with --onnx")
        print(calls(loaded))
        return
    from pvtsearch.analysis.baselines import buildable_cost
    from pvtsearch.models.export import write_onnx
    from pvtsearch.models.weights import read_checkpoint

    state = None if weights is None else read_checkpoint(weights)
    task, images = task or "classification", batch_size or 1
    buildable_cost(loaded, size, task)
    write_onnx(loaded, onnx, image_size=size, batch_size=images, task=task, weights=state)
    print(f"{onnx}: {loaded.name}, {images} x {loaded.in_chans} x {size[0]} x {size[1]}, {task}")


def calls(config: ModelConfig) -> str:
    """Every library's constructor call or the reason against it, as Python text."""
    from pvtsearch.models.constructors import Call, constructor_calls

    blocks = []
    for source, answer in constructor_calls(config).items():
        body = answer.code if isinstance(answer, Call) else f"# none: {'; '.join(answer.reasons)}"
        blocks.append(f"# {source}\n{body}")
    return "\n\n".join(blocks)
