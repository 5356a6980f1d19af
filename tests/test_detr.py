"""Laws of DETR: it is what Hugging Face's own is, on our backbones."""

from __future__ import annotations

import sys
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn
from transformers import DetrConfig, DetrForObjectDetection
from transformers import ResNetConfig as HFResNetConfig

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.counted import count_by_operator, count_macs_on_meta, count_params
from pvtsearch.cli import run
from pvtsearch.config import AttentionKernel, PVTConfig, ResNetConfig, StageConfig
from pvtsearch.errors import InputError
from pvtsearch.heads import DETRHead
from pvtsearch.models.baselines import build_backbone, build_model
from pvtsearch.models.detr import build_detr
from pvtsearch.presets import PRESETS

SMALL = PVTConfig(name="small", stages=tuple(StageConfig(2, 8, 1, 1, 2) for _ in range(4)), image_size=32)


class LastMap(nn.Module):
    """A backbone as Hugging Face's DETR calls one: the last map, and where the images are."""

    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone

    def forward(self, pixel_values: Tensor, pixel_mask: Tensor) -> list[tuple[Tensor, Tensor]]:
        features = self.backbone(pixel_values)[-1]
        return [(features, torch.ones(len(features), *features.shape[-2:], dtype=torch.bool))]


def hugging_face(head: DETRHead) -> DetrForObjectDetection:
    """Their network of these sizes, on their ResNet-50."""
    sizes: dict[str, Any] = {
        "d_model": head.width,
        "encoder_layers": head.encoder_depth,
        "decoder_layers": head.decoder_depth,
        "num_queries": head.num_queries,
        "num_labels": head.num_classes,
        "backbone_config": HFResNetConfig(out_features=["stage4"]),
    }
    return DetrForObjectDetection(DetrConfig(**sizes)).eval()


@pytest.mark.parametrize("attention", get_args(AttentionKernel))
def test_outputs_are_hugging_faces(attention: AttentionKernel) -> None:
    """The same backbone and weights give the same class scores and boxes, for maps that are not square."""
    torch.manual_seed(0)
    head = DETRHead(width=32, encoder_depth=2, decoder_depth=2, num_queries=7, num_classes=5)
    backbone = build_backbone(SMALL)
    ours, theirs = build_detr(backbone, 8, head, attention=attention).eval(), hugging_face(head)
    theirs.model.backbone = LastMap(backbone)
    theirs.model.input_projection = nn.Conv2d(8, 32, 1)
    outer = ("class_labels_classifier", "bbox_predictor")
    weights = {key if key.startswith(outer) else f"model.{key}": value for key, value in ours.state_dict().items()}
    weights = {key.replace("model.backbone.", "model.backbone.backbone."): value for key, value in weights.items()}
    theirs.load_state_dict(weights)
    images = torch.rand(2, 3, 48, 80)
    with torch.no_grad():
        mine, other = ours(images), theirs(images)
    assert mine["logits"].shape == (2, 7, 6)
    torch.testing.assert_close(mine["logits"], other.logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(mine["boxes"], other.pred_boxes, rtol=0, atol=1e-5)


def test_parameters_are_those_of_the_published_model() -> None:
    """DETR-R50 by Hugging Face has ours but the affine BatchNorms of the backbone, which it freezes into buffers.

    41.5 M; the paper's Table 1 prints 41 M.
    """
    with torch.device("meta"):
        theirs = hugging_face(DETRHead())
    config = PRESETS["resnet50"].config
    with torch.device("meta"):
        norms = [layer for layer in build_backbone(config).modules() if isinstance(layer, nn.BatchNorm2d)]
    frozen = sum(count_params(norm) for norm in norms)
    assert network_cost(config, (224, 224), "detr").total.params - frozen == count_params(theirs) == 41_524_768


def test_the_head_alone_is_counted_by_hand() -> None:
    """On one token: a formula a line, of one layer and one query, width 4."""
    head = DETRHead(width=4, num_heads=2, mlp_width=6, encoder_depth=1, decoder_depth=1, num_queries=1, num_classes=2)
    attention, feed_forward, norm = 4 * (4 * 4 + 4), 4 * 6 + 6 + 6 * 4 + 4, 2 * 4
    module = build_detr(nn.Identity(), 3, head, attention="explicit")
    layers = attention + feed_forward + 2 * norm + 2 * attention + feed_forward + 3 * norm + norm
    assert count_params(module) == 3 * 4 + 4 + 4 + layers + (4 * 3 + 3) + 2 * (4 * 4 + 4) + (4 * 4 + 4)


@pytest.mark.parametrize("config", [SMALL, ResNetConfig(name="r", block="basic", depths=(1, 1, 1, 1))], ids=str)
def test_closed_form_is_counted(config: PVTConfig | ResNetConfig) -> None:
    """Fused and explicit attention count alike on the meta device; fvcore sees the explicit one."""
    cost = network_cost(config, (48, 80), "detr").total
    for attention in get_args(AttentionKernel):
        with torch.device("meta"):
            module = build_model(config, task="detr", attention=attention)
        assert count_macs_on_meta(module, (48, 80), 3) == cost.macs
    module = build_model(config, task="detr", attention="explicit")
    assert count_by_operator(module, (48, 80), 3) == cost.by_operator()
    assert count_params(module) == cost.params


def test_only_building_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it building says so in one line, and the closed form answers."""
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match=r"^task detr is built from transformers: .*pvtsearch\[hf\]'$"):
        build_model(SMALL, task="detr")
    assert run(["profile", "pvt_small", "--task", "detr", "--image-size", "800x1280"]) == 0
    assert run(["verify", "pvt_small", "--task", "detr", "--image-size", "64"]) == 2
