"""Parts of a network as modules that run alone: a stage, the head, or all of it, and the shape of what enters."""

from __future__ import annotations

from torch import Tensor, nn

from pvtsearch.config import ImageSize, ModelConfig, NetworkTask, PVTConfig
from pvtsearch.geometry import Grid
from pvtsearch.models.baselines import build_model
from pvtsearch.models.patch_embed import map_of
from pvtsearch.models.pvt import build_pvt


class OnTokens(nn.Module):
    """A stage that is handed tokens: it finds them in memory as the stage before leaves them."""

    def __init__(self, stage: nn.Module, grid: Grid) -> None:
        super().__init__()
        self.stage = stage
        self.grid = grid

    def forward(self, tokens: Tensor) -> Tensor:
        """B N C -> B C H W, or B C at the end of a classification network."""
        finished: Tensor = self.stage(map_of(tokens, self.grid))
        return finished


def build_part(
    config: ModelConfig, place: int | None, image_size: ImageSize, *, task: NetworkTask = "classification"
) -> tuple[nn.Module, tuple[int, ...]]:
    """A part with fresh weights, and the shape of its input for one image of (height, width), the batch left out.

    The part is stage `place` of a PVT, its head where place is the number of stages, the network where it is None.
    """
    images = (config.in_chans, *image_size)
    if place is None or not isinstance(config, PVTConfig):
        return build_model(config, task=task), images
    network = build_pvt(config, task=task)
    if place == len(config.stages):
        return network.get_submodule("head"), (config.stages[-1].embed_dim,)
    stage = network.stages[place]
    if place == 0:
        return stage, images
    grid = config.grids(image_size)[place - 1]
    return OnTokens(stage, grid), (grid.tokens, config.stages[place - 1].embed_dim)
