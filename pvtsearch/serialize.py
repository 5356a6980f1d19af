"""Configurations as YAML and as plain values."""

from __future__ import annotations

import difflib
import io
import os
import re
from collections.abc import Mapping
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from pvtsearch.config import Attention, ModelConfig, PooledReduction, PVTConfig, SpatialReduction, StageConfig
from pvtsearch.documents import read_yaml
from pvtsearch.errors import ConfigError
from pvtsearch.presets import PRESETS
from pvtsearch.reading import at, located, read_mapping, read_sequence, refuse, required

_STAGE_KEYS = ("patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "sr_ratio", "pool_size")
_STAGE_REQUIRED = ("patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio")
_PLAIN = re.compile(r"front_[0-9]+")  # the names of a front, which may hold thousands
_CONFIG_KEYS = tuple(field.name for field in fields(PVTConfig))


def config_from_dict(data: Any, where: str = "config") -> PVTConfig:
    """The configuration a mapping of plain values stands for (the form of the YAML files).

    Raises `InputError` that names where, key, value and law.
    """
    root = f"{where}: "
    values = read_mapping(data, root, _CONFIG_KEYS)
    if "stages" not in values:
        refuse(where, "stages is missing: a list of 1 to 6 stages")
    stages = read_sequence(values.pop("stages"), at(root, "stages"), "stages")
    made = tuple(_stage(stage, at(root, f"stages[{i}]")) for i, stage in enumerate(stages))
    return located(where, PVTConfig, stages=made, **values)


def _stage(data: Any, where: str) -> StageConfig:
    values = read_mapping(data, where, _STAGE_KEYS)
    required(values, where, _STAGE_REQUIRED)
    attention = located(where, _attention, values, where)
    return located(where, StageConfig, **{key: values[key] for key in _STAGE_REQUIRED}, attention=attention)


def _attention(values: Mapping[str, Any], where: str) -> Attention:
    if "sr_ratio" in values and "pool_size" in values:
        refuse(where, "sr_ratio and pool_size exclude each other")
    if "pool_size" in values:
        return PooledReduction(values["pool_size"])
    return SpatialReduction(values.get("sr_ratio", 1))


def config_to_dict(config: PVTConfig) -> dict[str, Any]:
    """The plain values of a configuration, all parts written out; `config_from_dict` reads them back equal."""
    values: dict[str, Any] = {"name": config.name}
    for name in _CONFIG_KEYS:
        value = getattr(config, name)
        if name not in ("name", "stages") and not (name == "norm_eps" and value is None):
            values[name] = value
    values["stages"] = [_stage_to_dict(stage) for stage in config.stages]
    return values


def _stage_to_dict(stage: StageConfig) -> dict[str, Any]:
    values: dict[str, Any] = {key: getattr(stage, key) for key in _STAGE_REQUIRED}
    match stage.attention:
        case SpatialReduction(sr_ratio):
            values["sr_ratio"] = sr_ratio
        case PooledReduction(pool_size):
            values["pool_size"] = pool_size
    return values


def dump_config(config: PVTConfig) -> str:
    """A configuration as YAML, one line per stage; `load_config` reads it back equal."""
    values = config_to_dict(config)
    stages = values.pop("stages")
    lines = [_entry(key, value) for key, value in values.items()]
    lines += ["stages:", *(f"  - {{{', '.join(_entry(key, value) for key, value in s.items())}}}" for s in stages)]
    return "\n".join(lines) + "\n"


def _entry(key: str, value: Any) -> str:
    """A key with its plain value, which the library writes wherever there is anything to decide: it is slow."""
    if type(value) is int or (type(value) is str and _PLAIN.fullmatch(value)):
        return f"{key}: {value}"
    return _library_entry(key, value, type(value).__name__)  # the type, as True == 1 == 1.0 to a cache


@lru_cache(maxsize=1000)
def _library_entry(key: str, value: Any, _type: str) -> str:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 4096
    text = io.StringIO()
    yaml.dump({key: value}, text)
    return text.getvalue().rstrip("\n")


def load_config(name_or_path: str | Path) -> ModelConfig:
    """The preset of that name, or the configuration in that YAML file; one without a name gets the file's."""
    text = str(name_or_path)
    if text in PRESETS:
        return PRESETS[text].config
    path = Path(text)
    if path.suffix in (".yaml", ".yml") or os.path.isfile(path):
        data = read_yaml(path)
        return config_from_dict({"name": path.stem, **data} if isinstance(data, dict) else data, str(path))
    close = difflib.get_close_matches(text, PRESETS, n=1)
    hint = f"did you mean '{close[0]}'?" if close else "'pvtsearch list' prints the presets"
    raise ConfigError(f"{text}: no preset of that name and no YAML file, {hint}")
