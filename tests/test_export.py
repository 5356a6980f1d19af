"""Networks leave: as a call of someone else's constructor, and as an ONNX file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.counted import count_params
from pvtsearch.config import PooledReduction, PVTConfig, ResNetConfig, SpatialReduction, StageConfig
from pvtsearch.errors import ConfigError, InputError
from pvtsearch.models import export
from pvtsearch.models.baselines import build_model
from pvtsearch.models.constructors import (
    OFFICIAL_V1,
    OFFICIAL_V2,
    TIMM_PVT_V2,
    TIMM_VIT,
    TORCHVISION,
    Call,
    NoCall,
    constructor_calls,
)
from pvtsearch.models.export import write_onnx
from pvtsearch.models.weights import load_weights, official_state_dict
from pvtsearch.presets import PRESETS, V1_PRESETS, V2_PRESETS

TINY = PVTConfig(
    name="tiny",
    stages=(StageConfig(4, 8, 1, 2, 2, SpatialReduction(2)), StageConfig(2, 8, 1, 2, 2)),
    image_size=16,
    num_classes=5,
)
TINY_V2 = PVTConfig(
    name="tiny_v2",
    stages=(StageConfig(4, 8, 1, 2, 2, PooledReduction(2)), StageConfig(2, 8, 1, 2, 2)),
    image_size=16,
    num_classes=5,
    patch_embed="overlap",
    position="none",
    mlp="conv",
    pool="mean",
)


def built(call: str) -> nn.Module:
    """Run the exported code; its last line is the constructor call."""
    *imports, expression = call.splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(imports), names)  # noqa: S102  the text under test is Python
    module = eval(expression, names)  # noqa: S307
    assert isinstance(module, nn.Module)
    return module


@pytest.mark.parametrize(
    "name", [name for name in PRESETS if name.startswith(("deit_tiny", "vit_small_32", "pvt_v2_b0"))]
)
def test_timm_calls_build_networks_of_our_parameters(name: str) -> None:
    """The exported call, run, has exactly the closed form's parameters."""
    pytest.importorskip("timm", reason="runs the exported calls of timm's constructors")
    config = PRESETS[name].config
    calls = [call for call in constructor_calls(config).values() if isinstance(call, Call) and "timm" in call.code]
    assert len(calls) == 1
    assert count_params(built(calls[0].code)) == network_cost(config, (224, 224)).total.params


def test_a_timm_call_builds_a_network_that_our_weights_fit() -> None:
    """A pyramid of 2 stages, found by no one before: timm holds it, and its weights load into ours."""
    pytest.importorskip("timm", reason="runs the exported call of timm's constructor")
    config = replace(TINY_V2, stages=(StageConfig(4, 8, 1, 2, 2.5, SpatialReduction(2)), StageConfig(2, 12, 2, 3, 2)))
    call = constructor_calls(config)[TIMM_PVT_V2]
    assert isinstance(call, Call)
    theirs, ours = built(call.code).eval(), build_model(config).eval()
    load_weights(ours, theirs.state_dict())
    images = torch.randn(1, 3, 32, 48)
    with torch.no_grad():
        torch.testing.assert_close(ours(images), theirs(images), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["resnet18", "resnext50_32x4d"])
def test_torchvision_calls_build_networks_of_our_parameters(name: str) -> None:
    """The same for torchvision's ResNet."""
    config = PRESETS[name].config
    call = constructor_calls(config)[TORCHVISION]
    assert isinstance(call, Call)
    assert count_params(built(call.code)) == network_cost(config, (224, 224)).total.params


def test_every_published_preset_has_a_call_where_it_was_published() -> None:
    """v1 in the official v1 code alone; v2 in the official v2 code and timm; ViT in timm."""
    sources = {
        name: {source for source, call in constructor_calls(preset.config).items() if isinstance(call, Call)}
        for name, preset in PRESETS.items()
    }
    assert all(sources[name] == {OFFICIAL_V1} for name in V1_PRESETS)
    assert all(sources[name] == {OFFICIAL_V2, TIMM_PVT_V2} for name in V2_PRESETS)
    assert all(sources[name] == {TIMM_VIT} for name in sources if name.startswith(("deit", "vit")))
    assert all(sources[name] == {TORCHVISION} for name in sources if name.startswith("res"))


