"""Layers of a training step as tapes: what each keeps in the forward pass, and what it needs in the backward pass.

A backward span finds the gradient of what its layer wrote and leaves the gradient of what it read, releases what the
layer kept, and leaves the gradients of parameters for good. Under autocast a layer copies what is not of its type:
parameters, and what it reads.
"""

from __future__ import annotations

from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.spans import Span, Tape, allocate, passing, release, sequence
from pvtsearch.geometry import Number


def copied(elements: Number, width: Number, setting: MemorySetting) -> Number:
    """Bytes of the copy that a layer makes of what it reads, `width` bytes an element, where that is not its type."""
    return (width != setting.product_bytes) * 1 * setting.batch_bytes(elements, setting.product_bytes)


def recast(elements: Number, width: Number, setting: MemorySetting) -> Span:
    """The gradient of such a copy becomes that of what was copied."""
    copy = copied(elements, width, setting)
    casts = (width != setting.product_bytes) * 1
    widened: Span = casts * allocate(setting.batch_bytes(elements, width))
    return widened + release(copy)


def parameters(weights: Number, biases: Number, *, setting: MemorySetting, reordered: Number = 0) -> Tape:
    """What autocast does to a layer's parameters: copies, and in the end gradients in their own type.

    The layer's backward pass releases the copy of the weights; that of the biases goes with autocast. reordered:
    weights whose gradient is copied to another order.
    """
    copies = setting.casts * setting.product_bytes

    def gradient(count: Number) -> Span:
        return setting.casts * allocate(setting.element_bytes * count) + release(copies * count)

    backward = gradient(weights) + passing(setting.element_bytes * reordered) + gradient(biases)
    return Tape(allocate(copies * (weights + biases)), backward, turn=copies * biases)


def product(
    read: Number,
    write: Number,
    *,
    weights: Number,
    biases: Number,
    width: Number,
    setting: MemorySetting,
    released: Number,
) -> Tape:
    """A linear layer or convolution, but for `parameters`. read, write: elements per image.

    width: bytes of an element that it reads. released: bytes that its backward pass is the last to hold, with the copy
    of what it reads where it makes one.
    """
    copy, size = copied(read, width, setting), setting.product_bytes
    kept = copy + setting.casts * size * weights
    return Tape(
        allocate(copy + setting.batch_bytes(write, size)),
        sequence(
            (
                allocate(setting.batch_bytes(read, size) + size * (weights + biases)),
                release(released + kept),
                recast(read, width, setting),
            )
        ),
    )


def linear(
    read: Number,
    write: Number,
    *,
    tokens: Number,
    width: Number,
    setting: MemorySetting,
    released: Number,
    bias: bool = True,
) -> Tape:
    """A linear layer. width, released: as for `product`."""
    weights, biases = read * write, int(bias) * write
    return parameters(weights, biases, setting=setting) + product(
        tokens * read,
        tokens * write,
        weights=weights,
        biases=biases,
        width=width,
        setting=setting,
        released=released,
    )


def layer_norm(channels: Number, *, tokens: Number, width: int, setting: MemorySetting, released: Number) -> Tape:
    """A LayerNorm of tokens of `width` bytes an element.

    released: its gradient and its input, where nothing later in the backward pass holds them.
    """
    size = setting.batch_bytes(tokens * channels, width)
    kept = setting.batch_bytes(2 * tokens, setting.statistic_bytes)  # mean and deviation
    return Tape(
        allocate(size + kept),
        allocate(size + setting.element_bytes * 2 * channels) + release(kept + released),
    )


def convolution(
    in_chans: Number,
    out_chans: Number,
    *,
    kernel: Number,
    read: Number,
    write: Number,
    width: int,
    setting: MemorySetting,
    released: Number,
    joins: Number = 0,
) -> Tape:
    """A convolution over a channels-last map. read, write: elements of its maps; width, released: as for `product`.

    joins: bytes of another gradient of what it reads, which that of its own joins.
    The gradient of its weights comes channels last too, and is copied to the order of the weights; with one channel or
    a kernel of 1 the two are the same.
    """
    weights = in_chans * out_chans * kernel * kernel
    reordered = ((in_chans > 1) & (kernel > 1)) * weights
    conv = product(read, write, weights=weights, biases=out_chans, width=width, setting=setting, released=released)
    return parameters(weights, out_chans, setting=setting, reordered=reordered) + joining(joins) + conv


def joining(nbytes: Number) -> Tape:
    """A gradient that is added to another of the same tensor, of so many bytes: both go, their sum stays."""
    return Tape(Span(), passing(nbytes) + release(nbytes))


def first_convolution(
    read: Number, write: Number, *, weights: Number, biases: Number, setting: MemorySetting, released: Number
) -> Tape:
    """The convolution of the images, for whose gradient nobody asks. Arguments as for `product`."""
    copy, inner = copied(read, setting.element_bytes, setting), setting.product_bytes
    return parameters(weights, biases, setting=setting) + Tape(
        allocate(copy + setting.batch_bytes(write, inner)),
        allocate(inner * (weights + biases)) + release(released + copy + setting.casts * inner * weights),
    )
