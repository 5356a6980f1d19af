"""Pictures of a data set beside each other, a class per row."""

from __future__ import annotations

from pathlib import Path

import torch
from torchvision.transforms.v2 import functional as F
from torchvision.utils import make_grid

from pvtsearch.files import appearing, named
from pvtsearch.training.sources import Data


def write_gallery(data: Data, path: Path, *, rows: int, columns: int) -> None:
    """Write the first `columns` training pictures of the first `rows` classes to a PNG."""
    chosen: dict[int, list[torch.Tensor]] = {}
    for number in range(len(data.train)):
        image, label = data.train[number]
        if label < rows and len(chosen.setdefault(label, [])) < columns:
            chosen[label].append(F.resize(image, [data.side, data.side], antialias=True))
        if len(chosen) == min(rows, data.classes) and all(len(row) == columns for row in chosen.values()):
            break
    columns = max(len(row) for row in chosen.values())
    blank = torch.full((3, data.side, data.side), 255, dtype=torch.uint8)
    pictures = [picture for _, row in sorted(chosen.items()) for picture in (row + [blank] * columns)[:columns]]
    with named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    with appearing(path) as temporary:
        F.to_pil_image(make_grid(pictures, nrow=columns, pad_value=255)).save(temporary)
