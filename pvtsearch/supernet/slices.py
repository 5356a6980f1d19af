"""Which shared tensor a parameter of a network is a slice of, and which slice.

Weight entanglement (AutoFormer, arXiv 2107.00651, section 3.2): a narrower layer has the first rows and columns of the
widest. What has no order stays apart: kernels of different size, and position embeddings of different grids, are
tensors of their own. Keys and values, which are one layer, are each sliced in its own half.
"""

from __future__ import annotations

from typing import TypeAlias

from torch import Tensor

Shape: TypeAlias = tuple[int, ...]
Key: TypeAlias = tuple[str, Shape]  # name of the parameter, and the sizes of its axes that are no widths


def key_of(name: str, shape: Shape) -> Key:
    """The shared tensor that a parameter belongs to."""
    return name, tuple(size for axis, size in enumerate(shape) if axis not in width_axes(name, len(shape)))


def width_axes(name: str, axes: int) -> tuple[int, ...]:
    """The axes that channels are along: the last of an embedding (1, N, C), the first two of everything else."""
    if name.endswith(".embedding"):
        return (axes - 1,)
    return tuple(range(min(2, axes)))


def larger(one: Shape, other: Shape) -> Shape:
    """The shape that holds both."""
    return tuple(max(sizes) for sizes in zip(one, other, strict=True))


def slice_of(shared: Tensor, name: str, shape: Shape) -> Tensor:
    """The part of a shared tensor that a parameter of that name and shape is; gradients reach it."""
    if ".kv." in name:  # rows: the keys' channels, then the values'
        halves = shared.reshape(2, -1, *shared.shape[1:])
        return _first(halves, (2, shape[0] // 2, *shape[1:])).flatten(0, 1)
    return _first(shared, shape)


def _first(tensor: Tensor, shape: Shape) -> Tensor:
    return tensor[tuple(slice(size) for size in shape)]
