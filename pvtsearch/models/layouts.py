"""State-dict keys of the known implementations, as tables.

A layout pairs its keys with ours. `{stage}` is a stage, counted from the layout's `first_stage` in its keys and from
0 in ours; `{last}` is the last stage; `{block}` a block; `{part}` any path; `{leaf}` weight or bias. The first rule
that fits a key decides. Tables are read in both directions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

Rule: TypeAlias = tuple[str, str]
FIELDS = {"stage": r"\d+", "block": r"\d+", "part": r"[\w.]+", "leaf": r"weight|bias"}


@dataclass(frozen=True)
class Layout:
    """How an implementation names its parameters. markers: keys that only this layout has, all of them."""

    name: str
    markers: tuple[str, ...]
    rules: tuple[Rule, ...]
    first_stage: int = 0

    def is_layout_of(self, keys: Iterable[str]) -> bool:
        """Whether the keys are of this layout."""
        return set(self.markers) <= set(keys)

    def to_ours(self, key: str, *, stages: int) -> str | None:
        """Our name of a key of this layout in a network of so many stages, or None."""
        return _renamed(self.rules, key, last=stages - 1, shift=-self.first_stage)

    def from_ours(self, key: str, *, stages: int) -> str | None:
        """This layout's name of one of our keys, or None."""
        backward = tuple((ours, theirs) for theirs, ours in self.rules)
        return _renamed(backward, key, last=stages - 1, shift=self.first_stage)


@cache
def _pattern(template: str, last: int) -> re.Pattern[str]:
    text = re.escape(template.replace("{last}", str(last))).replace(r"\{", "{").replace(r"\}", "}")
    for name, expression in FIELDS.items():
        text = text.replace(f"{{{name}}}", f"(?P<{name}>{expression})")
    return re.compile(text)


def _renamed(rules: tuple[Rule, ...], key: str, *, last: int, shift: int) -> str | None:
    for source, target in rules:
        match = _pattern(source, last).fullmatch(key)
        if match:
            fields = match.groupdict()
            if "stage" in fields:
                fields["stage"] = str(int(fields["stage"]) + shift)
            return target.format(last=last, **fields)
    return None


OURS = Layout("pvtsearch", ("stages.0.patch_embed.proj.weight",), (("{part}", "{part}"),))

_OFFICIAL_COMMON = (
    ("patch_embed{stage}.{part}", "stages.{stage}.patch_embed.{part}"),
    ("block{stage}.{block}.attn.sr.{leaf}", "stages.{stage}.blocks.{block}.attn.reduce.conv.{leaf}"),
    ("block{stage}.{block}.attn.norm.{leaf}", "stages.{stage}.blocks.{block}.attn.reduce.norm.{leaf}"),
    ("block{stage}.{block}.mlp.dwconv.dwconv.{leaf}", "stages.{stage}.blocks.{block}.mlp.dwconv.{leaf}"),
    ("block{stage}.{block}.{part}", "stages.{stage}.blocks.{block}.{part}"),
    ("head.{leaf}", "head.{leaf}"),
)

OFFICIAL_V1 = Layout(
    "official PVT v1",
    ("patch_embed1.proj.weight", "pos_embed1"),
    (
        ("cls_token", "stages.{last}.class_token.embedding"),
        ("pos_embed{stage}", "stages.{stage}.position.embedding"),
        ("norm.{leaf}", "stages.{last}.norm.{leaf}"),
        *_OFFICIAL_COMMON,
    ),
    first_stage=1,
)

OFFICIAL_V2 = Layout(
    "official PVT v2",
    ("patch_embed1.proj.weight", "norm1.weight"),
    (("norm{stage}.{leaf}", "stages.{stage}.norm.{leaf}"), *_OFFICIAL_COMMON),
    first_stage=1,
)

TIMM_PVT_V2 = Layout(
    "timm pvt_v2",
    ("patch_embed.proj.weight", "stages.0.norm.weight"),
    (
        ("patch_embed.{part}", "stages.0.patch_embed.{part}"),
        ("stages.{stage}.downsample.{part}", "stages.{stage}.patch_embed.{part}"),
        ("stages.{stage}.blocks.{block}.attn.sr.{leaf}", "stages.{stage}.blocks.{block}.attn.reduce.conv.{leaf}"),
        ("stages.{stage}.blocks.{block}.attn.norm.{leaf}", "stages.{stage}.blocks.{block}.attn.reduce.norm.{leaf}"),
        ("{part}", "{part}"),
    ),
)

TIMM_VIT = Layout(
    "timm vision_transformer",
    ("patch_embed.proj.weight", "blocks.0.attn.qkv.weight"),
    (
        ("cls_token", "stages.0.class_token.embedding"),
        ("pos_embed", "stages.0.position.embedding"),
        ("head.{leaf}", "head.{leaf}"),
        ("{part}", "stages.0.{part}"),
    ),
)

