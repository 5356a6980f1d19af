"""Laws of profiles."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from strategies import cases

import pvtsearch
from pvtsearch.analysis.profile import profile
from pvtsearch.errors import ConfigError
from pvtsearch.presets import PRESETS
from pvtsearch.verification import Case

SMALL = PRESETS["pvt_small"].config
RESNET50 = PRESETS["resnet50"].config


@given(case=cases())
def test_stages_and_head_are_the_total(case: Case) -> None:
    """Nothing is counted twice and nothing left over, for every kind of network."""
    one = profile(case.config, image_size=case.image_size, task=case.task)
    assert sum(one.params_by_stage) + one.head["params"] == one.params
    assert sum(one.macs_by_stage) + one.head["macs"] == one.macs
    assert sum(one.by_operator.get(name, 0) for name in ("conv", "linear", "matmul")) == one.macs


def test_an_image_size_is_a_side_or_two() -> None:
    """224 means 224 x 224, and is PVT-Small's own."""
    assert profile(SMALL) == profile(SMALL, image_size=224) == profile(SMALL, image_size=(224, 224))
    assert pvtsearch.verify(replace(SMALL, stages=SMALL.stages[2:]), image_size=32).agrees  # type: ignore[union-attr]


@pytest.mark.parametrize("size", [0, -1, (224,), (224, 0), 224.0, "224", True])
def test_other_image_sizes_are_refused(size: object) -> None:
    """Neither floats nor text nor a side of nothing."""
    with pytest.raises(ConfigError, match="image_size"):
        profile(SMALL, image_size=size)  # type: ignore[arg-type]


def test_an_unknown_task_is_refused() -> None:
    """A task that is misspelt is no classification."""
    with pytest.raises(ConfigError, match=r"task must be classification or backbone or retinanet .*detection"):
        profile(SMALL, task="detection")  # type: ignore[arg-type]


def test_ratios_need_names_that_differ() -> None:
    """Two networks of one name to compare with would hide each other."""
    assert profile(SMALL, against=[RESNET50]).against["resnet50"]["params"] == 24_485_864 / 25_557_032
    with pytest.raises(ConfigError, match="share a name"):
        profile(SMALL, against=[RESNET50, RESNET50])
