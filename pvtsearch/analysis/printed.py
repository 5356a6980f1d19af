"""The #Param and GFLOPs that the PVT papers print, row by row, each with the network it belongs to.

PVT v1 (arXiv 2102.12122), Tables 2 to 5 and 8 to 11; PVT v2 (arXiv 2106.13797), Tables 2 to 6. What `presets` and
`published` hold is taken from there. Sizes are (height, width): what the papers call 1280x800 is 800x1280 here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pvtsearch.analysis.conventions import Convention
from pvtsearch.config import ImageSize, ModelConfig, PVTConfig, StageConfig, Task
from pvtsearch.presets import PRESETS, PVT_V1_TABLE_2, PVT_V2_TABLE_2, SPATIAL_8421
from pvtsearch.published import LONG, PUBLISHED_DENSE, STEPS_320K, V1, V2

CONVENTIONS: dict[str, Convention] = {V1: "paper_v1", V2: "paper_v2"}
SIZES: dict[Task, ImageSize] = {
    "classification": (224, 224),
    "retinanet": (800, 1280),
    "mask_rcnn": (800, 1280),
    "semantic_fpn": (512, 512),
}


@dataclass(frozen=True)
class PrintedRow:
    """One row: #Param in millions and GFLOPs as printed, None where the table has none; and the network they are of.

    origin: the paper that printed the numbers first, whose way of counting they keep. config: None where the network
    is not built here. less: the numbers are differences to this network's. remark: why not, or what is inferred.
    """

    table: str
    label: str
    params_m: str | None
    gflops: str | None
    origin: str
    config: ModelConfig | None = None
    task: Task = "classification"
    size: ImageSize = (224, 224)
    less: ModelConfig | None = None
    remark: str = ""

    @property
    def convention(self) -> Convention:
        """How the paper that printed the numbers first counts."""
        return CONVENTIONS[self.origin]


def _small(name: str, widths: tuple[int, ...] = (64, 128, 320, 512), **parts: Any) -> PVTConfig:
    stages = map(StageConfig, (4, 2, 2, 2), widths, (3, 4, 6, 3), (1, 2, 5, 8), (8, 8, 4, 4), SPATIAL_8421)
    return PVTConfig(name=name, stages=tuple(stages), **parts)


WIDE_SMALL = _small("pvt_small_wide", (89, 178, 445, 712))
SMALL_OVERLAPPING = _small("pvt_small_overlap", patch_embed="overlap", position="none")
VIT_SMALL_4 = PVTConfig(
    name="vit_small_4_768", stages=(StageConfig(4, 768, 8, 8, 3),), patch_norm=False, qkv_bias=False
)
WIDTHS_INFERRED = (
    "widths 89, 178, 445, 712 are an inference: 1.4 times, as the paper says, down to multiples of the heads"
)
POSITIONS_INFERRED = "without position embeddings, an inference from its #Param"
COLUMN_INFERRED = "maps of layers 2, 4, 6 and 8, as the paper says; brought to the pyramid's grids without parameters"

_NOT_BUILT_V1 = """
T2T-ViTt-14 22.0 6.1
TNT-S       23.8 5.2
T2T-ViTt-19 39.0 9.8
T2T-ViTt-24 64.0 15.0
TNT-B       66.0 14.1
"""

_NOT_BUILT_V2 = """
RegNetY-4G    21.0 4.0
T2T-ViTt-14   22.0 6.1
TNT-S         23.8 5.2
Swin-T        29.0 4.5
CvT-13        20.0 4.5
CoaT-Lite-S   20.0 4.0
Twins-SVT-S   24.0 2.8
RegNetY-8G    39.0 8.0
T2T-ViTt-19   39.0 9.8
CvT-21        32.0 7.1
T2T-ViTt-24   64.0 15.0
TNT-B         66.0 14.1
Swin-S        50.0 8.7
Twins-SVT-B   56.0 8.3
RegNetY-16G   84.0 16.0
Swin-B        88.0 15.4
Twins-SVT-L   99.2 14.8
"""

# Rows of PVT v1's Table 2 that PVT v2's repeats.
_REPEATED_IMAGENET = (
    "resnet18",
    "deit_tiny",
    "pvt_tiny",
    "resnet50",
    "resnext50_32x4d",
    "deit_small",
    "pvt_small",
    "resnet101",
    "resnext101_32x4d",
    "pvt_medium",
    "pvt_large",
    "resnext101_64x4d",
    "vit_base",
    "deit_base",
)

# #Param and GFLOPs with ResNet-50, Swin-T, PVTv2-B2-Li and PVTv2-B2.
_DETECTORS = """
Cascade Mask R-CNN | 82 739  | 86 745  | 80 725  | 83 788
ATSS               | 32 205  | 36 215  | 30 194  | 33 258
GFL                | 32 208  | 36 215  | 30 197  | 33 261
Sparse R-CNN       | 106 166 | 110 172 | 104 151 | 107 215
"""


def _imagenet_v1() -> Iterator[PrintedRow]:
    table = PVT_V1_TABLE_2
    for name, preset in PRESETS.items():
        for row in preset.published:
            if row.source == table:
                label = f"{name}, {row.note}" if "recipe" in row.note else name
                yield PrintedRow(table, label, str(row.params_m), str(row.gmacs), V1, preset.config)
    yield from _not_built(_NOT_BUILT_V1, table, V1)


def _imagenet_v2() -> Iterator[PrintedRow]:
    table = PVT_V2_TABLE_2
    for name, preset in PRESETS.items():
        for row in preset.published:
            if row.source == table:
                yield PrintedRow(table, name, str(row.params_m), str(row.gmacs), V2, preset.config)
    for name in _REPEATED_IMAGENET:
        row = PRESETS[name].published[0]
        yield PrintedRow(table, name, str(row.params_m), str(row.gmacs), V1, PRESETS[name].config)
    yield from _not_built(_NOT_BUILT_V2, table, V2)


def _not_built(text: str, table: str, origin: str) -> Iterator[PrintedRow]:
    for line in text.strip().splitlines():
        label, params_m, gflops = line.split()
        yield PrintedRow(table, label, params_m, gflops, origin, remark="the architecture is not built here")


def _dense(origin: str) -> Iterator[PrintedRow]:
    """Rows of a paper's own dense tables, once for all schedules that share a row."""
    for row in PUBLISHED_DENSE:
        if row.source.startswith(origin) and row.schedule != LONG:
            label = f"{row.network}, {row.schedule}" if row.schedule == STEPS_320K else row.network
            gflops = None if row.gmacs is None else str(row.gmacs)
            config = PRESETS[row.network].config
            yield PrintedRow(row.source, label, str(row.params_m), gflops, origin, config, row.task, SIZES[row.task])


