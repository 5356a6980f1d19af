"""Weights of every known layout load by themselves, and the network then computes what their code computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from official_reference import official_v1, official_v2
from torch import Tensor, nn

from pvtsearch.config import PooledReduction, PVTConfig, ResNetConfig, SpatialReduction, StageConfig
from pvtsearch.errors import WeightsError
from pvtsearch.models.baselines import build_model, build_resnet
from pvtsearch.models.pvt import build_pvt
from pvtsearch.models.weights import load_weights, official_state_dict, read_checkpoint

HEADS = (1, 2, 5, 8)
TOLERANCE = 1e-5


def small(*, pooled: bool = False, **parts: Any) -> PVTConfig:
    """A v1 network of 4 small stages with odd depths."""
    widths, ratios, depths = (8, 16, 20, 32), (8, 4, 2, 1), (1, 2, 1, 1)
    stages = tuple(
        StageConfig(4 if i == 0 else 2, widths[i], depths[i], HEADS[i], 4, PooledReduction(7) if pooled else sr)
        for i, sr in enumerate(SpatialReduction(ratio) for ratio in ratios)
    )
    return replace(PVTConfig(stages=stages, num_classes=10, image_size=64, pool="mean"), **({"pool": "cls"} | parts))


V2 = {"patch_embed": "overlap", "norm_stages": "every", "position": "none", "mlp": "conv", "pool": "mean"}


def randomise(module: nn.Module) -> nn.Module:
    """Every parameter random, norms around 1, so that no bias or scale hides behind its initial value."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            centre = 1.0 if "norm" in name and name.endswith("weight") else 0.0
            parameter.copy_(centre + 0.1 * torch.randn_like(parameter))
    return module.eval()


def outputs(module: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        result = module(images)
    return getattr(result, "logits", result)


def largest_difference(one: Tensor, other: Tensor) -> float:
    return (one - other).abs().max().item()


@pytest.mark.parametrize("side", [(64, 64), (90, 70), (128, 128)], ids=str)
def test_official_v1_keys_give_official_outputs(side: tuple[int, int]) -> None:
    """Our outputs == the forward pass written from the official keys, at the learned size and others."""
    config = small()
    model = randomise(build_pvt(config))
    images = torch.randn(2, 3, *side)
    expected = official_v1(official_state_dict(model), images, heads=HEADS, image_size=64)
    assert largest_difference(outputs(model, images), expected) < TOLERANCE


@pytest.mark.parametrize("pooled", [False, True], ids=["spatial", "pooled"])
@pytest.mark.parametrize("side", [(64, 64), (90, 70)], ids=str)
def test_official_v2_keys_give_official_outputs(side: tuple[int, int], pooled: bool) -> None:
    """The same for v2 and its linear variant."""
    model = randomise(build_pvt(small(pooled=pooled, **V2)))
    images = torch.randn(2, 3, *side)
    expected = official_v2(official_state_dict(model), images, heads=HEADS, pooled=pooled)
    assert largest_difference(outputs(model, images), expected) < TOLERANCE


@pytest.mark.parametrize("parts", [{}, V2, V2 | {"pooled": True}], ids=["v1", "v2", "v2 linear"])
@pytest.mark.parametrize("wrapper", [None, "model", "state_dict"])
def test_saving_to_official_keys_and_loading_is_identity(parts: dict[str, Any], wrapper: str | None) -> None:
    """load(official(model)) == model, bare or wrapped."""
    config = small(**parts)
    model, other = randomise(build_pvt(config)), build_pvt(config)
    state: dict[str, Any] = official_state_dict(model)
    load_weights(other, {wrapper: state, "epoch": 3} if wrapper else state)
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in other.state_dict().items())


def test_official_keys_are_the_official_ones() -> None:
    """Spelling of the official names, one of each kind."""
    v1 = set(official_state_dict(build_pvt(small())))
    assert {
        "cls_token",
        "pos_embed4",
        "patch_embed1.norm.bias",
        "block2.1.attn.sr.weight",
        "block2.1.attn.norm.weight",
        "block4.0.mlp.fc2.bias",
        "norm.weight",
        "head.bias",
    } <= v1
    v2 = set(official_state_dict(build_pvt(small(**V2))))
    assert {"block1.0.mlp.dwconv.dwconv.weight", "norm4.weight", "block1.0.attn.kv.bias"} <= v2
    assert not {"norm.weight", "cls_token", "pos_embed1"} & v2


@pytest.mark.parametrize("name", ["pvt_v2_b0", "pvt_v2_b2_li"])
def test_timm_weights_give_timm_outputs(name: str, record_property: Any) -> None:
    """Weights of timm's pvt_v2, loaded as they are, give timm's outputs."""
    timm = pytest.importorskip("timm", reason="compares with timm's PVT v2")
    from pvtsearch.presets import PRESETS

    theirs = randomise(timm.create_model(name))
    config = PRESETS[name].config
    assert isinstance(config, PVTConfig)
    model = build_pvt(config).eval()
    load_weights(model, theirs.state_dict())
    images = torch.randn(1, 3, 70, 64)
    expected = outputs(theirs, images)
    difference = largest_difference(outputs(model, images), expected)
    record_property("max_difference", difference)
    assert difference < TOLERANCE * max(1.0, expected.abs().max().item())


