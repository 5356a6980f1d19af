"""Printed #Param and GFLOPs beside the closed form, entry by entry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, NamedTuple, TypeAlias, assert_never

from pvtsearch.analysis.baselines import STEM_CHANNELS, network_cost, resnet_grids, resnet_stem
from pvtsearch.analysis.conventions import Convention, stated_operations
from pvtsearch.analysis.dense import head_cost_of_levels
from pvtsearch.analysis.layers import LayerCost, conv_norm_relu
from pvtsearch.analysis.printed import PRINTED, PrintedRow
from pvtsearch.config import DENSE_STAGES, DenseTask, ImageSize, ModelConfig, PVTConfig, ResNetConfig, Task, is_dense
from pvtsearch.geometry import Grid, halved
from pvtsearch.heads import DENSE_HEADS

Quantity: TypeAlias = Literal["#Param", "GFLOPs"]
State: TypeAlias = Literal["reproduced", "differs", "not built"]

UNITS: dict[Quantity, int] = {"#Param": 10**6, "GFLOPs": 10**9}
SCRIPT_STEP = Decimal("0.01")  # the official script prints two decimals, and the tables round what it prints

REASONS: dict[tuple[str, Quantity], str] = {
    ("resnet101", "#Param"): "torchvision's ResNet-101, built here, has 44.55 M, and the papers' own rows of it in "
    "RetinaNet, Mask R-CNN and Semantic FPN come out with that; 44.7 must be from elsewhere",
    (
        "pvt_v2_b0",
        "#Param",
    ): "the official code and its README have 3.7 M, and the paper's dense rows come out with that",
    (
        "pvt_v2_b1",
        "#Param",
    ): "the official code and its README have 14.0 M, and the paper's dense rows come out with that",
}
UNKNOWN = "no reason is known"


@dataclass(frozen=True)
class Entry:
    """One printed number, and the exact one of the closed form, in ones; None where the network is not built.

    rule: how the exact one was obtained. remark: why it differs or is not there, or what was inferred.
    """

    table: str
    label: str
    quantity: Quantity
    printed: Decimal
    exact: int | None
    is_difference: bool
    rule: str
    remark: str

    @property
    def value(self) -> Decimal | None:
        """The exact number in the table's unit."""
        return None if self.exact is None else Decimal(self.exact) / UNITS[self.quantity]

    @property
    def state(self) -> State:
        """Whether the exact number is the printed one, rounded to two decimals, then to the printed digits, halves up.

        A difference of printed numbers is known to less than one unit of their last digit: it has to be that near.
        """
        if self.value is None:
            return "not built"
        if self.is_difference:
            near = abs(self.value - self.printed) < Decimal(1).scaleb(int(self.printed.as_tuple().exponent))
            return "reproduced" if near else "differs"
        same = self._rounded(self.value.quantize(SCRIPT_STEP, ROUND_HALF_UP)) == self.printed
        return "reproduced" if same else "differs"

    @property
    def needs_two_decimals(self) -> bool:
        """Whether it is reproduced only because two decimals come first: 12.947, 12.95, 13.0."""
        if self.value is None or self.is_difference:
            return False
        return self.state == "reproduced" and self._rounded(self.value) != self.printed

    def _rounded(self, value: Decimal) -> Decimal:
        return value.quantize(self.printed, ROUND_HALF_UP)


class CountedCost(NamedTuple):
    """A cost as the official configurations build the network, and what its parameters are, in words."""

    cost: LayerCost
    params_rule: str


def counted_cost(config: ModelConfig, size: ImageSize, task: Task) -> CountedCost:
    """Cost of a network as the official configurations build and count it."""
    if isinstance(config, PVTConfig):
        if is_dense(task) and len(config.stages) == 1:
            return CountedCost(column_cost(config, size, task), "all, neck and heads on four maps of one width")
        return CountedCost(network_cost(config, size, task).total, "all")
    network = network_cost(config, size, task)
    cost = network.total
    if task in ("retinanet", "mask_rcnn"):
        trained = replace(cost, params=cost.params - network.stages[0].params)
        return CountedCost(trained, "what is trained: mmdetection freezes stem and stage 1")
    if task == "semantic_fpn" and config.groups == 1:
        stem = halved(Grid(*size))
        deep = cost + deep_stem(config, stem) + (-1) * resnet_stem(config, stem)
        return CountedCost(deep, "all, with the deep stem of mmsegmentation's ResNetV1c")
    return CountedCost(cost, "all")


