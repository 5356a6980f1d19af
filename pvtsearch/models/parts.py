"""Parts of a network to be run alone: a stage, the head, or all of it, and what enters it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pvtsearch.config import ImageSize, ModelConfig, NetworkTask, PVTConfig
from pvtsearch.geometry import Grid
from pvtsearch.models.baselines import build_model
from pvtsearch.models.patch_embed import map_of


def build_part(config: ModelConfig, place: int | None, *, task: NetworkTask = "classification") -> nn.Module:
    """Stage `place` of a PVT, its head where place is the number of stages, or the network where it is None.

    Weights are not initialised, and on the meta device.
    """
    with torch.device("meta"):
        network = build_model(config, task=task)
    if place is None or not isinstance(config, PVTConfig):
        return network
    found = network.head if place == len(config.stages) else network.stages[place]  # type: ignore[index]
    if not isinstance(found, nn.Module):
        raise TypeError(place)
    return found


def materialised(module: nn.Module, *, dtype: torch.dtype, device: str) -> nn.Module:
    """The module with small random weights, in evaluation mode; zeros would cost a device less power, so less time."""
    module = module.to(dtype).to_empty(device=device)
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.01, 0.03)  # above 0: a BatchNorm's variance is one of them
            else:
                tensor.zero_()
    return module.eval()


def entering(
    config: ModelConfig, place: int | None, image_size: ImageSize, *, batch_size: int, dtype: torch.dtype, device: str
) -> Tensor:
    """What a part takes at an input of (height, width), laid out in memory as the network hands it over."""
    if not isinstance(config, PVTConfig) or not place:
        return torch.rand(batch_size, config.in_chans, *image_size, dtype=dtype, device=device)
    channels = config.stages[place - 1].embed_dim
    if place == len(config.stages):
        return torch.rand(batch_size, channels, dtype=dtype, device=device)
    grid = Grid(*config.grids(image_size)[place - 1])
    return map_of(torch.rand(batch_size, grid.tokens, channels, dtype=dtype, device=device), grid)
