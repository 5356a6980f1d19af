"""The closed form as polynomials in the input's height H and width W. Needs sympy, which is imported late."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from pvtsearch.analysis.baselines import resnet_cost
from pvtsearch.analysis.closed_form import cost_on_grids
from pvtsearch.analysis.layers import LayerCost
from pvtsearch.config import ImageSize, ModelConfig, NetworkTask, PVTConfig, SpatialReduction
from pvtsearch.geometry import Grid, Number

LARGEST_SIDE = 10**7
RESNET_STRIDE = 32


@dataclass(frozen=True)
class Polynomial:
    """Coefficients by (power of H, power of W), exact."""

    terms: Mapping[tuple[int, int], Fraction]

    def at(self, image_size: ImageSize) -> Fraction:
        """The value at an input of (height, width)."""
        height, width = image_size
        return sum((c * height**h * width**w for (h, w), c in self.terms.items()), start=Fraction(0))

    def __str__(self) -> str:
        written = [_term(self.terms[powers], *powers) for powers in sorted(self.terms, reverse=True)]
        return " + ".join(written).replace("+ -", "- ") or "0"


@dataclass(frozen=True)
class Formula:
    """What a network costs for ONE image whose sides are multiples of `divisor`; others are rounded stage by stage.

    matmul: the attention products' part of macs.
    """

    name: str
    task: NetworkTask
    divisor: int
    params: int
    macs: Polynomial
    matmul: Polynomial

    def attention_share(self, side: int) -> float:
        """Share of the attention products in the MACs of a square input."""
        return float(self.matmul.at((side, side)) / self.macs.at((side, side)))

    def attention_overtakes(self) -> int | None:
        """The smallest side, a multiple of `divisor`, of a square whose attention products outweigh the rest.

        None where there is none below 10^7 pixels.
        """
        low, high = 0, LARGEST_SIDE // self.divisor
        if not self._outweighed(high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._outweighed(middle) else (middle, high)
        return high * self.divisor

    def _outweighed(self, multiple: int) -> bool:
        side = multiple * self.divisor
        return 2 * self.matmul.at((side, side)) > self.macs.at((side, side))


def formula(config: ModelConfig, *, task: NetworkTask = "classification") -> Formula:
    """The closed form of a network on symbols: the same formulas that `profile` evaluates on numbers."""
    import sympy  # type: ignore[import-untyped]

    height, width = sympy.symbols("h w", integer=True, positive=True)
    step = divisor(config)
    cost = _symbolic_cost(config, Grid(step * height, step * width), task)

    def polynomial(expression: Number) -> Polynomial:
        terms = sympy.Poly(expression, height, width).as_dict()
        exact = {(h, w): Fraction(int(c.p), int(c.q)) / step ** (h + w) for (h, w), c in terms.items() if c}
        return Polynomial(exact)

    return Formula(config.name, task, step, int(cost.params), polynomial(cost.macs), polynomial(cost.matmul))


def divisor(config: ModelConfig) -> int:
    """What the sides of an input must be multiples of for no stage to round: every stride times its reduction."""
    if not isinstance(config, PVTConfig):
        return RESNET_STRIDE
    stride, common = 1, 1
    for stage in config.stages:
        stride *= stage.patch_size
        ratio = stage.attention.sr_ratio if isinstance(stage.attention, SpatialReduction) else 1
        common = math.lcm(common, stride * ratio)
    return common


def _symbolic_cost(config: ModelConfig, entering: Grid, task: NetworkTask) -> LayerCost:
    if isinstance(config, PVTConfig):
        return cost_on_grids(config, config.grids_of(entering), task).total
    return resnet_cost(config, (entering.height, entering.width), task).total


def _term(coefficient: Fraction, height: int, width: int) -> str:
    powers = [f"{name}^{power}" if power > 1 else name for name, power in (("H", height), ("W", width)) if power]
    return " ".join([_number(coefficient), *powers])


def _number(value: Fraction) -> str:
    return f"{value.numerator:,}" if value.denominator == 1 else f"{value.numerator:,}/{value.denominator:,}"
