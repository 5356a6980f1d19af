"""`pvtsearch supernet`: shared weights of a whole space, and its networks in order where that order is borne out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.cli.limits import BudgetOption, MatchOption, MaxGmacsOption, MaxParamsOption, the_budget
from pvtsearch.cli.outputs import claimed, file_name
from pvtsearch.cli.progress import progress
from pvtsearch.cli.train import BATCH_SIZE, EPOCHS, the_side

if TYPE_CHECKING:
    from pvtsearch.config import PVTConfig
    from pvtsearch.supernet.ranking import Compared, Ranking
    from pvtsearch.supernet.training import SupernetTraining

SUPERNET_EPOCHS = 30
POOL = 1000  # uniform draws that take part in its training
BEST = 5  # networks that are taken out of it


def supernet(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="A shipped space or a YAML file.")],
    budget: BudgetOption = None,
    match: MatchOption = None,
    max_gmacs: MaxGmacsOption = None,
    max_params: MaxParamsOption = None,
    image_size: Annotated[str | None, typer.Option(help="Input side; by default the space's.")] = None,
    data: Annotated[str, typer.Option(help="fractals, a folder of images, or torchvision:NAME:FOLDER.")] = "fractals",
    epochs: Annotated[int, typer.Option(help="Of the supernet.", min=1)] = SUPERNET_EPOCHS,
    alone_epochs: Annotated[int, typer.Option(help="Of each network trained on its own.", min=1)] = EPOCHS,
    batch_size: Annotated[int, typer.Option(help="Images of a step.", min=2)] = BATCH_SIZE,
    learning_rate: Annotated[float | None, typer.Option(help="Of AdamW; by default by batch size.")] = None,
    compare: Annotated[int, typer.Option(help="Networks trained on their own, to hold it against.", min=8)] = 8,
    candidates: Annotated[int, typer.Option(help="Networks to put in order.", min=1)] = 100,
    seed: Annotated[int, typer.Option(help="Of draws, weights and order.", min=0, max=2**32 - 1)] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out: Annotated[
        Path | None, typer.Option(help="Folder for weights and order; by default runs/supernet/SPACE.")
    ] = None,
) -> None:
    """Train shared weights of a space's networks, and order these by them where networks trained alone bear it out.

    Killed, the same command goes on where it was. Exit status 1 where the order is not borne out.
    """
    from pvtsearch.search.draws import uniform_draws
    from pvtsearch.search.problem import Problem
    from pvtsearch.serialize_space import load_space
    from pvtsearch.supernet.proof import compared, inherited
    from pvtsearch.supernet.ranking import ranking
    from pvtsearch.supernet.training import SupernetJob, SupernetTraining, distinct
    from pvtsearch.training.loop import Machine
    from pvtsearch.training.recipe import recipe_for
    from pvtsearch.training.sources import open_data
    from pvtsearch.training.trainer import ledger_trainer

    loaded = load_space(space)
    side = the_side(image_size, loaded.image_size)
    limits = the_budget(
        budget, match, (side, side), "classification", MemorySetting(), max_gmacs=max_gmacs, max_params=max_params
    )
    folder = Path("runs") / "supernet" / file_name(loaded.name) if out is None else out
    problem = Problem(replace(loaded, image_size=side), (side, side), budget=limits)
    with claimed(folder):
        images = open_data(data, side, device=device)
        drawn = uniform_draws(problem, POOL + compare + candidates, seed=seed)
        pool = distinct([replace(config, num_classes=images.classes) for config in drawn])
        wanted = SupernetJob(
            replace(problem.space, num_classes=images.classes),
            images,
            recipe_for(epochs, batch_size, learning_rate),
            pool[:POOL],
            seed,
        )
        training = SupernetTraining(wanted, device=device, checkpoint=folder / "checkpoint.pt")
        with progress(f"training a supernet of {loaded.name}", epochs) as advance:
            for epoch in training.epochs():
                advance(epoch)
        trainer = ledger_trainer(
            folder / "trainings",
            images,
            recipe_for(alone_epochs, batch_size, learning_rate),
            machine=Machine(device),
        )
        with progress("training networks on their own", compare) as advance:
            held = compared(training, pool[:compare], trainer, advance)
        write_compared(folder, held)
        with progress("putting networks in order", min(candidates, len(pool))) as advance:
            found = inherited(training, pool[-candidates:], advance)
        order = ranking(found, held, seed=seed)
        write_order(folder, training, order, dict(found))
    print(in_words(order, dict(found), folder))


def write_compared(folder: Path, held: Sequence[Compared]) -> None:
    """compared.csv: both accuracies of each network."""
    from pvtsearch.files import write_whole

    rows = [(each.inherited_percent, each.stand_alone_percent, _shape(each.config)) for each in held]
    write_whole(folder / "compared.csv", _csv("inherited_percent,alone_percent,stages", rows))


def write_order(folder: Path, training: SupernetTraining, order: Ranking, accuracies: dict[PVTConfig, float]) -> None:
    """order.csv, and the best networks: a YAML each, with weights to go on from."""
    from pvtsearch.files import write_whole
    from pvtsearch.serialize import dump_config
    from pvtsearch.training.checkpoints import write_weights

    rows = [(place, accuracies[config], _shape(config)) for place, config in enumerate(order.order, start=1)]
    write_whole(folder / "order.csv", _csv("place,inherited_percent,stages", rows))
    for place, config in enumerate(order.order[:BEST], start=1):
        named = replace(config, name=f"best_{place}")
        write_whole(folder / f"{named.name}.yaml", dump_config(named))
        write_weights(folder / f"{named.name}.pt", training.supernet.extract(config).state_dict())


def _shape(config: PVTConfig) -> str:
    return " ".join(f"{stage.embed_dim}x{stage.depth}r{stage.mlp_ratio:g}" for stage in config.stages)


def _csv(header: str, rows: Iterable[tuple[object, ...]]) -> str:
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def in_words(order: Ranking, accuracies: dict[PVTConfig, float], folder: Path) -> str:
    """What the order is worth, and where it is."""
    tau, best = order.tau, order.order[0]
    return (
        f"{len(order.order):,} networks in the order of inherited weights: {order.compared} trained on their own agree "
        f"with it to a Kendall tau of {tau.value:.2f} [{tau.lower:.2f}, {tau.upper:.2f}].\n"
        f"The first has {accuracies[best]:.1f} % by inherited weights ({_shape(best)}); fine-tune it with: pvtsearch "
        f"train {folder / 'best_1.yaml'} --initial {folder / 'best_1.pt'}\n"
        f"Order, comparison and the first {min(BEST, len(order.order))} with their weights: {folder}"
    )
