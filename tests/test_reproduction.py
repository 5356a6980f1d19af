"""The papers' #Param and GFLOPs: how many come out, which do not, and that a changed formula is noticed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
import torch

from pvtsearch.analysis import conventions
from pvtsearch.analysis.counted import count_params
from pvtsearch.analysis.printed import PRINTED, SMALL_OVERLAPPING, VIT_SMALL_4
from pvtsearch.analysis.reproduction import (
    REASONS,
    UNKNOWN,
    Entry,
    agreement,
    costed_rows,
    counted_cost,
    reproduction,
)
from pvtsearch.config import ResNetConfig
from pvtsearch.models.baselines import build_model, build_resnet
from pvtsearch.presets import PRESETS
from pvtsearch.published import V1, V2

ROWS = costed_rows()
ENTRIES = reproduction(ROWS)

# Entries reproduced, differing, and of networks that are not built, by table.
COUNTS = {
    (V1, 2): (40, 2, 10),
    (V1, 3): (9, 0, 0),
    (V1, 4): (9, 0, 0),
    (V1, 5): (20, 0, 0),
    (V1, 8): (3, 0, 0),
    (V1, 9): (2, 0, 0),
    (V1, 10): (2, 0, 2),
    (V1, 11): (3, 0, 0),
    (V2, 2): (41, 3, 34),
    (V2, 3): (32, 0, 0),
    (V2, 4): (8, 0, 32),
    (V2, 5): (32, 0, 0),
    (V2, 6): (8, 0, 0),
}
DIFFERING = [
    (f"{V1}, Table 2", "resnet101, its own paper's recipe", "#Param", "44.7", 44_549_160),
    (f"{V1}, Table 2", "resnet101, PVT's recipe", "#Param", "44.7", 44_549_160),
    (f"{V2}, Table 2", "pvt_v2_b0", "#Param", "3.4", 3_666_760),
    (f"{V2}, Table 2", "pvt_v2_b1", "#Param", "13.1", 14_009_000),
    (f"{V2}, Table 2", "resnet101", "#Param", "44.7", 44_549_160),
]


def test_counts_by_table() -> None:
    """209 of 214 entries come out, every GFLOPs among them; 78 are of networks that are not built."""
    found = Counter((entry.table, entry.state) for entry in ENTRIES)
    states = ("reproduced", "differs", "not built")
    tables = {f"{paper}, Table {number}": counts for (paper, number), counts in COUNTS.items()}
    assert list(dict.fromkeys(entry.table for entry in ENTRIES)) == list(tables)
    assert {table: tuple(found[table, state] for state in states) for table in tables} == tables
    assert tuple(map(sum, zip(*COUNTS.values(), strict=True))) == (209, 5, 78)
    assert {entry.quantity for entry in ENTRIES if entry.state == "differs"} == {"#Param"}


def test_the_exceptions_are_these_and_each_has_its_reason() -> None:
    """No more and no fewer, and no reason is left over."""
    differing = [entry for entry in ENTRIES if entry.state == "differs"]
    assert [(e.table, e.label, e.quantity, str(e.printed), e.exact) for e in differing] == DIFFERING
    assert {entry.remark for entry in differing} == set(REASONS.values())
    assert UNKNOWN not in {entry.remark for entry in ENTRIES}
    assert all(entry.remark for entry in ENTRIES if entry.state == "not built")


def test_the_reasons_hold() -> None:
    """ResNet-101 and PVTv2-B0, B1 come out in the dense tables with the parameters that differ from Table 2's."""
    for name in ("resnet101", "pvt_v2_b0", "pvt_v2_b1"):
        dense = [e for e in ENTRIES if e.label.partition(",")[0] == name and "Table 2" not in e.table]
        assert len(dense) >= 4
        assert {entry.state for entry in dense} == {"reproduced"}


def test_one_convention_does_for_each_paper() -> None:
    """All GFLOPs of PVT v1 by paper_v1, neither by MACs, fvcore or paper_v2; PVT v2's own rows by paper_v2 alone."""
    own = {paper: [one for one in ROWS if one.row.origin == paper] for paper in (V1, V2)}
    missed = {
        (paper, convention): sum(n.built - n.reproduced for n in agreement(own[paper], convention).values())
        for paper in own
        for convention in ("macs", "fvcore", "paper_v1", "paper_v2")
    }
    assert missed == {
        (V1, "macs"): 25, (V1, "fvcore"): 30, (V1, "paper_v1"): 0, (V1, "paper_v2"): 3,
        (V2, "macs"): 11, (V2, "fvcore"): 6, (V2, "paper_v1"): 7, (V2, "paper_v2"): 0,
    }  # fmt: skip


