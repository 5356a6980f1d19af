"""Search spaces: which values each knob of a pyramid may take, and which combinations are legal.

A space is walked stage by stage. What a stage may be depends on its predecessor only through `Entering`: the map
that enters, the channels that enter, and the knobs that rules compare. So counting, decoding and exact search
are dynamic programmes over `Entering`, and spaces of 10^14 points and more are never enumerated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from pvtsearch.config import (
    MAX_STAGES,
    Attention,
    ImageSize,
    PVTConfig,
    SpatialReduction,
    StageConfig,
    check_part,
    smallest_grid,
)
from pvtsearch.errors import ConfigError, SpaceError
from pvtsearch.geometry import Grid, embedded_grid
from pvtsearch.knobs import Rows, Rule, ShareRule, StageKnobs, StageOptions, TrendRule, ruled_value

MAX_STAGE_COMBINATIONS = 1_000_000
NETWORK_KNOBS = ("patch_embed", "patch_norm", "norm_stages", "position", "mlp", "pool", "qkv_bias")


class Entering(NamedTuple):
    """All that a stage needs to know of the stages before it."""

    grid: Grid  # the map that enters, at the run's input size
    learned: Grid  # the same at the configuration's own image_size
    in_chans: int
    previous: tuple[Any, ...] | None  # the previous stage's ruled knobs; None before the first stage


class Move(NamedTuple):
    """Stages that may follow, as rows of the stage's options, and the state all of them leave behind."""

    rows: Rows
    leaving: Entering


class Size(NamedTuple):
    """How many configurations a space holds, and what was dropped on the way. Exact integers."""

    product: int  # of the numbers of values of all knobs
    heads_divide: int  # left where heads divide widths
    fits: int  # left where reductions and patches fit their grids and a class token its stage
    legal: int  # left under the rules: the size of the space

    def dropped(self) -> dict[str, int]:
        """Combinations dropped, by the law that dropped them."""
        return {
            "heads do not divide the width": self.product - self.heads_divide,
            "does not fit its grid, or its class token": self.heads_divide - self.fits,
            "breaks a rule": self.fits - self.legal,
        }


