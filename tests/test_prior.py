"""Laws of the prior and of the envelope it is trusted in."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pvtsearch.accuracy.envelope import QUANTITIES, SLACK, envelope
from pvtsearch.accuracy.families import pit_families, pvt_families, shape_at
from pvtsearch.accuracy.frame import Frame, frame_of
from pvtsearch.accuracy.prior import prior_score
from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.analysis.closed_form import pvt_cost
from pvtsearch.config import PVTConfig, StageConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError, ScoreError
from pvtsearch.presets import PRESETS, V1_PRESETS, V2_PRESETS
from pvtsearch.search.exact import exact_front
from pvtsearch.search.limits import baseline_budget, objectives_of, prior_limits
from pvtsearch.serialize_space import load_space

SIZE = (224, 224)


def preset(name: str) -> PVTConfig:
    config = PRESETS[name].config
    assert isinstance(config, PVTConfig)
    return config


def frame_at(macs: int | None, stages: int = 4) -> Frame:
    """What networks are compared with under a limit on MACs."""
    return frame_of(SIZE, "classification", {} if macs is None else {"macs": macs}, stages)


def test_a_published_network_counts_its_widths() -> None:
    """At PVT-Tiny's MACs, where PVT v2 is hardly narrower, its prior is nearly S: 2 x (64 + 128 + 320 + 512)."""
    tiny = preset("pvt_tiny")
    assert prior_score(tiny, frame_at(pvt_cost(tiny, SIZE).total.macs)) == pytest.approx(2048, rel=0.01)


def test_where_nothing_is_published_there_is_no_prior() -> None:
    """No limit on MACs, or no four stages: refused, as is a search that asks for it; a sum of widths needs neither."""
    for name, frame in (("pvt_small", frame_at(None)), ("deit_tiny", frame_at(10**9, stages=1))):
        with pytest.raises(ScoreError, match="compares with published pyramids"):
            prior_score(preset(name), frame)
    with pytest.raises(InputError, match="got no limit on MACs: give --max-gmacs"):
        exact_front("pvt_v1", ["prior"], Budget({"params": 10**7}), extrapolate=True)
    assert SIGNALS["width_sum"].score(preset("pvt_small"), frame_at(None)) == 192 + 512 + 1920 + 1536


@given(
    st.sampled_from(("embed_dim", "depth", "mlp_ratio")),
    st.integers(0, 3),
    st.sampled_from([*V1_PRESETS, *V2_PRESETS]),
    st.integers(5 * 10**8, 10**10),
)
def test_more_of_anything_never_lowers_it_and_gains_fall_off(knob: str, index: int, name: str, macs: int) -> None:
    """One knob of one stage made larger in two equal steps: the second gains no more, whatever the budget."""
    frame = frame_at(macs)
    stages = preset(name).stages
    made = []
    for factor in (1, 2, 3):
        stage = dataclasses.replace(stages[index], **{knob: getattr(stages[index], knob) * factor})
        made.append(prior_score(dataclasses.replace(preset(name), stages=tuple(map_at(stages, index, stage))), frame))
    assert made[0] <= made[1] <= made[2]
    assert made[2] - made[1] <= made[1] - made[0] + 2  # three parts are rounded, one of them counted twice


def map_at(stages: tuple[StageConfig, ...], index: int, stage: StageConfig) -> list[StageConfig]:
    """Stages with one of them replaced."""
    return [*stages[:index], stage, *stages[index + 1 :]]


def test_a_search_adds_up_what_a_network_scores() -> None:
    """By columns and one by one: the same integers."""
    frame = frame_at(4 * 10**9)
    by_stage = SIGNALS["prior"].by_stage
    assert by_stage is not None
    configs = [preset(name) for name in (*V1_PRESETS, *V2_PRESETS)]
    columns = [
        {knob: np.array([getattr(c.stages[i], knob) for c in configs]) for knob in ("embed_dim", "depth", "mlp_ratio")}
        for i in range(4)
    ]
    total = sum(np.rint(by_stage.of_columns(i, columns[i], frame) * by_stage.scale) for i in range(4))
    assert total.tolist() == [prior_score(config, frame) for config in configs]


