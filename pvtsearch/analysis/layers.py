"""What single layers cost, for ONE image.

Every function is plain arithmetic on its arguments, so ints, numpy integer arrays and sympy symbols go
through the same spelling. Operators carry fvcore's names and fvcore's rules: a multiply-accumulate is 1,
a LayerNorm 5 per element, an evaluated BatchNorm 2, bilinear upsampling 4 per output element, adaptive
pooling 1 per input element; biases, activations, softmax, additions and plain pooling are not counted.
Other sources count some of those: what they need is carried beside the operators; see `conventions`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from operator import add, attrgetter

from pvtsearch.geometry import Grid, Number

LAYER_NORM_PER_ELEMENT = 5


@dataclass(frozen=True)
class LayerCost:
    """Parameters, operations by operator, and elements that only some sources count.

    Costs add; a number times a cost repeats it. conv_bias: output elements of convolutions that add a bias; relu: of
    ReLUs; max_pool2d: elements it reads; upsample: elements written by upsampling modules; class_token_matmul: the part
    of `matmul` that a class token makes.
    """

    __array_ufunc__ = None  # numpy arrays leave `array * cost` to __rmul__

    params: Number = 0
    conv: Number = 0
    linear: Number = 0
    matmul: Number = 0
    layer_norm: Number = 0
    batch_norm: Number = 0
    group_norm: Number = 0
    adaptive_avg_pool2d: Number = 0
    upsample_bilinear2d: Number = 0
    upsample_nearest2d: Number = 0
    conv_bias: Number = 0
    relu: Number = 0
    max_pool2d: Number = 0
    upsample: Number = 0
    class_token_matmul: Number = 0

    @property
    def macs(self) -> Number:
        """Multiply-accumulates of convolutions, linear layers and attention products."""
        return self.conv + self.linear + self.matmul

    def by_operator(self) -> dict[str, Number]:
        """Operations of every operator that occurs, by fvcore's names."""
        counts = {name: getattr(self, name) for name in OPERATORS}
        return {name: count for name, count in counts.items() if not _is_zero(count)}

    def __add__(self, other: LayerCost) -> LayerCost:
        return LayerCost(*map(add, _numbers(self), _numbers(other)))

    def __rmul__(self, times: Number) -> LayerCost:
        return LayerCost(*(times * number for number in _numbers(self)))


UNCOUNTED_BY_FVCORE = ("params", "conv_bias", "relu", "max_pool2d", "upsample", "class_token_matmul")
_NAMES = tuple(field.name for field in fields(LayerCost))
OPERATORS = tuple(name for name in _NAMES if name not in UNCOUNTED_BY_FVCORE)
_numbers = attrgetter(*_NAMES)


def _is_zero(count: Number) -> bool:
    return isinstance(count, int) and count == 0


def total(costs: Iterable[LayerCost]) -> LayerCost:
    """The sum of costs."""
    return sum(costs, start=LayerCost())


def conv2d(
    in_chans: Number, out_chans: Number, *, kernel: Number, positions: Number, groups: Number = 1, bias: bool = True
) -> LayerCost:
    """A square convolution that writes `positions` places."""
    weights = out_chans * (in_chans // groups) * kernel * kernel
    return LayerCost(
        params=weights + int(bias) * out_chans,
        conv=weights * positions,
        conv_bias=int(bias) * out_chans * positions,
    )


def linear(in_features: Number, out_features: Number, *, tokens: Number, bias: bool = True) -> LayerCost:
    """A linear layer over `tokens` rows."""
    weights = in_features * out_features
    return LayerCost(params=weights + int(bias) * out_features, linear=weights * tokens)


def layer_norm(channels: Number, *, tokens: Number) -> LayerCost:
    """An affine LayerNorm over `channels`."""
    return LayerCost(params=2 * channels, layer_norm=LAYER_NORM_PER_ELEMENT * channels * tokens)


def batch_norm(channels: Number, *, positions: Number) -> LayerCost:
    """An affine BatchNorm in evaluation mode (running statistics are buffers, not parameters)."""
    return LayerCost(params=2 * channels, batch_norm=2 * channels * positions)


def relu(channels: Number, *, positions: Number) -> LayerCost:
    """A ReLU, of one operation per element where a source counts it."""
    return LayerCost(relu=channels * positions)


def conv_norm(in_chans: Number, out_chans: Number, *, kernel: int, grid: Grid, groups: int = 1) -> LayerCost:
    """A convolution without bias that writes `grid`, and its BatchNorm."""
    conv = conv2d(in_chans, out_chans, kernel=kernel, positions=grid.tokens, groups=groups, bias=False)
    return conv + batch_norm(out_chans, positions=grid.tokens)


def conv_norm_relu(in_chans: Number, out_chans: Number, *, kernel: int, grid: Grid, groups: int = 1) -> LayerCost:
    """The same with a ReLU after it."""
    return conv_norm(in_chans, out_chans, kernel=kernel, grid=grid, groups=groups) + relu(
        out_chans, positions=grid.tokens
    )