@dataclass(frozen=True)
class SearchSpace:
    """Knobs and rules. `network` holds the network-wide parts, each with its values."""

    stages: tuple[StageKnobs, ...]
    network: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    name: str = "space"
    image_size: int = 224
    in_chans: int = 3
    num_classes: int = 1000

    def __post_init__(self) -> None:
        if not 1 <= len(self.stages) <= MAX_STAGES:
            raise SpaceError(f"stages must hold 1 to {MAX_STAGES} stages, got {len(self.stages)}")
        for name, values in self.network.items():
            if len(set(values)) < len(values):
                raise SpaceError(f"{name} must not repeat a value, got {list(values)}")
            for value in values:
                check_part(name, value)
        for stage, knobs in enumerate(self.stages):
            combinations = math.prod(len(values) for values in knobs.by_name().values())
            if combinations > MAX_STAGE_COMBINATIONS:
                raise SpaceError(
                    f"stages[{stage}]: {combinations:,} combinations of one stage, "
                    f"at most {MAX_STAGE_COMBINATIONS:,} are searched: give fewer values"
                )
        for rule in self.rules:
            if isinstance(rule, ShareRule) and not 1 <= rule.stage <= len(self.stages):
                raise SpaceError(f"rule '{rule}': the space has stages 1 to {len(self.stages)}")
        if not self.templates:
            raise SpaceError(f"no combination of the network-wide parts is legal: {self._template_error}")

    @property
    def trend_rules(self) -> tuple[TrendRule, ...]:
        """The rules between neighbouring stages."""
        return tuple(rule for rule in self.rules if isinstance(rule, TrendRule))

    @property
    def share_rules(self) -> tuple[ShareRule, ...]:
        """The rules that bound a stage by the budget."""
        return tuple(rule for rule in self.rules if isinstance(rule, ShareRule))

    @cached_property
    def _template_error(self) -> str:
        try:
            self._configure(next(self._network_choices()), self._smallest_stages())
        except ConfigError as error:
            return str(error)
        return ""

    def _network_choices(self) -> Iterator[dict[str, Any]]:
        for values in product(*self.network.values()):
            yield dict(zip(self.network, values, strict=True))

    def _configure(self, network: Mapping[str, Any], stages: tuple[StageConfig, ...]) -> PVTConfig:
        return PVTConfig(
            stages=stages,
            name=self.name,
            image_size=self.image_size,
            in_chans=self.in_chans,
            num_classes=self.num_classes,
            **network,
        )

    def _smallest_stages(self) -> tuple[StageConfig, ...]:
        return tuple(StageConfig(min(knobs.patch_size), 1, 1, 1, 1) for knobs in self.stages)

    @cached_property
    def templates(self) -> tuple[PVTConfig, ...]:
        """One network per legal choice of the network-wide parts; only those parts of it mean anything."""
        legal = []
        for network in self._network_choices():
            try:
                legal.append(self._configure(network, self._smallest_stages()))
            except ConfigError:
                continue
        return tuple(legal)

    def decode(self, template: PVTConfig, stages: tuple[StageConfig, ...]) -> PVTConfig:
        """The configuration with template's network-wide parts and these stages."""
        return self._configure({name: getattr(template, name) for name in self.network}, stages)

    @cached_property
    def options(self) -> tuple[StageOptions, ...]:
        """For each stage, every stage its knobs can make where heads divide the width."""
        return tuple(self._stage_options(knobs) for knobs in self.stages)

    def _stage_options(self, knobs: StageKnobs) -> StageOptions:
        names, values = tuple(knobs.by_name()), tuple(knobs.by_name().values())
        stages: list[StageConfig] = []
        points: list[tuple[int, ...]] = []
        for point in product(*(range(len(v)) for v in values)):
            try:
                stages.append(knobs.stage({n: v[i] for n, v, i in zip(names, values, point, strict=True)}))
            except ConfigError:
                continue
            points.append(point)
        columns = np.array(points, dtype=np.int64).reshape(-1, len(names)).T
        return StageOptions(tuple(stages), dict(zip(names, columns, strict=True)), self._groups(stages))

    def _groups(self, stages: list[StageConfig]) -> tuple[tuple[StageConfig, Rows], ...]:
        members: dict[tuple[Any, ...], list[int]] = {}
        for row, stage in enumerate(stages):
            key = (stage.patch_size, stage.embed_dim, stage.attention, self._ruled_values(stage))
            members.setdefault(key, []).append(row)
        return tuple((stages[rows[0]], np.array(rows, dtype=np.int64)) for rows in members.values())

    def _ruled_values(self, stage: StageConfig) -> tuple[Any, ...]:
        return tuple(ruled_value(stage, rule.knob) for rule in self.trend_rules)

    def start(self, image_size: ImageSize) -> Entering:
        """What enters the first stage at an input of (height, width)."""
        return Entering(Grid(*image_size), Grid(self.image_size, self.image_size), self.in_chans, None)

    def moves(self, template: PVTConfig, index: int, entering: Entering) -> list[Move]:
        """The legal stages `index` after a stage that left `entering` behind, by the state they leave."""
        rows_by_state: dict[Entering, list[Rows]] = {}
        for stage, rows in self.options[index].groups:
            ruled = self._ruled_values(stage)
            if entering.previous is not None and not all(
                rule.holds(before, after)
                for rule, before, after in zip(self.trend_rules, entering.previous, ruled, strict=True)
            ):
                continue
            grid = embedded_grid(entering.grid, stage.patch_size, template.patch_embed)
            learned = embedded_grid(entering.learned, stage.patch_size, template.patch_embed)
            if self._fits(template, index, stage.attention, grid, learned):
                leaving = Entering(grid, learned, stage.embed_dim, ruled)
                rows_by_state.setdefault(leaving, []).append(rows)
        return [Move(np.sort(np.concatenate(rows)), leaving) for leaving, rows in rows_by_state.items()]

    def _fits(self, template: PVTConfig, index: int, attention: Attention, grid: Grid, learned: Grid) -> bool:
        last_with_token = template.pool == "cls" and index == len(self.stages) - 1
        if last_with_token and attention != SpatialReduction(1):
            return False
        return bool(min(*grid, *learned) >= smallest_grid(attention))

    def size(self, image_size: ImageSize) -> Size:
        """The exact number of legal, distinct configurations at an input of (height, width).

        Rules on shares of a budget are limits of a search, not part of the size.
        """
        choices = math.prod(len(values) for values in self.network.values())
        knobs = math.prod(len(values) for stage in self.stages for values in stage.by_name().values())
        divisible = math.prod(len(options.stages) for options in self.options)
        free = SearchSpace(self.stages, self.network, (), self.name, self.image_size, self.in_chans, self.num_classes)
        return Size(choices * knobs, choices * divisible, free._count(image_size), self._count(image_size))

    def _count(self, image_size: ImageSize) -> int:
        return sum(self._count_from(template, 0, self.start(image_size), {}) for template in self.templates)

    def _count_from(
        self, template: PVTConfig, index: int, entering: Entering, known: dict[tuple[int, Entering], int]
    ) -> int:
        if index == len(self.stages):
            return 1
        if (index, entering) not in known:
            known[index, entering] = sum(
                len(move.rows) * self._count_from(template, index + 1, move.leaving, known)
                for move in self.moves(template, index, entering)
            )
        return known[index, entering]

    def contains(self, config: PVTConfig) -> bool:
        """Whether config, its name aside, is a point of this space at the space's own image_size."""
        parts = (*NETWORK_KNOBS, "image_size", "in_chans", "num_classes")
        same_parts = any(all(getattr(config, p) == getattr(t, p) for p in parts) for t in self.templates)
        return same_parts and len(config.stages) == len(self.stages) and self._follows(config)

    def _follows(self, config: PVTConfig) -> bool:
        entering = self.start((config.image_size, config.image_size))
        for index, stage in enumerate(config.stages):
            stages = self.options[index].stages
            moves = self.moves(config, index, entering)
            leaving = [move.leaving for move in moves if stage in (stages[row] for row in move.rows)]
            if not leaving:
                return False
            entering = leaving[0]
        return True