def test_a_changed_formula_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """fvcore's 5 for a LayerNorm in the place of mmcv's 2, or no bias of convolutions, and entries stop coming out."""

    def reproduced() -> int:
        return sum(entry.state == "reproduced" for entry in reproduction(ROWS))

    assert reproduced() == 209
    monkeypatch.setattr(conventions, "LAYER_NORM_BY_MMCV", 5)
    assert reproduced() < 209
    monkeypatch.undo()
    without = [
        replace(one, costs=tuple(c._replace(cost=replace(c.cost, conv_bias=0)) for c in one.costs)) for one in ROWS
    ]
    assert sum(entry.state == "reproduced" for entry in reproduction(without)) < 209


def entry(printed: str, exact: int | None, *, is_difference: bool = False) -> Entry:
    return Entry("", "", "#Param", Decimal(printed), exact, is_difference, "", "")


@pytest.mark.parametrize(
    ("printed", "exact", "state", "needs_two_decimals"),
    [
        ("13.0", 12_947_028, "reproduced", True),
        ("12.9", 12_947_028, "differs", False),
        ("12.9", 12_944_999, "reproduced", False),
        ("25.0", 25_049_999, "differs", False),  # 25.05, then 25.1
        ("25.0", 25_044_999, "reproduced", False),
        ("3", 2_809_344, "reproduced", False),
        ("44.7", None, "not built", False),
    ],
)
def test_rounding(printed: str, exact: int | None, state: str, needs_two_decimals: bool) -> None:
    """To two decimals as the official script prints them, then to the table's, halves up."""
    one = entry(printed, exact)
    assert (one.state, one.needs_two_decimals) == (state, needs_two_decimals)


@pytest.mark.parametrize(("exact", "state"), [(2_000_001, "reproduced"), (3_999_999, "reproduced"),
                                              (2_000_000, "differs"), (4_000_000, "differs")])  # fmt: skip
def test_a_difference_of_rounded_numbers_is_known_to_less_than_a_unit(exact: int, state: str) -> None:
    """83 - 80 is more than 2 and less than 4."""
    assert entry("3", exact, is_difference=True).state == state


def test_frozen_parameters_are_those_of_stem_and_stage_1() -> None:
    """The trained parameters of a detector == the built one's without conv1, bn1 and layer1."""
    config = PRESETS["resnet50"].config
    with torch.device("meta"):
        model = build_model(config, task="retinanet")
    frozen = [getattr(model.backbone, name) for name in ("conv1", "bn1", "layer1")]
    trained = count_params(model) - sum(count_params(part) for part in frozen)
    assert counted_cost(config, (800, 1280), "retinanet").cost.params == trained


def test_the_deep_stem_is_that_of_a_built_one() -> None:
    """Three 3x3 convolutions of 32, 32 and 64 channels with BatchNorm in the place of a 7x7; ResNeXts keep that."""
    config = PRESETS["resnet18"].config
    assert isinstance(config, ResNetConfig)
    with torch.device("meta"):
        plain = build_resnet(config, task="backbone")
        convs = [torch.nn.Conv2d(i, o, 3, bias=False) for i, o in ((3, 32), (32, 32), (32, 64))]
        norms = [torch.nn.BatchNorm2d(channels) for channels in (32, 32, 64)]
        whole = count_params(build_model(config, task="semantic_fpn"))
    stem = count_params(plain.conv1) + count_params(plain.bn1)  # type: ignore[arg-type]
    deep = sum(map(count_params, (*convs, *norms)))
    assert counted_cost(config, (512, 512), "semantic_fpn").cost.params == whole - stem + deep
    resnext = PRESETS["resnext101_32x4d"].config
    with torch.device("meta"):
        assert counted_cost(resnext, (64, 64), "semantic_fpn").cost.params == count_params(
            build_model(resnext, task="semantic_fpn")
        )


def test_a_column_has_a_neck_on_four_maps_of_its_width() -> None:
    """PVT v1's Table 8: backbone, three laterals and P6 from 768 channels, and what every RetinaNet has."""
    column, pyramid = (counted_cost(c, (800, 1280), "retinanet").cost for c in (VIT_SMALL_4, SMALL_OVERLAPPING))
    backbones = [counted_cost(c, (224, 224), "backbone").cost.params for c in (VIT_SMALL_4, SMALL_OVERLAPPING)]
    laterals = 256 * (3 * 768 - 128 - 320 - 512)
    assert column.params - backbones[0] - (pyramid.params - backbones[1]) == laterals + 9 * 256 * (768 - 512)


def test_repeated_rows_print_what_was_printed_before() -> None:
    """A row of PVT v2 that keeps PVT v1's counting has numbers that stand in PVT v1 too."""
    before = {
        (row.config, row.task, number)
        for row in PRINTED
        if row.table.startswith(V1)
        for number in (row.params_m, row.gflops)
    }
    repeated = [row for row in PRINTED if row.table.startswith(V2) and row.origin == V1 and row.config]
    assert len(repeated) == 14 + 2 * 9 + 9 + 1
    assert {(row.config, row.task, n) for row in repeated for n in (row.params_m, row.gflops) if n} <= before