def test_timm_reads_what_is_saved_to_official_keys() -> None:
    """The converter in timm from official keys accepts ours, strictly."""
    pytest.importorskip("timm", reason="uses timm's converter of official PVT v2 weights")
    from timm.models.pvt_v2 import PyramidVisionTransformerV2, checkpoint_filter_fn

    model = randomise(build_pvt(small(**V2)))
    theirs = PyramidVisionTransformerV2(
        num_classes=10,
        depths=(1, 2, 1, 1),
        embed_dims=(8, 16, 20, 32),
        num_heads=HEADS,
        mlp_ratios=(4, 4, 4, 4),
    ).eval()
    theirs.load_state_dict(checkpoint_filter_fn(official_state_dict(model), theirs))
    images = torch.randn(1, 3, 64, 64)
    assert largest_difference(outputs(model, images), outputs(theirs, images)) < TOLERANCE


def test_deit_is_the_one_stage_pyramid() -> None:
    """A one-stage pyramid with timm's DeiT weights gives timm's outputs."""
    timm = pytest.importorskip("timm", reason="compares with timm's VisionTransformer")
    theirs = randomise(timm.create_model("deit_tiny_patch16_224", img_size=64, num_classes=10, depth=2))
    stage = StageConfig(16, 192, 2, 3, 4)
    model = build_pvt(PVTConfig(stages=(stage,), patch_norm=False, image_size=64, num_classes=10)).eval()
    load_weights(model, theirs.state_dict())
    images = torch.randn(2, 3, 64, 64)
    assert largest_difference(outputs(model, images), outputs(theirs, images)) < TOLERANCE


def hf_pvt() -> nn.Module:
    transformers = pytest.importorskip("transformers", reason="compares with Hugging Face's Pvt")
    sizes = {
        "hidden_sizes": [8, 16, 20, 32],
        "depths": [1, 2, 1, 1],
        "num_attention_heads": list(HEADS),
        "mlp_ratios": [4, 4, 4, 4],
        "num_labels": 10,
    }
    return transformers.PvtForImageClassification(
        transformers.PvtConfig(image_size=64, sequence_reduction_ratios=[8, 4, 2, 1], **sizes)
    )


def hf_pvt_v2(*, pooled: bool) -> nn.Module:
    transformers = pytest.importorskip("transformers", reason="compares with Hugging Face's PvtV2")
    sizes = {
        "hidden_sizes": [8, 16, 20, 32],
        "depths": [1, 2, 1, 1],
        "num_attention_heads": list(HEADS),
        "mlp_ratios": [4, 4, 4, 4],
        "num_labels": 10,
    }
    return transformers.PvtV2ForImageClassification(
        transformers.PvtV2Config(image_size=64, sr_ratios=[8, 4, 2, 1], linear_attention=pooled, **sizes)
    )


HUGGING_FACE = {
    "Pvt": ({}, hf_pvt),
    "PvtV2": (V2, lambda: hf_pvt_v2(pooled=False)),
    "PvtV2 linear": (V2 | {"pooled": True}, lambda: hf_pvt_v2(pooled=True)),
}


@pytest.mark.parametrize("name", HUGGING_FACE)
def test_hugging_face_weights_give_their_outputs(name: str, record_property: Any) -> None:
    """With norm_eps=1e-6 our outputs are theirs; what the official, mixed eps changes is printed."""
    parts, build = HUGGING_FACE[name]
    theirs = randomise(build())
    images = torch.randn(2, 3, 64, 64)
    expected = outputs(theirs, images)
    differences = {}
    for norm_eps in (1e-6, None):
        model = build_pvt(replace(small(**parts), norm_eps=norm_eps)).eval()
        load_weights(model, theirs.state_dict())
        differences[norm_eps] = largest_difference(outputs(model, images), expected)
    print(f"{name}: norm_eps=1e-6 {differences[1e-6]:.1e}, default eps {differences[None]:.1e}")
    record_property("default_eps_difference", differences[None])
    assert differences[1e-6] < TOLERANCE


@pytest.mark.parametrize("name", HUGGING_FACE)
def test_hugging_face_without_classifier_loads_as_pooled_features(name: str) -> None:
    """The bare encoder, whose keys lack the prefix, fits a network of num_classes 0."""
    parts, build = HUGGING_FACE[name]
    wrapped = build().state_dict()
    bare = {key.split(".", 1)[1]: value for key, value in wrapped.items() if not key.startswith("classifier")}
    model = build_pvt(replace(small(**parts), num_classes=0))
    load_weights(model, bare)
    other = build_pvt(replace(small(**parts), num_classes=0))
    load_weights(other, wrapped)
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize("parts", [{}, V2], ids=["v1", "v2"])
def test_backbone_takes_classification_weights(parts: dict[str, Any]) -> None:
    """A backbone leaves out head, class token and final norm, and keeps the rest equal."""
    model, backbone = randomise(build_pvt(small(**parts))), build_pvt(small(**parts), task="backbone")
    load_weights(backbone, official_state_dict(model))
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in backbone.state_dict().items())