def test_a_family_at_its_own_networks_is_these() -> None:
    """PVT and PiT: at the MACs of a published network its own settings, beyond the ends those of the ends."""
    for family in (*pvt_families(SIZE, "classification"), *pit_families()):
        assert [shape_at(family, network.macs) for network in family] == [network.stages for network in family]
        assert shape_at(family, 1) == family[0].stages
        assert shape_at(family, 10**13) == family[-1].stages


def test_small_images_leave_published_networks_out() -> None:
    """Of images of 8 pixels a side PVT-v2-B2-Li alone makes four stages: it is what networks are compared with."""
    published = frame_of((8, 8), "classification", {"macs": 10**6}, 4).published
    assert published is not None
    assert [(s.embed_dim, s.depth) for s in published] == [(64, 3), (128, 4), (320, 6), (512, 3)]


@pytest.mark.parametrize("name", [*V1_PRESETS, *V2_PRESETS])
def test_every_published_network_is_inside_the_envelope_of_its_own_budget(name: str) -> None:
    """Where a published network's cost is the budget, that network is inside: it is what the envelope is around."""
    config = preset(name)
    cost = pvt_cost(config, SIZE)
    for stage, layers, span in zip(config.stages, cost.stages, envelope(cost.total.macs, SIZE), strict=True):
        values = (stage.embed_dim, stage.depth, stage.mlp_ratio, layers.macs / cost.total.macs)
        for quantity, value in zip(QUANTITIES, values, strict=True):
            assert span[quantity].lower <= value <= span[quantity].upper


def test_between_two_networks_the_envelope_is_interpolated_in_log_macs() -> None:
    """Half way in log MACs between PVT-Small and PVT-Medium, stage 3 of v1 is 12 deep, give or take the slack."""
    low, high = (pvt_cost(preset(name), SIZE).total.macs for name in ("pvt_small", "pvt_medium"))
    depth = envelope(round((low * high) ** 0.5), SIZE)[2]["depth"]
    v2_low, v2_high = (pvt_cost(preset(name), SIZE).total.macs for name in ("pvt_v2_b2", "pvt_v2_b3"))
    assert v2_low < (low * high) ** 0.5 < v2_high
    assert depth.upper == pytest.approx(12 * (1 + SLACK), rel=0.02)
    assert depth.lower < depth.upper


def test_outside_what_was_published_there_is_no_envelope() -> None:
    """Far below B0 and far above B5 the prior is refused, with the range it is known for."""
    for macs in (10**8, 10**11):
        with pytest.raises(InputError, match=r"0\.453 to 14\.6 GMACs at 224x224"):
            envelope(macs, SIZE)


def test_the_envelope_needs_a_limit_on_macs_and_four_stages() -> None:
    """Without the budget it is made for there is no envelope: the error says what to give."""
    with pytest.raises(InputError, match="needs a limit on MACs"):
        prior_limits(load_space("pvt_v1"), Budget({"params": 10**7}), SIZE, "classification")


def test_every_signal_has_a_card_that_says_what_it_is_worth() -> None:
    """Contract of every signal: validated on something, with n and pair accuracy, and with caveats."""
    for name, signal in SIGNALS.items():
        assert signal.card.signal == name
        assert signal.card.validations
        assert signal.card.caveats
        assert all(0 <= check.pair_percent <= 100 and -1 <= check.tau <= 1 for check in signal.card.validations)
        assert "not an accuracy" in signal.card.meaning


def test_objectives_by_name() -> None:
    """Metrics are minimised, scores maximised; unknown and repeated names are refused."""
    assert [(o.name, o.direction) for o in objectives_of(("prior", "macs"))] == [
        ("prior", "maximize"),
        ("macs", "minimize"),
    ]
    for names, text in (((), "at least one"), (("macs", "macs"), "repeats"), (("mac",), "did you mean 'macs'")):
        with pytest.raises(InputError, match=text):
            objectives_of(names)


def test_a_baseline_budget_is_its_cost() -> None:
    """The budget of ResNet-50 at 224 is its parameters and MACs, and says where it came from."""
    budget = baseline_budget(PRESETS["resnet50"].config, SIZE)
    assert budget.limits == {"params": 25_557_032, "macs": 4_089_184_256}
    assert budget.source == "resnet50 at 224x224, classification"
    with pytest.raises(InputError, match="did you mean 'macs'"):
        baseline_budget(PRESETS["resnet50"].config, SIZE, match=("mac",))
