"""`pvtsearch train`: the accuracy of a network by training it, on the user's data or on pictures made by formulas."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pvtsearch.analysis.setting import Autocast
from pvtsearch.cli import values
from pvtsearch.cli.outputs import claimed, file_name
from pvtsearch.cli.progress import progress
from pvtsearch.config import ModelConfig, PVTConfig
from pvtsearch.errors import InputError
from pvtsearch.serialize import dump_config, load_config

if TYPE_CHECKING:
    from pvtsearch.training.loop import Job
    from pvtsearch.trainings import Outcome

EPOCHS, BATCH_SIZE = 10, 32


def train(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A preset or a YAML file.")],
    data: Annotated[str, typer.Option(help="fractals, a folder of images, or torchvision:NAME:FOLDER.")] = "fractals",
    epochs: Annotated[int, typer.Option(help="Rounds over the images; the recipe goes with them.", min=1)] = EPOCHS,
    batch_size: Annotated[int, typer.Option(help="Images of a step, over all processes.", min=2)] = BATCH_SIZE,
    learning_rate: Annotated[float | None, typer.Option(help="Of AdamW; by default by batch size.")] = None,
    image_size: Annotated[str | None, typer.Option(help="Input side; by default the network's own.")] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.", min=0, max=2**32 - 1)] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    autocast: Annotated[Autocast, typer.Option(help="Lower type of forward passes.")] = "none",
    workers: Annotated[int, typer.Option(help="Processes that load images; 0: none.", min=0)] = 0,
    initial: Annotated[Path | None, typer.Option(help="A state dict to start from, in place of fresh weights.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for weights and curve; by default runs/train/NAME.")] = None,
) -> None:
    """Train a network by PVT's recipe, as far as it serves so few epochs, and say how well it does.

    Killed, the same command goes on from its last checkpoint. Under torchrun all processes train one network.
    """
    from pvtsearch.training.checkpoints import read_weights, write_weights
    from pvtsearch.training.ledger import training_json
    from pvtsearch.training.loop import Machine, job
    from pvtsearch.training.loop import train as trained
    from pvtsearch.training.recipe import recipe_for
    from pvtsearch.training.sources import open_data
    from pvtsearch.training.team import leads

    loaded = load_config(config)
    side = the_side(image_size, loaded.image_size)
    folder = Path("runs") / "train" / file_name(loaded.name) if out is None else out
    recipe = recipe_for(epochs, batch_size, learning_rate)
    machine = Machine(device, autocast, workers)
    alone: AbstractContextManager[None] = claimed(folder) if leads() else nullcontext()
    with alone:
        wanted = job(loaded, open_data(data, side, device=device), recipe, seed=seed, autocast=autocast)
        checkpoint = folder / "checkpoint.pt"
        with progress(f"training {loaded.name}", epochs) as advance:
            outcome, weights = trained(
                wanted,
                machine,
                checkpoint=checkpoint,
                initial=None if initial is None else read_weights(initial),
                on_epoch=lambda epoch: advance(epoch.number),
            )
        if leads():
            write_weights(folder / "weights.pt", weights)
            write_texts(folder, wanted.config, outcome, training_json(wanted, machine, outcome))
            print(in_words(wanted, outcome, folder))


def the_side(text: str | None, default: int) -> int:
    """The side of --image-size; images that networks are trained on are square."""
    size = values.image_size(text) or (default, default)
    if size[0] != size[1]:
        raise InputError(f"--image-size must be one side in training, such as 224, got '{text}'")
    return size[0]


def write_texts(folder: Path, network: ModelConfig, outcome: Outcome, document: str) -> None:
    """curve.csv, training.json, and network.yaml, a pyramid as it was trained.

    The checkpoint stays, so that the same command is done at once.
    """
    from pvtsearch.files import write_all

    rows = "".join(f"{e.number},{e.loss:.6f},{e.accuracy_percent:.4f}\n" for e in outcome.curve)
    write_all({
        folder / "curve.csv": f"epoch,loss,accuracy_percent\n{rows}",
        folder / "training.json": document,
        **({folder / "network.yaml": dump_config(network)} if isinstance(network, PVTConfig) else {}),
    })  # fmt: skip


def in_words(wanted: Job, outcome: Outcome, folder: Path) -> str:
    """How a training came out, in a few lines."""
    data = wanted.data
    return (
        f"{wanted.config.name} on {data.name} at {data.side}x{data.side}: top-1 {outcome.accuracy_percent:.1f} % "
        f"(standard error {outcome.error_percent:.1f}) on {outcome.held_out:,} held-out images of {data.classes} "
        f"classes; chance is {100 / data.classes:.1f} %.\n"
        f"{wanted.recipe.epochs} epochs of {len(data.train):,} images, seed {wanted.seed}, {outcome.seconds:.0f} s. "
        f"Another seed gives another figure: train it twice before you compare.\n"
        f"Weights, curve and all settings: {folder}"
    )
