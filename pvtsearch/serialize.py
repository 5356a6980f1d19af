"""Configurations in YAML and plain values, read with errors that name file, key, value and law; files written whole."""

from __future__ import annotations

import difflib
import io
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pvtsearch.config import (
    Attention,
    ModelConfig,
    PooledReduction,
    PVTConfig,
    SpatialReduction,
    StageConfig,
)
from pvtsearch.errors import ConfigError, InputError, SpaceError
from pvtsearch.presets import PRESETS

T = TypeVar("T")
MAX_FILE_BYTES = 1_000_000

_STAGE_KEYS = ("patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio", "sr_ratio", "pool_size")
_STAGE_REQUIRED = ("patch_size", "embed_dim", "depth", "num_heads", "mlp_ratio")
_CONFIG_KEYS = tuple(field.name for field in fields(PVTConfig))
_CONFIG_DEFAULTS = {field.name: field.default for field in fields(PVTConfig) if field.default is not MISSING}



# ---------------------------------------------------------------- files


def write_whole(path: Path, text: str) -> None:
    """Write text so that path holds all of it or what it held before, whatever happens on the way."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_yaml(path: Path) -> Any:
    """Parse a YAML 1.2 file into plain values; raises `InputError` naming file, line and column."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise InputError(f"{path}: larger than {MAX_FILE_BYTES:,} bytes, which no configuration needs")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not UTF-8 text"
        raise InputError(f"{path}: cannot be read: {reason}") from error
    try:
        return YAML(typ="safe", pure=True).load(text)
    except (YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path}: {_yaml_problem(error)}") from error


def _yaml_problem(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    problem = getattr(error, "problem", None) or "not valid YAML"
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{where}not valid YAML: {' '.join(str(problem).split())}"


# ---------------------------------------------------------------- small readers: each takes where it is


def refuse(where: str, problem: str) -> NoReturn:
    raise InputError(f"{where}: {problem}")


def read_mapping(value: Any, where: str, known: Sequence[str]) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        refuse(where, f"must be a mapping of {', '.join(known)}, got {short(value)}")
    for key in value:
        if key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"known are {', '.join(known)}"
            separator = "" if where.endswith(": ") else "."
            raise InputError(f"{where}{separator}{short_key(key)}: unknown field, {hint}")
    return dict(value)


def short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def short_key(key: Any) -> str:
    text = str(key).encode("unicode_escape").decode()
    return text if len(text) <= 60 else text[:57] + "..."


def read_sequence(value: Any, where: str, what: str) -> list[Any]:
    if not isinstance(value, list):
        refuse(where, f"must be a list of {what}, got {short(value)}")
    return value


def located(where: str, make: Callable[[], T]) -> T:
    """Run make; where it refuses, say where in front."""
    try:
        return make()
    except (ConfigError, SpaceError) as error:
        raise type(error)(f"{where.removesuffix(': ')}: {error}") from error


def at(where: str, key: str) -> str:
    return f"{where}{key}" if where.endswith(": ") else f"{where}.{key}"


# ---------------------------------------------------------------- configurations


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
    return located(where, lambda: PVTConfig(stages=made, **values))


def _stage(data: Any, where: str) -> StageConfig:
    values = read_mapping(data, where, _STAGE_KEYS)
    for key in _STAGE_REQUIRED:
        if key not in values:
            refuse(at(where, key), "is missing")
    attention = located(where, lambda: _attention(values, where))
    return located(where, lambda: StageConfig(*(values[key] for key in _STAGE_REQUIRED), attention))


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
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap

    values = config_to_dict(config)
    stages = [CommentedMap(stage) for stage in values["stages"]]
    for stage in stages:
        stage.fa.set_flow_style()
    yaml = YAML()
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    yaml.dump({**values, "stages": stages}, text)
    return text.getvalue()


def load_config(name_or_path: str | Path) -> ModelConfig:
    """The preset of that name, or the configuration in that YAML file."""
    text = str(name_or_path)
    if text in PRESETS:
        return PRESETS[text].config
    path = Path(text)
    if path.suffix in (".yaml", ".yml") or path.exists():
        return config_from_dict(read_yaml(path), str(path))
    close = difflib.get_close_matches(text, PRESETS, n=1)
    hint = f"did you mean '{close[0]}'?" if close else "'pvtsearch list' prints the presets"
    raise ConfigError(f"{text}: no preset of that name and no YAML file, {hint}")