def _dense_v2(table: str, *tasks: Task) -> Iterator[PrintedRow]:
    """Rows of a table of PVT v2, its own and those it repeats from PVT v1's."""
    for row in (*_dense(V2), *_dense(V1)):
        if row.task in tasks and row.label in PRESETS:
            label = f"{row.label}, {row.task}" if len(tasks) > 1 else row.label
            yield replace(row, table=f"{V2}, {table}", label=label)


def _ablations_v1() -> Iterator[PrintedRow]:
    small, medium, resnet50 = (PRESETS[name].config for name in ("pvt_small", "pvt_medium", "resnet50"))
    size = SIZES["retinanet"]
    for label, params_m, config, remark in (
        ("vit_small_4_768", "60.9", VIT_SMALL_4, COLUMN_INFERRED),
        ("vit_small_32_768", "60.8", PRESETS["vit_small_32_768"].config, COLUMN_INFERRED),
        ("pvt_small", "34.2", small, ""),
    ):
        yield PrintedRow(f"{V1}, Table 8", label, params_m, None, V1, config, "retinanet", size, remark=remark)
    yield PrintedRow(f"{V1}, Table 9", "pvt_small, wider", "46.8", None, V1, WIDE_SMALL, remark=WIDTHS_INFERRED)
    yield PrintedRow(f"{V1}, Table 9", "pvt_small, deeper: pvt_medium", "44.2", None, V1, medium)
    table = f"{V1}, Table 10"
    yield PrintedRow(table, "resnet50 + GC r4", "54.2", "279.6", V1, remark="global context blocks are not built here")
    yield PrintedRow(table, "pvt_small", "44.1", "304.4", V1, small, "mask_rcnn", size)
    table = f"{V1}, Table 11"
    yield PrintedRow(table, "resnet50, scale 800", None, "239.3", V1, resnet50, "retinanet", size)
    yield PrintedRow(table, "pvt_small, scale 640", None, "157.2", V1, small, "retinanet", (640, 960))
    yield PrintedRow(table, "pvt_small, scale 800", None, "285.8", V1, small, "retinanet", size)


def _detectors_v2() -> Iterator[PrintedRow]:
    """PVT v2, Table 4: nothing of the detectors is built, but they cancel in the difference of two backbones."""
    table, size = f"{V2}, Table 4", SIZES["retinanet"]
    b2, linear = PRESETS["pvt_v2_b2"].config, PRESETS["pvt_v2_b2_li"].config
    for line in _DETECTORS.strip().splitlines():
        detector, *groups = (part.strip() for part in line.split("|"))
        numbers = [group.split() for group in groups]
        for backbone, (params_m, gflops) in zip(("resnet50", "Swin-T", linear.name, b2.name), numbers, strict=True):
            label = f"{detector}, {backbone}"
            yield PrintedRow(table, label, params_m, gflops, V2, remark="the detector is not built here")
        params_m, gflops = (str(int(of_b2) - int(of_li)) for of_li, of_b2 in zip(numbers[2], numbers[3], strict=True))
        label = f"{detector}, {b2.name} minus {linear.name}"
        yield PrintedRow(table, label, params_m, gflops, V2, b2, "backbone", size, less=linear)


def _ablations_v2() -> Iterator[PrintedRow]:
    table, size = f"{V2}, Table 6", SIZES["retinanet"]
    presets = {name: PRESETS[name].config for name in ("pvt_small", "pvt_v2_b2", "pvt_v2_b2_li")}
    for label, params_m, gflops, origin, config, remark in (
        ("1 pvt_small", "34.2", "285.8", V1, presets["pvt_small"], ""),
        ("2 + overlapping patch embedding", "34.9", "288.6", V2, SMALL_OVERLAPPING, POSITIONS_INFERRED),
        ("3 + convolutional MLP: pvt_v2_b2", "35.1", "290.7", V2, presets["pvt_v2_b2"], ""),
        ("4 + linear SRA: pvt_v2_b2_li", "32.3", "227.4", V2, presets["pvt_v2_b2_li"], ""),
    ):
        yield PrintedRow(table, label, params_m, gflops, origin, config, "retinanet", size, remark=remark)


PRINTED: tuple[PrintedRow, ...] = (
    *_imagenet_v1(),
    *_dense(V1),
    *_ablations_v1(),
    *_imagenet_v2(),
    *_dense_v2("Table 3", "retinanet", "mask_rcnn"),
    *_detectors_v2(),
    *_dense_v2("Table 5", "semantic_fpn"),
    *_ablations_v2(),
)
