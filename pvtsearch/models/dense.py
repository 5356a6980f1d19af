"""RetinaNet, Mask R-CNN (necks and heads by torchvision), Semantic FPN and DETR on any backbone of four maps.

From images, and for Mask R-CNN region features, to raw outputs: resizing, anchors, NMS and the sampling of region
features are left out. Where torchvision's parts differ from the official PVT configurations (mmdetection), the latter
hold: P6 of RetinaNet always comes from C5, without ReLU before P7; the box head has no box for the background, the
mask head no mask. Shapes: B images, C channels, H x W a map, R regions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import zip_longest
from typing import TypeAlias, assert_never

from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.retinanet import RetinaNetHead as RetinaNetTowers
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import Conv2dNormActivation, FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import ExtraFPNBlock, LastLevelMaxPool

from pvtsearch.config import AttentionKernel
from pvtsearch.heads import DenseHead, DETRHead, MaskRCNNHead, RetinaNetHead, SemanticFPNHead
from pvtsearch.models.detr import DETR, build_detr

SEGMENTATION_DROPOUT = 0.1  # before the classifier of Semantic FPN, as in mmsegmentation


class ConvsOnInput(ExtraFPNBlock):  # type: ignore[misc]  # torchvision is untyped
    """P6 from C5 and P7 from P6; torchvision's own block takes P5 where C5 happens to be as wide as the pyramid."""

    def __init__(self, in_chans: int, out_chans: int) -> None:
        super().__init__()
        self.p6 = nn.Conv2d(in_chans, out_chans, 3, stride=2, padding=1)
        self.p7 = nn.Conv2d(out_chans, out_chans, 3, stride=2, padding=1)
        for layer in (self.p6, self.p7):
            nn.init.kaiming_uniform_(layer.weight, a=1)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, p: list[Tensor], c: list[Tensor], names: list[str]) -> tuple[list[Tensor], list[str]]:
        """P3 to P5 and C3 to C5 -> P3 to P7."""
        p6 = self.p6(c[-1])
        return [*p, p6, self.p7(p6)], [*names, "p6", "p7"]


def _pyramid(neck: nn.Module, maps: Sequence[Tensor]) -> list[Tensor]:
    named = OrderedDict((str(index), each) for index, each in enumerate(maps))
    return list(neck(named).values())


class RetinaNet(nn.Module):
    """Scores and boxes of every anchor of P3 to P7."""

    def __init__(self, backbone: nn.Module, channels: Sequence[int], head: RetinaNetHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = FeaturePyramidNetwork(
            list(channels[1:]), head.channels, extra_blocks=ConvsOnInput(channels[-1], head.channels)
        )
        self.head = RetinaNetTowers(head.channels, head.num_anchors, head.num_classes)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """B in_chans h w -> cls_logits, B anchors num_classes, and bbox_regression, B anchors 4."""
        outputs: dict[str, Tensor] = self.head(_pyramid(self.neck, self.backbone(images)[1:]))
        return outputs


class MaskRCNN(nn.Module):
    """Proposals of P2 to P6, and scores, boxes and masks of given region features."""

    def __init__(self, backbone: nn.Module, channels: Sequence[int], head: MaskRCNNHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = FeaturePyramidNetwork(list(channels), head.channels, extra_blocks=LastLevelMaxPool())
        self.rpn = RPNHead(head.channels, head.num_anchors)
        self.box_head = TwoMLPHead(head.channels * head.box_side**2, head.box_width)
        self.box_predictor = FastRCNNPredictor(head.box_width, head.num_classes + 1)
        self.box_predictor.bbox_pred = nn.Linear(head.box_width, head.num_classes * 4)
        self.mask_head = MaskRCNNHeads(head.channels, [head.channels] * head.mask_depth, dilation=1)
        self.mask_predictor = MaskRCNNPredictor(head.channels, head.channels, head.num_classes)

    def forward(self, images: Tensor, box_features: Tensor, mask_features: Tensor) -> dict[str, list[Tensor] | Tensor]:
        """Images B in_chans h w; region features R C side side, for boxes and for masks.

        -> objectness and rpn_boxes, one B anchors H W and one B 4*anchors H W per level; scores R classes+1; boxes
        R 4*classes; masks R classes 2*side 2*side.
        """
        objectness, rpn_boxes = self.rpn(_pyramid(self.neck, self.backbone(images)))
        scores, boxes = self.box_predictor(self.box_head(box_features))
        masks = self.mask_predictor(self.mask_head(mask_features))
        return {"objectness": objectness, "rpn_boxes": rpn_boxes, "scores": scores, "boxes": boxes, "masks": masks}


class ScaleHead(nn.Module):
    """One level of Semantic FPN on its way to the finest grid: convolve, go one grid finer, and so on."""

    def __init__(self, in_chans: int, out_chans: int, *, convs: int) -> None:
        super().__init__()
        widths = [in_chans, *[out_chans] * (convs - 1)]
        self.convs = nn.ModuleList(Conv2dNormActivation(width, out_chans, 3) for width in widths)

    def forward(self, features: Tensor, finer: Sequence[Tensor]) -> Tensor:
        """B C H W and the finer maps, from the next one on -> a map on the last one's grid."""
        for conv, target in zip_longest(self.convs, finer):  # the finest map has a convolution and nowhere to go
            features = conv(features)
            if target is not None:
                features = F.interpolate(features, size=target.shape[-2:], mode="bilinear", align_corners=False)
        return features


class SemanticFPN(nn.Module):
    """Class scores on the grid of the first map.

    mmsegmentation doubles a map where this takes it to the next finer grid: the same where the input divides by 32.
    """

    def __init__(self, backbone: nn.Module, channels: Sequence[int], head: SemanticFPNHead) -> None:
        super().__init__()
        self.backbone = backbone
        self.neck = FeaturePyramidNetwork(list(channels), head.channels)
        self.scale_heads = nn.ModuleList(
            ScaleHead(head.channels, head.head_channels, convs=max(1, level)) for level in range(len(channels))
        )
        self.dropout = nn.Dropout2d(SEGMENTATION_DROPOUT)
        self.classifier = nn.Conv2d(head.head_channels, head.num_classes, 1)
        nn.init.normal_(self.classifier.weight, std=0.01)
        if self.classifier.bias is not None:
            nn.init.zeros_(self.classifier.bias)

    def forward(self, images: Tensor) -> Tensor:
        """B in_chans h w -> B num_classes H W."""
        levels = _pyramid(self.neck, self.backbone(images))
        merged: Tensor = self.scale_heads[0](levels[0], [])
        for index in range(1, len(levels)):
            merged = merged + self.scale_heads[index](levels[index], levels[index - 1 :: -1])
        scores: Tensor = self.classifier(self.dropout(merged))
        return scores


Dense: TypeAlias = RetinaNet | MaskRCNN | SemanticFPN | DETR


def build_dense(
    backbone: nn.Module, channels: Sequence[int], head: DenseHead, *, attention: AttentionKernel = "fused"
) -> Dense:
    """Neck and heads on a backbone that gives four maps of these channels.

    attention: of DETR's transformer. Raises `InputError` where DETR lacks the extra that it is built from.
    """
    match head:
        case RetinaNetHead():
            return RetinaNet(backbone, channels, head)
        case MaskRCNNHead():
            return MaskRCNN(backbone, channels, head)
        case SemanticFPNHead():
            return SemanticFPN(backbone, channels, head)
        case DETRHead():
            return build_detr(backbone, channels[-1], head, attention=attention)
        case _:
            assert_never(head)
