"""The Python that builds a network, as text to be pasted."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any, assert_never

from pvtsearch.config import (
    Attention,
    ModelConfig,
    PooledReduction,
    PVTConfig,
    ResNetConfig,
    SpatialReduction,
    StageConfig,
)
from pvtsearch.presets import PRESETS


def python_of(config: ModelConfig) -> str:
    """Statements that build the module of a network: by its name where it is a preset, else setting by setting."""
    known = PRESETS.get(config.name)
    if known is not None and known.config == config:
        return f"import pvtsearch\n\nmodel = pvtsearch.build_model(pvtsearch.load_config({config.name!r}))\n"
    match config:
        case PVTConfig():
            return "\n".join((*opening(config), *map(stage_line, config.stages), *CLOSING))
        case ResNetConfig():
            return f"import pvtsearch\n\nmodel = pvtsearch.build_model(pvtsearch.ResNetConfig({_arguments(config)}))\n"
        case _:
            assert_never(config)


def opening(config: PVTConfig) -> list[str]:
    """The lines before the stages."""
    named = _arguments(config, but=("stages",))
    return ["import pvtsearch", "", "model = pvtsearch.build_pvt(", f"    pvtsearch.PVTConfig({named}, stages=("]


CLOSING = ("    ))", ")", "")


def stage_line(stage: StageConfig) -> str:
    """One stage of the call."""
    numbers = ", ".join(f"{name}={getattr(stage, name)!r}" for name in _NUMBERS)
    return f"        pvtsearch.StageConfig({numbers}, attention={_attention(stage.attention)}),"


_NUMBERS = ("patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio")


def _attention(attention: Attention) -> str:
    match attention:
        case SpatialReduction(sr_ratio):
            return f"pvtsearch.SpatialReduction({sr_ratio})"
        case PooledReduction(pool_size):
            return f"pvtsearch.PooledReduction({pool_size})"
        case _:
            assert_never(attention)


def _arguments(config: Any, but: tuple[str, ...] = ()) -> str:
    """Its settings that are not the default, by name."""
    named = [(each.name, getattr(config, each.name), each.default) for each in fields(config) if each.name not in but]
    given = [(name, value) for name, value, default in named if value != default or name == "name"]
    return ", ".join(f"{name}={value!r}" for name, value in given if value is not MISSING)
