"""Laws of the prior and of the envelope it is trusted in."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pvtsearch.accuracy.envelope import QUANTITIES, SLACK, envelope, published
from pvtsearch.accuracy.frame import Frame
from pvtsearch.accuracy.prior import CREDITED, prior_score, size_score, stage_prior, stage_score
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


def test_outside_the_envelope_the_prior_is_s() -> None:
    """S of PVT-Small by hand: 3 x 64 + 4 x 128 + 6 x 320 + 3 x 512."""
    assert prior_score(preset("pvt_small"), Frame(SIZE)) == 192 + 512 + 1920 + 1536
    assert size_score(preset("pvt_small"), Frame(SIZE, macs_limit=4 * 10**9)) == 192 + 512 + 1920 + 1536


def test_a_published_network_has_every_credit() -> None:
    """PVT-Small at its own MACs: S, and 12 credits of log(1.25) / 2 of the published S, rounded stage by stage."""
    config = preset("pvt_small")
    macs = pvt_cost(config, SIZE).total.macs
    spans = published(macs, SIZE)
    size = sum(
        (s["depth"].lower + s["depth"].upper) / 2 * (s["embed_dim"].lower + s["embed_dim"].upper) / 2 for s in spans
    )
    credits = 4 * round(3 * math.log(1.25) / 2 * size)
    assert prior_score(config, Frame(SIZE, macs_limit=macs)) == 4160 + credits


@pytest.mark.parametrize(("knob", "below", "above"), [("depth", 0.75, 1.25), ("mlp_ratio", 0.75, 1.25)])
def test_a_credit_ends_at_the_edges_of_the_envelope(knob: str, below: float, above: float) -> None:
    """From the whole at the published value to nothing at either edge and beyond, always falling on the way."""
    frame = Frame(SIZE, macs_limit=pvt_cost(preset("pvt_small"), SIZE).total.macs)
    span = published(frame.macs_limit or 0, SIZE)[2][knob]
    values = np.linspace(span.lower * below * 0.9, span.upper * above * 1.1, 400)
    columns = {"depth": np.ones(400), "embed_dim": np.ones(400), "mlp_ratio": np.ones(400), knob: values}
    parts = stage_prior(2, columns, frame) - np.asarray(stage_score(columns["depth"], columns["embed_dim"]), np.int64)
    inside = (values >= span.lower) & (values <= span.upper)
    outside = (values <= span.lower * below) | (values >= span.upper * above)
    assert set(parts[inside]) == {parts.max()}
    assert set(parts[outside]) == {parts.min()}
    assert (np.diff(parts[values <= span.upper]) >= 0).all()
    assert (np.diff(parts[values >= span.lower]) <= 0).all()


@pytest.mark.parametrize("name", ["pvt_tiny", "pvt_small", "pvt_v2_b3"])
def test_parts_of_stages_make_the_score(name: str) -> None:
    """The sum over stages that the exact search makes large is the score of the network."""
    config = preset(name)
    for frame in (Frame(SIZE), Frame(SIZE, macs_limit=5 * 10**9), Frame((512, 768), "backbone", 30 * 10**9)):
        columns = [{knob: np.array([getattr(s, knob)]) for knob in CREDITED} for s in config.stages]
        parts = [int(stage_prior(index, values, frame)[0]) for index, values in enumerate(columns)]
        assert sum(parts) == prior_score(config, frame)


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
