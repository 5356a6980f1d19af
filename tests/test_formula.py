"""Laws of formulas: the closed form on symbols is the closed form on numbers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import cases

from pvtsearch.analysis.baselines import network_cost
from pvtsearch.analysis.formula import Formula, Polynomial, divisor, formula
from pvtsearch.cli import run
from pvtsearch.config import NetworkTask
from pvtsearch.presets import PRESETS
from pvtsearch.verification import Case

TASKS: tuple[NetworkTask, ...] = ("classification", "backbone")


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", PRESETS)
def test_the_formula_of_every_preset_equals_its_profile(name: str, task: NetworkTask) -> None:
    """At five sizes, none of them square, MACs, attention products and parameters are equal as integers."""
    config = PRESETS[name].config
    one = formula(config, task=task)
    for multiple in (1, 2, 3, 7, 25):
        size = (one.divisor * multiple, one.divisor * (multiple + 1))
        cost = network_cost(config, size, task).total
        assert (one.macs.at(size), one.matmul.at(size), one.params) == (cost.macs, cost.matmul, cost.params)


@settings(max_examples=40, deadline=None)
@given(case=cases(), height=st.integers(1, 4), width=st.integers(1, 4))
def test_the_formula_of_any_network_equals_its_profile(case: Case, height: int, width: int) -> None:
    """Every kind of network, at every multiple of its divisor."""
    one = formula(case.config, task=case.task)
    size = (one.divisor * height, one.divisor * width)
    cost = network_cost(case.config, size, case.task).total
    assert (one.macs.at(size), one.matmul.at(size), one.params) == (cost.macs, cost.matmul, cost.params)


@settings(max_examples=20, deadline=None)
@given(case=cases())
def test_attention_overtakes_where_a_scan_says(case: Case) -> None:
    """The side found by bisection is the first multiple at which the products outweigh the rest, if there is one."""
    one = formula(case.config, task=case.task)
    sides = range(one.divisor, 400 * one.divisor, one.divisor)
    scanned = next((side for side in sides if one.attention_share(side) > 0.5), None)
    found = one.attention_overtakes()
    assert found == scanned if scanned is not None else found is None or found not in sides


def test_the_divisor_is_what_no_stage_rounds_at() -> None:
    """Strides times reductions, in common: 4 x 8, 8 x 4, 16 x 2 and 32 for PVT v1; the patch for DeiT."""
    assert [divisor(PRESETS[name].config) for name in ("pvt_small", "pvt_v2_b2_li", "deit_small", "resnet50")] == [
        32,
        32,
        16,
        32,
    ]


def test_attention_of_pvt_small_by_hand() -> None:
    """Attention outweighs all else in PVT-Small from 1152 x 1152 on; in linear SRA and in a ResNet it never does."""
    assert formula(PRESETS["pvt_small"].config).attention_overtakes() == 1152
    assert formula(PRESETS["pvt_v2_b2_li"].config).attention_overtakes() is None
    assert formula(PRESETS["resnet50"].config).attention_overtakes() is None


def test_polynomials_are_written_for_people() -> None:
    """Highest power first, fractions exact."""
    one: Formula = formula(PRESETS["pvt_small"].config)
    assert str(one.macs) == "29/512 H^2 W^2 + 73,006 H W + 9,952,256"
    assert str(Polynomial({})) == "0"


def test_the_command_prints_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    """Text says how far it holds; JSON carries the same coefficients."""
    assert run(["formula", "pvt_small"]) == 0
    text = capsys.readouterr().out
    assert "Exact where 32 divides H and W" in text
    assert run(["formula", "pvt_small", "--format", "json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["macs"] == [[2, 2, 29, 512], [1, 1, 73006, 1], [0, 0, 9952256, 1]]
    assert sum(n * 224 ** (h + w) / d for h, w, n, d in data["macs"]) == 3_815_701_504
