"""What the PVT papers print of dense prediction, row by row.

PVT v1 (arXiv 2102.12122), Tables 3 to 5; PVT v2 (arXiv 2106.13797), Tables 3 and 5, without the rows that repeat the
former. The presets carry the ImageNet rows. A row here belongs to a network and a task, and some networks have four.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pvtsearch.config import DenseTask

V1 = "PVT v1 (arXiv 2102.12122)"
V2 = "PVT v2 (arXiv 2106.13797)"

BOX_SCORES = ("AP", "AP50", "AP75", "APS", "APM", "APL")
BOX_AND_MASK_SCORES = ("APb", "APb50", "APb75", "APm", "APm50", "APm75")

SHORT = "1x"  # 12 epochs
LONG = "3x, multi-scale"  # 36 epochs
STEPS_80K = "80k iterations at batch 16"
STEPS_40K = "40k iterations at batch 16"
STEPS_320K = "320k iterations, multi-scale flip test"


@dataclass(frozen=True)
class PublishedDense:
    """One printed row: parameters of the whole detector or segmenter in millions, and scores in percent by name.

    gmacs: the papers' "GFLOPs", at 512x512, where the table has them.
    """

    network: str
    task: DenseTask
    schedule: str
    params_m: float
    scores: Mapping[str, float]
    source: str
    gmacs: float | None = None


_RETINANET_V1 = """
resnet18         21.3 | 31.8 49.6 33.6 16.3 34.3 43.2 | 35.4 53.9 37.6 19.5 38.2 46.8
pvt_tiny         23.0 | 36.7 56.9 38.9 22.6 38.8 50.0 | 39.4 59.8 42.0 25.5 42.0 52.1
resnet50         37.7 | 36.3 55.3 38.6 19.3 40.0 48.8 | 39.0 58.4 41.8 22.4 42.8 51.6
pvt_small        34.2 | 40.4 61.3 43.0 25.0 42.9 55.7 | 42.2 62.7 45.0 26.2 45.2 57.2
resnet101        56.7 | 38.5 57.8 41.2 21.4 42.6 51.1 | 40.9 60.1 44.0 23.7 45.0 53.8
resnext101_32x4d 56.4 | 39.9 59.6 42.7 22.3 44.2 52.5 | 41.4 61.0 44.3 23.9 45.5 53.7
pvt_medium       53.9 | 41.9 63.1 44.3 25.0 44.9 57.6 | 43.2 63.8 46.1 27.3 46.3 58.9
resnext101_64x4d 95.5 | 41.0 60.9 44.0 23.9 45.2 54.0 | 41.8 61.5 44.4 25.2 45.4 54.6
pvt_large        71.1 | 42.6 63.7 45.4 25.8 46.0 58.4 | 43.4 63.6 46.1 26.1 46.0 59.5
"""

_MASK_RCNN_V1 = """
resnet18         31.2 | 34.0 54.0 36.7 31.2 51.0 32.7 | 36.9 57.1 40.0 33.6 53.9 35.7
pvt_tiny         32.9 | 36.7 59.2 39.3 35.1 56.7 37.3 | 39.8 62.2 43.0 37.4 59.3 39.9
resnet50         44.2 | 38.0 58.6 41.4 34.4 55.1 36.7 | 41.0 61.7 44.9 37.1 58.4 40.1
pvt_small        44.1 | 40.4 62.9 43.8 37.8 60.1 40.3 | 43.0 65.3 46.9 39.9 62.5 42.8
resnet101        63.2 | 40.4 61.1 44.2 36.4 57.7 38.8 | 42.8 63.2 47.1 38.5 60.1 41.3
resnext101_32x4d 62.8 | 41.9 62.5 45.9 37.5 59.4 40.2 | 44.0 64.4 48.0 39.2 61.4 41.9
pvt_medium       63.9 | 42.0 64.4 45.6 39.0 61.6 42.1 | 44.2 66.0 48.2 40.5 63.1 43.5
resnext101_64x4d 101.9 | 42.8 63.8 47.3 38.4 60.6 41.3 | 44.4 64.9 48.8 39.7 61.9 42.6
pvt_large        81.0 | 42.9 65.0 46.6 39.5 61.9 42.5 | 44.5 66.0 48.3 40.7 63.4 43.7
"""

_RETINANET_V2 = """
pvt_v2_b0    13.0 | 37.2 57.2 39.5 23.1 40.4 49.7
pvt_v2_b1    23.8 | 41.2 61.9 43.9 25.4 44.5 54.3
pvt_v2_b2_li 32.3 | 43.6 64.7 46.8 28.3 47.6 57.4
pvt_v2_b2    35.1 | 44.6 65.6 47.6 27.4 48.8 58.6
pvt_v2_b3    55.0 | 45.9 66.8 49.3 28.6 49.8 61.4
pvt_v2_b4    72.3 | 46.1 66.9 49.2 28.4 50.0 62.2
pvt_v2_b5    91.7 | 46.2 67.1 49.5 28.5 50.0 62.5
"""

_MASK_RCNN_V2 = """
pvt_v2_b0    23.5 | 38.2 60.5 40.7 36.2 57.8 38.6
pvt_v2_b1    33.7 | 41.8 64.3 45.9 38.8 61.2 41.6
pvt_v2_b2_li 42.2 | 44.1 66.3 48.4 40.5 63.2 43.6
pvt_v2_b2    45.0 | 45.3 67.1 49.6 41.2 64.2 44.4
pvt_v2_b3    64.9 | 47.0 68.1 51.7 42.5 65.7 45.7
pvt_v2_b4    82.2 | 47.5 68.7 52.0 42.7 66.1 46.1
pvt_v2_b5    101.6 | 47.4 68.6 51.9 42.5 65.7 46.0
"""

_SEMANTIC_FPN_V1 = """
resnet18         15.5 32.2 | 32.9
pvt_tiny         17.0 33.2 | 35.7
resnet50         28.5 45.6 | 36.7
pvt_small        28.2 44.5 | 39.8
resnet101        47.5 65.1 | 38.8
resnext101_32x4d 47.1 64.7 | 39.7
pvt_medium       48.0 61.0 | 41.6
resnext101_64x4d 86.4 103.9 | 40.2
pvt_large        65.1 79.6 | 42.1
"""

_SEMANTIC_FPN_V1_LONG = """
pvt_large 65.1 79.6 | 44.8
"""

_SEMANTIC_FPN_V2 = """
pvt_v2_b0    7.6 25.0 | 37.2
pvt_v2_b1    17.8 34.2 | 42.5
pvt_v2_b2_li 26.3 41.0 | 45.1
pvt_v2_b2    29.1 45.8 | 45.2
pvt_v2_b3    49.0 62.4 | 47.3
pvt_v2_b4    66.3 81.3 | 47.9
pvt_v2_b5    85.7 91.1 | 48.7
"""


def _rows(
    table: str, task: DenseTask, names: tuple[str, ...], schedules: tuple[str, ...], source: str
) -> Iterator[PublishedDense]:
    """Rows of a table: network, #Param and perhaps GFLOPs, then one group of scores per schedule."""
    for line in table.strip().splitlines():
        printed, *groups = line.split("|")
        network, *numbers = printed.split()
        params_m, *gmacs = map(float, numbers)
        for schedule, group in zip(schedules, groups, strict=True):
            scores = dict(zip(names, map(float, group.split()), strict=True))
            yield PublishedDense(network, task, schedule, params_m, scores, source, gmacs[0] if gmacs else None)


PUBLISHED_DENSE = (
    *_rows(_RETINANET_V1, "retinanet", BOX_SCORES, (SHORT, LONG), f"{V1}, Table 3"),
    *_rows(_MASK_RCNN_V1, "mask_rcnn", BOX_AND_MASK_SCORES, (SHORT, LONG), f"{V1}, Table 4"),
    *_rows(_SEMANTIC_FPN_V1, "semantic_fpn", ("mIoU",), (STEPS_80K,), f"{V1}, Table 5"),
    *_rows(_SEMANTIC_FPN_V1_LONG, "semantic_fpn", ("mIoU",), (STEPS_320K,), f"{V1}, Table 5"),
    *_rows(_RETINANET_V2, "retinanet", BOX_SCORES, (SHORT,), f"{V2}, Table 3"),
    *_rows(_MASK_RCNN_V2, "mask_rcnn", BOX_AND_MASK_SCORES, (SHORT,), f"{V2}, Table 3"),
    *_rows(_SEMANTIC_FPN_V2, "semantic_fpn", ("mIoU",), (STEPS_40K,), f"{V2}, Table 5"),
)
