"""DETR (arXiv 2005.12872) on any backbone, its transformer by Hugging Face.

From images to raw outputs: no padding masks, no matching of queries to objects. Modules are called as in transformers'
`DetrForObjectDetection`. Shapes: B images, H x W the last map, Q queries, C width.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from pvtsearch.config import AttentionKernel
from pvtsearch.errors import InputError
from pvtsearch.heads import DETRHead

IMPLEMENTATIONS: dict[AttentionKernel, Literal["sdpa", "eager"]] = {"fused": "sdpa", "explicit": "eager"}


class DETR(nn.Module):
    """Class scores and a box for every query."""

    def __init__(
        self,
        backbone: nn.Module,
        *,
        input_projection: nn.Module,
        position_embedding: nn.Module,
        encoder: nn.Module,
        query_position_embeddings: nn.Embedding,
        decoder: nn.Module,
        class_labels_classifier: nn.Module,
        bbox_predictor: nn.Module,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.input_projection = input_projection
        self.position_embedding = position_embedding
        self.encoder = encoder
        self.query_position_embeddings = query_position_embeddings
        self.decoder = decoder
        self.class_labels_classifier = class_labels_classifier
        self.bbox_predictor = bbox_predictor

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """B in_chans h w -> logits, B Q classes+1, and boxes, B Q 4: center, width, height, as shares of the image."""
        features = self.input_projection(self.backbone(images)[-1])  # B C H W
        where = self.position_embedding(shape=features.shape, device=features.device, dtype=features.dtype)
        where = where.flatten(2).transpose(1, 2)  # B HW C
        tokens = features.flatten(2).transpose(1, 2)  # B HW C
        encoded = self.encoder(inputs_embeds=tokens, spatial_position_embeddings=where).last_hidden_state
        queries = self.query_position_embeddings.weight.expand(len(images), -1, -1)  # B Q C
        decoded = self.decoder(
            inputs_embeds=torch.zeros_like(queries),
            encoder_hidden_states=encoded,
            spatial_position_embeddings=where,
            object_queries_position_embeddings=queries,
        ).last_hidden_state
        return {"logits": self.class_labels_classifier(decoded), "boxes": self.bbox_predictor(decoded).sigmoid()}


def build_detr(backbone: nn.Module, in_chans: int, head: DETRHead, *, attention: AttentionKernel) -> DETR:
    """DETR on a backbone whose last map has `in_chans` channels, with fresh weights; nothing is downloaded.

    Raises `InputError` without the extra `hf`.
    """
    try:
        from transformers import DetrConfig
        from transformers.models.detr import modeling_detr as hf
    except ImportError as error:
        raise InputError(
            "task detr is built from transformers: install the extra, pip install 'pvtsearch[hf]'"
        ) from error
    config = DetrConfig(
        d_model=head.width,
        encoder_attention_heads=head.num_heads,
        decoder_attention_heads=head.num_heads,
        encoder_ffn_dim=head.mlp_width,
        decoder_ffn_dim=head.mlp_width,
        encoder_layers=head.encoder_depth,
        decoder_layers=head.decoder_depth,
        attn_implementation=IMPLEMENTATIONS[attention],  # type: ignore[call-arg]  # any configuration takes it
    )
    return DETR(
        backbone,
        input_projection=nn.Conv2d(in_chans, head.width, 1),
        position_embedding=hf.DetrSinePositionEmbedding(head.width // 2, normalize=True),
        encoder=hf.DetrEncoder(config),
        query_position_embeddings=nn.Embedding(head.num_queries, head.width),
        decoder=hf.DetrDecoder(config),
        class_labels_classifier=nn.Linear(head.width, head.num_classes + 1),
        bbox_predictor=hf.DetrMLPPredictionHead(head.width, head.width, 4, 3),  # type: ignore[no-untyped-call]
    )
