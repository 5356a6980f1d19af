"""Necks and heads of the dense tasks as plain data, with the sizes of the official PVT configurations.

RetinaNet (arXiv 1708.02002) and Mask R-CNN (arXiv 1703.06870) on COCO as mmdetection builds them, Semantic FPN
(arXiv 1901.02446) on ADE20K as mmsegmentation builds it, DETR (arXiv 2005.12872) on COCO as its authors build it.
`num_classes` here is the task's own: a network
configuration's belongs to classification.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from pvtsearch.config import DenseTask, Task, is_dense


@dataclass(frozen=True)
class RetinaNetHead:
    """FPN on C3 to C5, P6 and P7 by strided convolutions on C5; one head, shared by all levels, without norms."""

    channels: int = 256
    num_anchors: int = 9
    num_classes: int = 80
    tower_depth: ClassVar = 4  # torchvision has no other


@dataclass(frozen=True)
class MaskRCNNHead:
    """FPN on C2 to C5, P6 by subsampling P5; a region proposal network, a box head and a mask head.

    proposals, detections: regions that reach the box head and the mask head. box_side, mask_side: of their features.
    """

    channels: int = 256
    num_anchors: int = 3
    num_classes: int = 80
    proposals: int = 1000
    box_side: int = 7
    box_width: int = 1024
    detections: int = 100
    mask_side: int = 14
    mask_depth: int = 4

    @property
    def region_shapes(self) -> tuple[tuple[int, int, int, int], ...]:
        """Shapes of the region features of one image: for the box head, then for the mask head."""
        return (
            (self.proposals, self.channels, self.box_side, self.box_side),
            (self.detections, self.channels, self.mask_side, self.mask_side),
        )


@dataclass(frozen=True)
class SemanticFPNHead:
    """FPN on C2 to C5; every level is brought to C2's grid by 3x3 convolutions with BatchNorm, and they are added."""

    channels: int = 256
    head_channels: int = 128
    num_classes: int = 150


@dataclass(frozen=True)
class DETRHead:
    """A 1x1 convolution of C5 to `width` channels, a transformer of encoder and decoder, heads on every query.

    num_queries: the boxes that an image can have. num_classes: COCO's ids, with the gaps between them; background
    comes on top.
    """

    width: int = 256
    num_heads: int = 8
    mlp_width: int = 2048
    encoder_depth: int = 6
    decoder_depth: int = 6
    num_queries: int = 100
    num_classes: int = 91


DenseHead: TypeAlias = RetinaNetHead | MaskRCNNHead | SemanticFPNHead | DETRHead

DENSE_HEADS: dict[DenseTask, DenseHead] = {
    "retinanet": RetinaNetHead(),
    "mask_rcnn": MaskRCNNHead(),
    "semantic_fpn": SemanticFPNHead(),
    "detr": DETRHead(),
}


def region_shapes(task: Task) -> tuple[tuple[int, ...], ...]:
    """Shapes of what a task's network takes besides an image: the region features of Mask R-CNN, else nothing."""
    head = DENSE_HEADS[task] if is_dense(task) else None
    return head.region_shapes if isinstance(head, MaskRCNNHead) else ()