def test_the_official_call_is_the_official_preset() -> None:
    """PVT-Tiny as the official code writes it."""
    assert str(constructor_calls(PRESETS["pvt_tiny"].config)[OFFICIAL_V1]).splitlines()[-1] == (
        "PyramidVisionTransformer(img_size=224, patch_size=4, in_chans=3, num_classes=1000, "
        "embed_dims=[64, 128, 320, 512], num_heads=[1, 2, 5, 8], mlp_ratios=[8, 8, 4, 4], qkv_bias=True, "
        "depths=[2, 2, 2, 2], sr_ratios=[8, 4, 2, 1], drop_path_rate=0.0, norm_layer=partial(nn.LayerNorm, eps=1e-06))"
    )


def test_where_there_is_no_call_every_reason_is_said() -> None:
    """All broken laws at once, not the first."""
    call = constructor_calls(TINY)[OFFICIAL_V2]
    assert isinstance(call, NoCall)
    assert set(call.reasons) >= {"needs four stages", "needs patch_embed: overlap", "needs mlp: conv"}


def test_a_resnet_without_classifier_has_no_call() -> None:
    """Its constructor always makes a classifier for 3 channels."""
    config = ResNetConfig(name="r", block="basic", depths=(1, 1, 1, 1), num_classes=0, in_chans=4)
    assert constructor_calls(config)[TORCHVISION] == NoCall(("needs in_chans: 3", "needs a classifier"))


@pytest.mark.parametrize(
    ("config", "task"),
    [(TINY, "classification"), (TINY_V2, "backbone")],
    ids=["classification", "backbone"],
)
def test_onnx_gives_the_same_outputs(config: PVTConfig, task: Any, tmp_path: Path) -> None:
    """Written, read by onnxruntime and run: the outputs of the network, to 1e-5, at an interpolated input size."""
    runtime = pytest.importorskip("onnxruntime", reason="runs the written file")
    pytest.importorskip("onnxscript", reason="torch writes ONNX through it")
    module = build_model(config, task=task).eval()
    path = tmp_path / "network.onnx"
    write_onnx(config, path, image_size=(24, 16), batch_size=2, task=task, weights=module.state_dict())
    images = torch.randn(2, 3, 24, 16)
    with torch.no_grad():
        result = module(images)
    expected = result if isinstance(result, list) else [result]
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = ["scores"] if task == "classification" else ["stage_1_stride_4", "stage_2_stride_8"]
    assert [output.name for output in session.get_outputs()] == names
    for one, other in zip(session.run(None, {"images": images.numpy()}), expected, strict=True):
        torch.testing.assert_close(torch.from_numpy(one), other, atol=1e-5, rtol=1e-5)
    assert [entry.name for entry in tmp_path.iterdir()] == ["network.onnx"]


def test_without_the_packages_onnx_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The line says what to install; no file is left."""
    monkeypatch.setattr(export, "find_spec", lambda _: None)
    with pytest.raises(InputError, match="needs onnx and onnxscript: pip install onnx onnxscript"):
        write_onnx(TINY, tmp_path / "network.onnx", image_size=(16, 16))
    assert not list(tmp_path.iterdir())


def test_a_failed_export_leaves_the_old_file(tmp_path: Path) -> None:
    """The file is replaced whole or not at all."""
    pytest.importorskip("onnxscript", reason="torch writes ONNX through it")
    path = tmp_path / "network.onnx"
    path.write_text("old")
    with pytest.raises(ConfigError, match="needs a larger input"):
        write_onnx(TINY, path, image_size=(3, 16))
    assert [entry.read_text() for entry in tmp_path.iterdir()] == ["old"]


def test_official_weights_fit_the_official_call() -> None:
    """A network has official keys exactly where it has an official call."""
    for name in ("pvt_tiny", "pvt_v2_b0"):
        with torch.device("meta"):
            model = build_model(PRESETS[name].config)
        assert len(official_state_dict(model)) == len(model.state_dict())