HF_PVT = Layout(
    "Hugging Face Pvt",
    ("encoder.patch_embeddings.0.projection.weight",),
    (
        ("encoder.patch_embeddings.{stage}.position_embeddings", "stages.{stage}.position.embedding"),
        ("encoder.patch_embeddings.{stage}.cls_token", "stages.{stage}.class_token.embedding"),
        ("encoder.patch_embeddings.{stage}.projection.{leaf}", "stages.{stage}.patch_embed.proj.{leaf}"),
        ("encoder.patch_embeddings.{stage}.layer_norm.{leaf}", "stages.{stage}.patch_embed.norm.{leaf}"),
        ("encoder.block.{stage}.{block}.layer_norm_1.{leaf}", "stages.{stage}.blocks.{block}.norm1.{leaf}"),
        ("encoder.block.{stage}.{block}.layer_norm_2.{leaf}", "stages.{stage}.blocks.{block}.norm2.{leaf}"),
        ("encoder.block.{stage}.{block}.attention.self.query.{leaf}", "stages.{stage}.blocks.{block}.attn.q.{leaf}"),
        ("encoder.block.{stage}.{block}.attention.self.key.{leaf}", "stages.{stage}.blocks.{block}.attn.key.{leaf}"),
        (
            "encoder.block.{stage}.{block}.attention.self.value.{leaf}",
            "stages.{stage}.blocks.{block}.attn.value.{leaf}",
        ),
        (
            "encoder.block.{stage}.{block}.attention.self.sequence_reduction.{leaf}",
            "stages.{stage}.blocks.{block}.attn.reduce.conv.{leaf}",
        ),
        (
            "encoder.block.{stage}.{block}.attention.self.layer_norm.{leaf}",
            "stages.{stage}.blocks.{block}.attn.reduce.norm.{leaf}",
        ),
        (
            "encoder.block.{stage}.{block}.attention.output.dense.{leaf}",
            "stages.{stage}.blocks.{block}.attn.proj.{leaf}",
        ),
        ("encoder.block.{stage}.{block}.mlp.dense1.{leaf}", "stages.{stage}.blocks.{block}.mlp.fc1.{leaf}"),
        ("encoder.block.{stage}.{block}.mlp.dense2.{leaf}", "stages.{stage}.blocks.{block}.mlp.fc2.{leaf}"),
        ("encoder.layer_norm.{leaf}", "stages.{last}.norm.{leaf}"),
        ("classifier.{leaf}", "head.{leaf}"),
    ),
)

HF_PVT_V2 = Layout(
    "Hugging Face PvtV2",
    ("encoder.layers.0.patch_embedding.proj.weight",),
    (
        ("encoder.layers.{stage}.patch_embedding.proj.{leaf}", "stages.{stage}.patch_embed.proj.{leaf}"),
        ("encoder.layers.{stage}.patch_embedding.layer_norm.{leaf}", "stages.{stage}.patch_embed.norm.{leaf}"),
        ("encoder.layers.{stage}.layer_norm.{leaf}", "stages.{stage}.norm.{leaf}"),
        ("encoder.layers.{stage}.blocks.{block}.layer_norm_1.{leaf}", "stages.{stage}.blocks.{block}.norm1.{leaf}"),
        ("encoder.layers.{stage}.blocks.{block}.layer_norm_2.{leaf}", "stages.{stage}.blocks.{block}.norm2.{leaf}"),
        ("encoder.layers.{stage}.blocks.{block}.attention.query.{leaf}", "stages.{stage}.blocks.{block}.attn.q.{leaf}"),
        ("encoder.layers.{stage}.blocks.{block}.attention.key.{leaf}", "stages.{stage}.blocks.{block}.attn.key.{leaf}"),
        (
            "encoder.layers.{stage}.blocks.{block}.attention.value.{leaf}",
            "stages.{stage}.blocks.{block}.attn.value.{leaf}",
        ),
        (
            "encoder.layers.{stage}.blocks.{block}.attention.spatial_reduction.{leaf}",
            "stages.{stage}.blocks.{block}.attn.reduce.conv.{leaf}",
        ),
        (
            "encoder.layers.{stage}.blocks.{block}.attention.layer_norm.{leaf}",
            "stages.{stage}.blocks.{block}.attn.reduce.norm.{leaf}",
        ),
        (
            "encoder.layers.{stage}.blocks.{block}.attention.proj.{leaf}",
            "stages.{stage}.blocks.{block}.attn.proj.{leaf}",
        ),
        ("encoder.layers.{stage}.blocks.{block}.mlp.dense1.{leaf}", "stages.{stage}.blocks.{block}.mlp.fc1.{leaf}"),
        ("encoder.layers.{stage}.blocks.{block}.mlp.dense2.{leaf}", "stages.{stage}.blocks.{block}.mlp.fc2.{leaf}"),
        (
            "encoder.layers.{stage}.blocks.{block}.mlp.dwconv.dwconv.{leaf}",
            "stages.{stage}.blocks.{block}.mlp.dwconv.{leaf}",
        ),
        ("classifier.{leaf}", "head.{leaf}"),
    ),
)

TORCHVISION_RESNET = Layout("torchvision ResNet", ("layer1.0.conv1.weight",), (("{part}", "{part}"),))

LAYOUTS = (OURS, OFFICIAL_V1, OFFICIAL_V2, TIMM_PVT_V2, TIMM_VIT, HF_PVT, HF_PVT_V2, TORCHVISION_RESNET)
