"""Laws of PiT: closed form == counted, and timm's network with the same weights gives the same outputs."""

from __future__ import annotations

import pytest
import torch

from pvtsearch.analysis.counted import count_macs_on_meta, count_params
from pvtsearch.errors import ConfigError
from pvtsearch.models.pit import build_pit
from pvtsearch.models.pit_config import PIT_PRESETS, PiTConfig, pit_cost

SMALL = PiTConfig(base_dim=4, num_heads=(1, 2, 4), depth=(1, 2, 1), mlp_ratio=3, num_classes=7, image_size=64)
CONFIGS = [
    SMALL,
    PiTConfig(base_dim=3, num_heads=(2,), depth=(1,), mlp_ratio=0.5, num_classes=0, image_size=40),
    PiTConfig(base_dim=(8, 4), num_heads=(1, 4), depth=(2, 1), mlp_ratio=2, in_chans=1, image_size=57),
]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("size", [None, (64, 64), (57, 90)])
def test_closed_form_equals_counted(config: PiTConfig, size: tuple[int, int] | None) -> None:
    """Parameters and MACs of the built network, at its own size and at sizes that do not divide."""
    module = build_pit(config, attention="explicit")
    cost = pit_cost(config, size)
    assert count_params(module) == cost.params
    assert count_macs_on_meta(module, size or (config.image_size,) * 2, config.in_chans) == cost.macs


@pytest.mark.parametrize(("name", "params_m"), [("pit_ti", 4.9), ("pit_xs", 10.6), ("pit_s", 23.5), ("pit_b", 73.8)])
def test_published_sizes(name: str, params_m: float) -> None:
    """Parameters are those of table 1 of the paper, in millions, to its decimal (PiT-Ti's 4.85 is printed as 4.9)."""
    assert pit_cost(PIT_PRESETS[name]).params / 1e6 == pytest.approx(params_m, abs=0.055)


def test_outputs_equal_timm_with_the_same_weights() -> None:
    """timm's PiT-Ti, its weights under our names: the same logits to 1e-5."""
    timm = pytest.importorskip("timm", reason="timm is the reference here")
    theirs = timm.create_model("pit_ti_224", pretrained=False).eval()
    ours = build_pit(PIT_PRESETS["pit_ti"]).eval()
    state = {}
    for key, value in theirs.state_dict().items():
        name = key.replace("patch_embed.conv", "patch_embed").replace("pos_embed", "position")
        name = name.replace("cls_token", "class_token")
        if name.startswith("transformers."):
            _, index, part, *rest = name.split(".")
            if part == "pool":
                name = ".".join(["poolings", str(int(index) - 1), *rest])
            else:
                name = ".".join(["stages", index, "blocks", *rest])
        if ".qkv." in name:
            third = len(value) // 3
            state[name.replace("qkv", "q")], state[name.replace("qkv", "kv")] = value[:third], value[third:]
        else:
            state[name] = value
    ours.load_state_dict(state)
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.allclose(ours(images), theirs(images), atol=1e-5)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"num_heads": (2, 3, 6)}, "multiple of the one before, got 8, 12, 24"),
        ({"depth": (1, 2)}, "an entry per stage, got 2, 3 and 2"),
        ({"mlp_ratio": 0.01}, "width of at least 1"),
        ({"depth": (1, 0, 1)}, "depth must be"),
    ],
)
def test_what_cannot_be_built_is_refused(changed: dict[str, object], text: str) -> None:
    """A width that no pooling reaches, stages that do not match, empty parts: one line each."""
    values = {"base_dim": 4, "num_heads": (1, 2, 4), "depth": (1, 2, 1), "mlp_ratio": 3, **changed}
    with pytest.raises(ConfigError, match=text):
        PiTConfig(**values)  # type: ignore[arg-type]
