"""Necks and heads of the dense tasks in closed form, for ONE image.

They are sums over the four maps C2 to C5, and a map's part depends on that map's channels and grid alone: so a search
can add it to the stage that makes the map. What all levels share (weights, P6, P7, region heads) counts with C5.
Resizing, anchors, NMS and the sampling of region features are not counted. Formulas take ints or numpy arrays.
ReLUs and upsampling are noted where mmdetection and mmsegmentation have modules for them, as the papers count them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from pvtsearch.analysis.layers import LayerCost, conv2d, conv_norm_relu, layer_norm, linear, relu, total
from pvtsearch.config import DENSE_STAGES
from pvtsearch.geometry import Grid, Number, halved
from pvtsearch.heads import DenseHead, DETRHead, MaskRCNNHead, RetinaNetHead, SemanticFPNHead

LAST = DENSE_STAGES - 1


def head_cost_of_levels(head: DenseHead, channels: Sequence[Number], grids: Sequence[Grid]) -> LayerCost:
    """Neck and heads on four maps of these channels and grids."""
    return total(level_cost(head, index, channels[index], grids[index]) for index in range(DENSE_STAGES))


def level_cost(head: DenseHead, index: int, channels: Number, grid: Grid) -> LayerCost:
    """The part of neck and heads that belongs to map `index`, counted from 0."""
    match head:
        case RetinaNetHead():
            return retinanet_level(head, index, channels, grid)
        case MaskRCNNHead():
            return mask_rcnn_level(head, index, channels, grid)
        case SemanticFPNHead():
            return semantic_fpn_level(head, index, channels, grid)
        case DETRHead():
            return detr_level(head, index, channels, grid)
        case _:
            assert_never(head)


def pyramid_level(index: int, in_chans: Number, out_chans: int, *, grid: Grid) -> LayerCost:
    """FPN (arXiv 1612.03144): a lateral 1x1, the coarser level brought here by nearest neighbour, a 3x3."""
    lateral = conv2d(in_chans, out_chans, kernel=1, positions=grid.tokens)
    output = conv2d(out_chans, out_chans, kernel=3, positions=grid.tokens)
    if index == LAST:
        return lateral + output
    return lateral + LayerCost(upsample_nearest2d=out_chans * grid.tokens) + output


def retinanet_level(head: RetinaNetHead, index: int, channels: Number, grid: Grid) -> LayerCost:
    """C2 is not used; C5 carries P6 and P7."""
    if index == 0:
        return LayerCost()
    level = pyramid_level(index, channels, head.channels, grid=grid)
    if index < LAST:
        return level + _again(retinanet_head(head, positions=grid.tokens))
    p6 = halved(grid)
    p7 = halved(p6)
    return (
        level
        + conv2d(channels, head.channels, kernel=3, positions=p6.tokens)
        + conv2d(head.channels, head.channels, kernel=3, positions=p7.tokens)
        + retinanet_head(head, positions=grid.tokens + p6.tokens + p7.tokens)
    )


def retinanet_head(head: RetinaNetHead, *, positions: Number) -> LayerCost:
    """Two towers of 3x3 convolutions, one to scores, one to boxes."""
    width = head.channels
    layer = conv2d(width, width, kernel=3, positions=positions) + relu(width, positions=positions)
    tower: LayerCost = head.tower_depth * layer
    scores = conv2d(width, head.num_anchors * head.num_classes, kernel=3, positions=positions)
    boxes = conv2d(width, head.num_anchors * 4, kernel=3, positions=positions)
    return 2 * tower + scores + boxes


def mask_rcnn_level(head: MaskRCNNHead, index: int, channels: Number, grid: Grid) -> LayerCost:
    """C5 carries P6, which only proposes regions, and the heads on the regions of the whole image."""
    level = pyramid_level(index, channels, head.channels, grid=grid)
    if index < LAST:
        return level + _again(region_proposals(head, positions=grid.tokens))
    positions = grid.tokens + halved(grid).tokens
    return level + region_proposals(head, positions=positions) + box_head(head) + mask_head(head)


def region_proposals(head: MaskRCNNHead, *, positions: Number) -> LayerCost:
    """A 3x3 convolution, then 1x1 ones to objectness and boxes. Its ReLU is a function call, unseen by the papers."""
    hidden = conv2d(head.channels, head.channels, kernel=3, positions=positions)
    objectness = conv2d(head.channels, head.num_anchors, kernel=1, positions=positions)
    return hidden + objectness + conv2d(head.channels, head.num_anchors * 4, kernel=1, positions=positions)


def box_head(head: MaskRCNNHead) -> LayerCost:
    """Two linear layers, then scores of classes and background, and a box per class."""
    regions = head.proposals
    return (
        linear(head.channels * head.box_side * head.box_side, head.box_width, tokens=regions)
        + linear(head.box_width, head.box_width, tokens=regions)
        + 2 * relu(head.box_width, positions=regions)
        + linear(head.box_width, head.num_classes + 1, tokens=regions)
        + linear(head.box_width, head.num_classes * 4, tokens=regions)
    )


def mask_head(head: MaskRCNNHead) -> LayerCost:
    """3x3 convolutions, a transposed 2x2 one that doubles the side, and a mask per class."""
    positions = head.detections * head.mask_side * head.mask_side
    width = head.channels
    tower: LayerCost = head.mask_depth * (
        conv2d(width, width, kernel=3, positions=positions) + relu(width, positions=positions)
    )
    # A transposed convolution uses every weight once per place that it reads, and its bias once per place it writes.
    doubled = replace(conv2d(width, width, kernel=2, positions=positions), conv_bias=4 * width * positions)
    doubled += relu(width, positions=4 * positions)
    return tower + doubled + conv2d(width, head.num_classes, kernel=1, positions=4 * positions)


def semantic_fpn_level(head: SemanticFPNHead, index: int, channels: Number, grid: Grid) -> LayerCost:
    """What happens on the grid of map `index`: this level's first convolution, and what coarser levels do on their way.

    A level goes down one grid at a time, a convolution on each but the last, where levels are added. C2 has one too.
    """
    width, coarser = head.head_channels, LAST - index
    cost = pyramid_level(index, channels, head.channels, grid=grid)
    cost += conv_norm_relu(head.channels, width, kernel=3, grid=grid)
    written = coarser * width * grid.tokens
    cost += LayerCost(upsample_bilinear2d=4 * written, upsample=written)
    if index == 0:
        return cost + conv2d(width, head.num_classes, kernel=1, positions=grid.tokens)
    passing: LayerCost = coarser * conv_norm_relu(width, width, kernel=3, grid=grid)
    return cost + passing


def detr_level(head: DETRHead, index: int, channels: Number, grid: Grid) -> LayerCost:
    """All of DETR (arXiv 2005.12872, section 3.2 and appendix A.4) belongs to C5, the only map it reads."""
    if index < LAST:
        return LayerCost()
    tokens, queries, width = grid.tokens, head.num_queries, head.width
    encoder: LayerCost = head.encoder_depth * (
        full_attention(width, queries=tokens, keys=tokens)
        + feed_forward(width, head.mlp_width, tokens=tokens)
        + 2 * layer_norm(width, tokens=tokens)
    )
    decoder: LayerCost = head.decoder_depth * (
        full_attention(width, queries=queries, keys=queries)
        + full_attention(width, queries=queries, keys=tokens)
        + feed_forward(width, head.mlp_width, tokens=queries)
        + 3 * layer_norm(width, tokens=queries)
    )
    return (
        conv2d(channels, width, kernel=1, positions=tokens)
        + encoder
        + LayerCost(params=queries * width)  # what is learned of each query
        + decoder
        + layer_norm(width, tokens=queries)
        + linear(width, head.num_classes + 1, tokens=queries)
        + 2 * linear(width, width, tokens=queries)
        + linear(width, 4, tokens=queries)
    )


def full_attention(width: int, *, queries: Number, keys: Number) -> LayerCost:
    """Attention with a linear layer each for queries, keys, values and output."""
    own, others = linear(width, width, tokens=queries), linear(width, width, tokens=keys)
    return 2 * own + 2 * others + LayerCost(matmul=2 * queries * keys * width)


def feed_forward(width: int, mlp_width: int, *, tokens: Number) -> LayerCost:
    """Two linear layers."""
    return linear(width, mlp_width, tokens=tokens) + linear(mlp_width, width, tokens=tokens)


def _again(cost: LayerCost) -> LayerCost:
    """The same weights on a further level."""
    return replace(cost, params=0)
