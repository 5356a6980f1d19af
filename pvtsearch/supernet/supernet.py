"""A supernet of a search space: every configuration runs with slices of the same weights, and can be taken out of it.

There is one description of a network, `models.pvt`: here are only its parameters, shared. Norms are layer norms, which
keep no statistics, so a subnet needs no calibration. The head dim follows from a configuration's width and heads; which
channels a head has is not shared between numbers of heads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import torch
from torch import Tensor, nn

from pvtsearch.config import Attention, PVTConfig, StageConfig
from pvtsearch.errors import ConfigError, SpaceError
from pvtsearch.models.pvt import PVTClassifier, build_pvt
from pvtsearch.space import SearchSpace
from pvtsearch.supernet.slices import Key, Shape, key_of, slice_of


class Supernet(nn.Module):
    """The shared weights of a space, for images of its side and so many classes.

    Fresh weights come from torch's global random generator, as those of any network. Raises `SpaceError` for a space
    with several values of a network-wide part: such networks share no layers.
    """

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        if len(space.templates) != 1:
            raise SpaceError(
                f"{space.name}: a supernet has one value of each network-wide part, the space {len(space.templates)} "
                "combinations: give it one"
            )
        self.space = space
        self.shared = nn.ParameterDict()
        for config in _cover(space):
            for name, value in build_pvt(config).named_parameters():
                key = _text(key_of(name, tuple(value.shape)))
                if key not in self.shared:
                    self.shared[key] = nn.Parameter(value.detach())

    def check(self, config: PVTConfig) -> None:
        """Raise `SpaceError` for a configuration that is no point of the space."""
        if not self.space.contains(config):
            raise SpaceError(f"{config.name}: no network of the space {self.space.name}, whose weights these are")

    def weights(self, config: PVTConfig) -> dict[str, Tensor]:
        """The state dict of a configuration as slices of the shared weights; gradients reach them."""
        self.check(config)
        return {name: self._slice(name, shape) for name, shape in _shapes(config).items()}

    def _slice(self, name: str, shape: Shape) -> Tensor:
        return slice_of(self.shared[_text(key_of(name, shape))], name, shape)

    def forward(self, images: Tensor, config: PVTConfig) -> Tensor:
        """B in_chans h w -> B num_classes, of the configuration's network with its slices."""
        network = _blank(config).train(self.training)
        scores: Tensor = torch.func.functional_call(network, self.weights(config), (images,))
        return scores

    def extract(self, config: PVTConfig) -> PVTClassifier:
        """The network of a configuration on its own, with a copy of its slices."""
        network = build_pvt(config)
        network.load_state_dict({name: value.detach().clone() for name, value in self.weights(config).items()})
        return network.to(next(self.parameters()))


def _text(key: Key) -> str:
    """A key as a name that a module may have."""
    name, sizes = key
    return ":".join((name.replace(".", "/"), *map(str, sizes)))


def _blank(config: PVTConfig) -> PVTClassifier:
    """A network without weights."""
    with torch.device("meta"):
        return build_pvt(config)


def _shapes(config: PVTConfig) -> dict[str, Shape]:
    return {name: tuple(value.shape) for name, value in _blank(config).named_parameters()}


def _cover(space: SearchSpace) -> Iterator[PVTConfig]:
    """Configurations as wide and deep as the space has them, until every tensor of any of its networks is one's slice.

    They need not be in the space: the widest MLP and the widest tokens may never meet there.
    """
    known: set[Key] = set()
    kinds = [_kinds(space, index) for index in range(len(space.stages))]
    for chosen in product(*kinds):
        try:
            config = space.decode(space.templates[0], tuple(_widest(space, i, *kind) for i, kind in enumerate(chosen)))
        except ConfigError:  # a reduction that does not fit its grid, or the class token
            continue
        shallow = replace(config, stages=tuple(replace(stage, depth=1) for stage in config.stages))
        keys = {key_of(name, shape) for name, shape in _shapes(shallow).items()}
        if not keys <= known:
            known |= keys
            yield config


def _kinds(space: SearchSpace, index: int) -> list[tuple[int, Attention]]:
    """Patch sizes with attentions of a stage, which decide the shapes of kernels and grids."""
    return list(dict.fromkeys((stage.patch_size, stage.attention) for stage in space.options[index].stages))


def _widest(space: SearchSpace, index: int, patch_size: int, attention: Attention) -> StageConfig:
    stages = space.options[index].stages
    width, mlp_width = max(s.embed_dim for s in stages), max(s.mlp_width for s in stages)
    return StageConfig(patch_size, width, max(s.depth for s in stages), 1, (mlp_width + 0.5) / width, attention)