def test_resnet_weights_load_into_network_and_backbone() -> None:
    """Keys of torchvision are ours; a backbone leaves out the classifier."""
    config = ResNetConfig(name="r", block="basic", depths=(1, 1, 1, 1), num_classes=5)
    model, other, backbone = build_resnet(config), build_resnet(config), build_model(config, task="backbone")
    load_weights(other, model.state_dict())
    load_weights(backbone, model.state_dict())
    assert torch.equal(backbone.state_dict()["layer4.0.conv2.weight"], model.state_dict()["layer4.0.conv2.weight"])


def spoiled(change: str) -> dict[str, Tensor]:
    state = dict(official_state_dict(build_pvt(small())))
    match change:
        case "missing":
            del state["block2.1.attn.kv.bias"]
        case "unexpected":
            state["block9.0.norm1.weight"] = torch.zeros(8)
        case "shape":
            state["pos_embed4"] = torch.zeros(1, 50, 32)
        case "head":
            state["head.weight"] = torch.zeros(20, 32)
    return state


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("missing", "1 missing: block2.1.attn.kv.bias"),
        ("unexpected", "1 unexpected: block9.0.norm1.weight"),
        ("shape", r"1 of another shape: pos_embed4 \(expected \(1, 5, 32\), got \(1, 50, 32\)\)"),
        ("head", r"1 of another shape: head.weight \(expected \(10, 32\), got \(20, 32\)\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused_in_one_line(change: str, text: str) -> None:
    """The error names layout, kind and key in the layout's own words; the model is as it was."""
    model = randomise(build_pvt(small()))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(WeightsError, match=f"official PVT v1 do not fit: {text}") as caught:
        load_weights(model, spoiled(change))
    assert "\n" not in str(caught.value)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_unknown_layouts_are_refused() -> None:
    """Keys of no known layout, no tensors at all, and nothing, are each said in one line."""
    model = build_pvt(small())
    with pytest.raises(WeightsError, match=r"no known layout.*got keys foo"):
        load_weights(model, {"foo": torch.zeros(1)})
    with pytest.raises(WeightsError, match="names to dense, real tensors, got foo"):
        load_weights(model, {"foo": 3})
    with pytest.raises(WeightsError, match="got nothing"):
        load_weights(model, {})


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (small(**(V2 | {"mlp": "plain"})), "needs mlp: conv"),
        (replace(small(), stages=small().stages[1:]), "needs four stages"),
        (small(norm_eps=1e-6), "eps 1e-05"),
    ],
    ids=["mix", "three stages", "eps"],
)
def test_what_the_official_code_cannot_hold_is_not_saved(config: PVTConfig, reason: str) -> None:
    """official_state_dict refuses with the reason."""
    with pytest.raises(WeightsError, match=reason):
        official_state_dict(build_pvt(config))


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_checkpoints_are_read_from_files(tmp_path: Path, suffix: str) -> None:
    """What was saved is what is read, in both formats."""
    state = official_state_dict(build_pvt(small()))
    path = tmp_path / f"weights.{suffix}"
    if suffix == "pth":
        torch.save({"model": state}, path)
    else:
        safetensors = pytest.importorskip("safetensors.torch", reason="writes a safetensors file")
        safetensors.save_file({key: value.contiguous() for key, value in state.items()}, path)
    load_weights(build_pvt(small()), read_checkpoint(path))


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_damaged_and_missing_checkpoints_are_refused(tmp_path: Path, suffix: str) -> None:
    """One line that names the file; code in a pickle is not run."""
    path = tmp_path / f"weights.{suffix}"
    with pytest.raises(WeightsError, match=f"weights.{suffix}"):
        read_checkpoint(path)
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(WeightsError, match=f"weights.{suffix}"):
        read_checkpoint(path)
    torch.save(build_pvt(small()), path)
    with pytest.raises(WeightsError, match=f"weights.{suffix}"):
        read_checkpoint(path)


@pytest.mark.parametrize("spoil", ["sparse", "meta", "complex", "key", "nothing", "list"])
def test_what_cannot_be_copied_leaves_the_model_as_it_was(spoil: str) -> None:
    """Tensors that are no plain numbers, keys that are no names, and no mapping at all: one error, no change."""
    model = build_pvt(small())
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    given: Any = {key: tensor + 1 for key, tensor in before.items()}
    bias = given["head.bias"]
    spoilt: dict[str, Any] = {
        "sparse": {**given, "head.bias": bias.to_sparse()},
        "meta": {**given, "head.bias": bias.to("meta")},
        "complex": {**given, "head.bias": bias.to(torch.complex64)},
        "key": {**given, 5: bias},
        "nothing": None,
        "list": [bias],
    }
    with pytest.raises(WeightsError, match="a state dict maps names to"):
        load_weights(model, spoilt[spoil])
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
