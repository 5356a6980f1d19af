"""Search spaces in YAML: read with errors that name file, key, value and law."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pvtsearch.config import Attention, PooledReduction, SpatialReduction
from pvtsearch.documents import read_yaml
from pvtsearch.errors import SpaceError
from pvtsearch.knobs import KNOWN_RULED_KNOBS, KNOWN_STAGE_METRICS, KNOWN_TRENDS, Rule, ShareRule, StageKnobs, TrendRule
from pvtsearch.reading import at, located, read_mapping, read_sequence, refuse, required
from pvtsearch.shown import short
from pvtsearch.space import NETWORK_KNOBS, SearchSpace

MAX_KNOB_VALUES = 10_000

_STAGE_KEYS = ("patch_size", "embed_dim", "depth", "num_heads", "head_dim", "mlp_ratio", "sr_ratio", "pool_size")
_SPACE_KEYS = ("name", "image_size", "in_chans", "num_classes", *NETWORK_KNOBS, "stages", "rules")


def space_from_dict(data: Any, where: str = "space") -> SearchSpace:
    """The search space a mapping of plain values stands for (the form of the YAML files).

    Raises `InputError` that names where, key, value and law.
    """
    root = f"{where}: "
    values = read_mapping(data, root, _SPACE_KEYS)
    if "stages" not in values:
        refuse(where, "stages is missing: a list of 1 to 6 stages")
    stages = read_sequence(values.pop("stages"), at(root, "stages"), "stages")
    knobs = tuple(_stage_knobs(stage, at(root, f"stages[{i}]")) for i, stage in enumerate(stages))
    rules = read_sequence(values.pop("rules", []), at(root, "rules"), "rules")
    made = tuple(_rule(rule, at(root, f"rules[{i}]")) for i, rule in enumerate(rules))
    network = {key: _knob(values.pop(key), at(root, key)) for key in NETWORK_KNOBS if key in values}
    for key in values:
        if key == "name" and not isinstance(values[key], str):
            refuse(at(root, key), f"must be text, got {short(values[key])}")
        if key != "name" and (isinstance(values[key], bool) or not isinstance(values[key], int)):
            refuse(at(root, key), f"must be an integer, got {short(values[key])}")
    return located(where, SearchSpace, knobs, network, made, **values)


def _stage_knobs(data: Any, where: str) -> StageKnobs:
    values = read_mapping(data, where, _STAGE_KEYS)
    required(values, where, ("patch_size", "embed_dim", "depth", "mlp_ratio"))
    knobs = {key: _knob(value, at(where, key)) for key, value in values.items()}
    ratios = knobs.pop("sr_ratio", () if "pool_size" in knobs else (1,))
    sizes = knobs.pop("pool_size", ())
    attention: tuple[Attention, ...] = (
        *(located(at(where, "sr_ratio"), SpatialReduction, ratio) for ratio in ratios),
        *(located(at(where, "pool_size"), PooledReduction, size) for size in sizes),
    )
    for key, numbers in knobs.items():
        for number in numbers:
            _check_knob_number(number, at(where, key), integer=key != "mlp_ratio")
    return located(where, StageKnobs, **knobs, attention=attention)


def _check_knob_number(number: Any, where: str, *, integer: bool) -> None:
    kind = int if integer else (int, float)
    if isinstance(number, bool) or not isinstance(number, kind) or not 0 < number < 1e9:
        refuse(where, f"must hold {'integers' if integer else 'numbers'} above 0, got {short(number)}")


def _knob(value: Any, where: str) -> tuple[Any, ...]:
    """A value, a list of values, or {from, to, step}, which includes `to`."""
    if isinstance(value, Mapping):
        return _range(read_mapping(value, where, ("from", "to", "step")), where)
    values = value if isinstance(value, list) else [value]
    if not values:
        refuse(where, "needs at least one value")
    if len(values) > MAX_KNOB_VALUES:
        refuse(where, f"has {len(values):,} values, at most {MAX_KNOB_VALUES:,} are allowed")
    for item in values:
        if not isinstance(item, int | float | str):
            refuse(where, f"must hold plain values, got {short(item)}")
    return tuple(values)


def _range(values: Mapping[str, Any], where: str) -> tuple[int, ...]:
    for key in ("from", "to"):
        if key not in values:
            refuse(at(where, key), "is missing")
    start, stop, step = values["from"], values["to"], values.get("step", 1)
    for key, number in (("from", start), ("to", stop), ("step", step)):
        if isinstance(number, bool) or not isinstance(number, int):
            refuse(at(where, key), f"must be an integer, got {short(number)}")
    if step < 1 or stop < start or (stop - start) % step:
        refuse(where, f"must rise from 'from' to 'to' in whole steps, got {{from: {start}, to: {stop}, step: {step}}}")
    if (stop - start) // step >= MAX_KNOB_VALUES:
        refuse(where, f"has {(stop - start) // step + 1:,} values, at most {MAX_KNOB_VALUES:,} are allowed")
    return tuple(range(start, stop + 1, step))


_TREND = re.compile(rf"({'|'.join(KNOWN_RULED_KNOBS)}) ({'|'.join(KNOWN_TRENDS)})")
_SHARE = re.compile(
    rf"stage (\d{{1,2}}): ({'|'.join(KNOWN_STAGE_METRICS)}) (<=|>=) (\d{{1,6}}(?:\.\d{{1,12}})?) budget", re.ASCII
)


def _rule(text: Any, where: str) -> Rule:
    """`KNOB nondecreasing|nonincreasing|increasing|decreasing`, or `stage N: macs <= SHARE budget`."""
    # YAML reads the second form, unquoted, as a mapping of one entry.
    if isinstance(text, Mapping) and len(text) == 1:
        text = ": ".join(str(part) for part in next(iter(text.items())))
    words = " ".join(str(text).split())
    if found := _TREND.fullmatch(words):
        return TrendRule(found[1], found[2])  # type: ignore[arg-type]  # the pattern holds exactly the literals
    if found := _SHARE.fullmatch(words):
        return ShareRule(int(found[1]), found[2], found[3], float(found[4]))  # type: ignore[arg-type]  # as above
    refuse(where, f"must be 'KNOB nondecreasing' or 'stage N: macs <= 0.7 budget', got {short(text)}")


def space_folder() -> Path:
    """Where the shipped spaces are: inside an installed package, or beside it in a source tree."""
    inside = Path(__file__).parent / "search_spaces"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "search_spaces"


def shipped_spaces() -> tuple[str, ...]:
    """Names of the spaces that come with the project."""
    return tuple(sorted(path.stem for path in space_folder().glob("*.yaml")))


def load_space(name_or_path: str | Path) -> SearchSpace:
    """The shipped space of that name, or the space in that YAML file."""
    text = str(name_or_path)
    if text in shipped_spaces():
        return space_from_dict(read_yaml(space_folder() / f"{text}.yaml"), f"{text}.yaml")
    path = Path(text)
    if path.suffix in (".yaml", ".yml") or os.path.isfile(path):
        return space_from_dict(read_yaml(path), str(path))
    close = difflib.get_close_matches(text, shipped_spaces(), n=1)
    hint = f"did you mean '{close[0]}'?" if close else f"shipped are {', '.join(shipped_spaces())}"
    raise SpaceError(f"{text}: no space of that name and no YAML file, {hint}")
