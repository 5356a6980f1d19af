"""Thousands of networks in a page, each as the numbers of its parts: texts and drawings of a stage are there once.

The page's script puts a network together: its YAML, the Python that builds it, its pyramid, and what is shown of it
where it is pointed at. It joins texts and computes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from pvtsearch.config import ImageSize, PVTConfig
from pvtsearch.report.building import CLOSING, opening, stage_line
from pvtsearch.report.pyramid import FLOOR, LABELS, WIDTH, Scale, boxes, fragment, scale_of
from pvtsearch.report.shapes import DrawnStage, reduction_in_words, stage_shapes
from pvtsearch.serialize import dump_config

NAME = "NAME-OF-THE-NETWORK"
STAGE_HEADER = "patch width depth heads  mlp  reduction"
_PLAIN = re.compile(r"[a-z_]+_[0-9]+")  # names that YAML and Python write as they are, of a front thousands
_PARTS = [each.name for each in fields(PVTConfig) if each.name not in ("stages", "name")]


def composed(configs: Sequence[PVTConfig], image_size: ImageSize) -> dict[str, Any]:
    """Networks as [name, head, stages ...], with the texts of names, heads and stages, each once."""
    shapes = [stage_shapes(config, image_size) for config in configs]
    scale = scale_of(shapes)
    parts = _Parts(scale)
    networks = [parts.numbers(config, shape) for config, shape in zip(configs, shapes, strict=True)]
    return {
        "networks": networks,
        "names_written": list(parts.names.values()),
        "heads": list(parts.head_texts),
        "stages": list(parts.stage_texts),
        "closing": "\n".join(CLOSING),
        "header": STAGE_HEADER,
        "drawing": [WIDTH, FLOOR + LABELS],
    }


class _Parts:
    """What was met so far, by what it is made of."""

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self.names: dict[str, Any] = {}
        self.heads: dict[Any, int] = {}
        self.head_texts: list[dict[str, list[str]]] = []
        self.stages: dict[Any, int] = {}
        self.stage_texts: list[dict[str, str]] = []
        self._name_numbers: dict[str, int] = {}

    def numbers(self, config: PVTConfig, shape: Sequence[DrawnStage]) -> list[int]:
        """A network as numbers of its name, its head and its stages."""
        head = tuple(getattr(config, part) for part in _PARTS)
        stages = zip(config.stages, shape, strict=True)
        keys = [(head, place, stage, drawn.grid) for place, (stage, drawn) in enumerate(stages)]
        if head not in self.heads or any(key not in self.stages for key in keys):
            self._add(config, shape, head, keys)
        return [self._name(config), self.heads[head], *(self.stages[key] for key in keys)]

    def _name(self, config: PVTConfig) -> int:
        name = config.name
        if name not in self._name_numbers:
            self._name_numbers[name] = len(self._name_numbers)
            self.names[name] = name if _PLAIN.fullmatch(name) else [name, _yaml_name(config), repr(name)]
        return self._name_numbers[name]

    def _add(self, config: PVTConfig, shape: Sequence[DrawnStage], head: Any, keys: Sequence[Any]) -> None:
        lines = dump_config(config.named(NAME)).splitlines()
        first = len(lines) - len(config.stages)
        if head not in self.heads:
            self.heads[head] = len(self.head_texts)
            python = "\n".join(opening(config.named(NAME)))
            self.head_texts.append({"yaml": "\n".join(lines[:first]).split(NAME), "python": python.split(repr(NAME))})
        drawn = boxes(shape, self.scale)
        for place, (key, stage) in enumerate(zip(keys, config.stages, strict=True)):
            if key not in self.stages:
                self.stages[key] = len(self.stage_texts)
                numbers = (stage.patch_size, stage.embed_dim, stage.depth, stage.num_heads)
                shown = "".join(f"{number:>5} " for number in numbers)
                self.stage_texts.append({
                    "yaml": lines[first + place],
                    "python": stage_line(stage),
                    "shown": f"{shown}{stage.mlp_ratio:>4g}  {reduction_in_words(stage)}",
                    "drawing": fragment(drawn[place]),
                })  # fmt: skip


def _yaml_name(config: PVTConfig) -> str:
    """A name as YAML writes it."""
    return next(line for line in dump_config(config).splitlines() if line.startswith("name: ")).removeprefix("name: ")
