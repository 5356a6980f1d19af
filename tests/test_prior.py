"""Laws of the prior and of the envelope it is trusted in."""

from __future__ import annotations

import pytest

from pvtsearch.accuracy.envelope import QUANTITIES, SLACK, envelope
from pvtsearch.accuracy.prior import prior_score
from pvtsearch.accuracy.signals import SIGNALS
from pvtsearch.analysis.closed_form import pvt_cost
from pvtsearch.config import PVTConfig
from pvtsearch.cost import Budget
from pvtsearch.errors import InputError
from pvtsearch.presets import PRESETS, V1_PRESETS, V2_PRESETS
from pvtsearch.search.limits import baseline_budget, objectives_of, prior_limits
from pvtsearch.serialize_space import load_space

SIZE = (224, 224)


def preset(name: str) -> PVTConfig:
    config = PRESETS[name].config
    assert isinstance(config, PVTConfig)
    return config


def test_prior_of_pvt_small() -> None:
    """S of PVT-Small by hand: 3 x 64 + 4 x 128 + 6 x 320 + 3 x 512."""
    assert prior_score(preset("pvt_small")) == 192 + 512 + 1920 + 1536


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