def deep_stem(config: ResNetConfig, grid: Grid) -> LayerCost:
    """ResNetV1c's stem: three 3x3 convolutions for the 7x7, then the same max pooling."""
    cost = LayerCost(max_pool2d=STEM_CHANNELS * grid.tokens)
    for in_chans, out_chans in ((config.in_chans, 32), (32, 32), (32, STEM_CHANNELS)):
        cost += conv_norm_relu(in_chans, out_chans, kernel=3, grid=grid)
    return cost


def column_cost(config: PVTConfig, size: ImageSize, task: DenseTask) -> LayerCost:
    """A dense task on a network of one stage: four maps of its width, resized to the grids of a pyramid."""
    widths = [config.stages[0].embed_dim] * DENSE_STAGES
    backbone = network_cost(config, size, "backbone").total
    return backbone + head_cost_of_levels(DENSE_HEADS[task], widths, resnet_grids(size))


@dataclass(frozen=True)
class CostedRow:
    """A printed row with the cost of its network, and of the one that is subtracted; none where it is not built."""

    row: PrintedRow
    costs: tuple[CountedCost, ...]

    def exact(self, quantity: Quantity, convention: Convention) -> int | None:
        """The closed form's number, or difference."""
        if not self.costs:
            return None
        costs = (counted.cost for counted in self.costs)
        match quantity:
            case "#Param":
                numbers = [cost.params for cost in costs]
            case "GFLOPs":
                numbers = [stated_operations(cost, convention, self.row.task) for cost in costs]
            case _:
                assert_never(quantity)
        return int(numbers[0] - sum(numbers[1:]))

    def entries(self, convention: Convention) -> Iterator[Entry]:
        """The entries of the row, operations counted by a convention."""
        texts: tuple[tuple[Quantity, str | None], ...] = (("#Param", self.row.params_m), ("GFLOPs", self.row.gflops))
        for quantity, text in texts:
            if text is not None:
                yield self._entry(quantity, Decimal(text), convention)

    def _entry(self, quantity: Quantity, printed: Decimal, convention: Convention) -> Entry:
        row = self.row
        entry = Entry(
            table=row.table,
            label=row.label,
            quantity=quantity,
            printed=printed,
            exact=self.exact(quantity, convention),
            is_difference=row.less is not None,
            rule=self._rule(quantity, convention),
            remark=row.remark,
        )
        if entry.state != "differs" or row.config is None:
            return entry
        return replace(entry, remark=REASONS.get((row.config.name, quantity), UNKNOWN))

    def _rule(self, quantity: Quantity, convention: Convention) -> str:
        if not self.costs:
            return ""
        height, width = self.row.size
        return self.costs[0].params_rule if quantity == "#Param" else f"{convention} at {height}x{width}"


def costed_rows() -> tuple[CostedRow, ...]:
    """Every row of the papers' tables with its cost."""
    costed = []
    for row in PRINTED:
        configs = [config for config in (row.config, row.less) if config is not None]
        costed.append(CostedRow(row, tuple(counted_cost(config, row.size, row.task) for config in configs)))
    return tuple(costed)


def reproduction(rows: Sequence[CostedRow]) -> tuple[Entry, ...]:
    """Every entry, operations as the paper counts them that printed the number first."""
    return tuple(entry for costed in rows for entry in costed.entries(costed.row.convention))


class Agreement(NamedTuple):
    """How many GFLOPs entries a convention reproduces, of how many whose network is built."""

    reproduced: int
    built: int


def agreement(rows: Sequence[CostedRow], convention: Convention) -> dict[str, Agreement]:
    """By table: what a single convention reproduces of it."""
    found: dict[str, Agreement] = {}
    entries = (entry for costed in rows for entry in costed.entries(convention))
    for entry in entries:
        if entry.quantity == "GFLOPs" and entry.state != "not built":
            before = found.get(entry.table, Agreement(0, 0))
            found[entry.table] = Agreement(before.reproduced + (entry.state == "reproduced"), before.built + 1)
    return found
