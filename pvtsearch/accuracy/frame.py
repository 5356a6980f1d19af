"""What the scores of one run are relative to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pvtsearch.config import ImageSize, Task


@dataclass(frozen=True)
class Frame:
    """Input size, task, and the limit on MACs that the envelope is made for; None: no envelope."""

    image_size: ImageSize
    task: Task = "classification"
    macs_limit: int | None = None


def frame_of(image_size: ImageSize, task: Task, limits: Mapping[str, int], *, extrapolated: bool) -> Frame:
    """The frame of a search under limits."""
    return Frame((image_size[0], image_size[1]), task, None if extrapolated else limits.get("macs"))
