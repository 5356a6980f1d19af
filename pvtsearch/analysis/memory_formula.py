"""Peak memory of a forward pass as the largest of polynomials in the input's height H and width W.

Two things depend on the size in other ways. Position embeddings are not interpolated at the size they are made for: the
polynomials take them as interpolated, and hold there too, since every attention holds four maps of tokens and a
position embedding fewer. A stage of a single token saves a copy: the one size where that can be is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pvtsearch.analysis.baseline_memory import resnet_parts
from pvtsearch.analysis.memory import parts_on_grids
from pvtsearch.analysis.peak import StagePeak, in_order, inference_held, inference_memory, part_peaks
from pvtsearch.analysis.polynomials import each, possible_largest
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.config import ImageSize, ModelConfig, NetworkTask, PVTConfig
from pvtsearch.geometry import Grid


@dataclass(frozen=True)
class MemoryFormula:
    """Peak memory of a whole batch in a setting: the largest of `peaks`, whose bytes are polynomials.

    What is proven never to be the largest alone is left out. exceptions: the peak at sizes where it is another.
    """

    setting: MemorySetting
    peaks: tuple[StagePeak, ...]
    exceptions: Mapping[ImageSize, int]

    def peak_bytes(self, image_size: ImageSize) -> int:
        """The peak at an input of (height, width) whose sides are multiples of the formula's divisor."""
        if image_size in self.exceptions:
            return self.exceptions[image_size]
        return int(max(peak.peak_bytes.at(image_size) for peak in self.peaks))


def memory_formula(
    config: ModelConfig, *, entering: Grid, step: int, params: int, task: NetworkTask, setting: MemorySetting
) -> MemoryFormula:
    """The spans of `inference_memory` on polynomials.

    entering: the input, `step` times H by `step` times W; step: what the sides are multiples of.
    """
    if isinstance(config, PVTConfig):
        stages = parts_on_grids(config, config.grids_of(entering), task, setting)
    else:
        stages = resnet_parts(config, entering, task, setting)
    held = inference_held(config, params, entering, setting).held_bytes
    found = [
        StagePeak(at.name, at.part, one) for at in part_peaks(in_order(stages), held) for one in each(at.peak_bytes)
    ]
    kept = [found[place] for place in possible_largest([at.peak_bytes for at in found])]
    peaks = tuple(StagePeak(at.name, at.part, at.peak_bytes.per(step)) for at in kept)
    everywhere = MemoryFormula(setting, peaks, {})
    smallest = (step, step)
    exact = inference_memory(config, smallest, task, setting).peak_bytes
    return replace(everywhere, exceptions={} if exact == everywhere.peak_bytes(smallest) else {smallest: exact})
