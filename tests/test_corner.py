"""The corner test: what the prior is maximised by, exactly, is no corner of its envelope or of the space."""

from __future__ import annotations

import pytest

from pvtsearch.accuracy.envelope import QUANTITIES, StageEnvelope, envelope, published
from pvtsearch.config import PVTConfig
from pvtsearch.presets import PRESETS
from pvtsearch.search.exact import exact_front
from pvtsearch.search.limits import baseline_budget
from pvtsearch.serialize_space import load_space
from pvtsearch.space import SearchSpace

SIZE = (224, 224)
KNOBS = [name for name in QUANTITIES if name != "macs"]  # what the envelope bounds and the space chooses
NEAR = 0.05  # of a bound of the envelope: no step of a knob is smaller, so the next value lies outside
ALLOWED = 0.25
NARROWEST = 0.75  # of the published width of stage 3


def at_bounds(space: SearchSpace, spans: tuple[StageEnvelope, ...], config: PVTConfig) -> list[str]:
    """The knobs at, or within 5 % of, a bound of their envelope, or at an end of what the space offers."""
    found = []
    for index, (stage, span, options) in enumerate(zip(config.stages, spans, space.options, strict=True)):
        for knob in KNOBS:
            value, offered, interval = getattr(stage, knob), options.columns[knob], span[knob]
            inside = interval.lower * (1 + NEAR) < value < interval.upper * (1 - NEAR)
            if not inside or value in (offered.min(), offered.max()):
                found.append(f"stage {index + 1} {knob} {value}")
    return found


def is_corner(space: SearchSpace, macs_limit: int, config: PVTConfig) -> bool:
    """More than a quarter of the knobs at bounds, or stage 3 narrower than 0.75 of the published width."""
    found = at_bounds(space, envelope(macs_limit, SIZE), config)
    narrow = config.stages[2].embed_dim < NARROWEST * published(macs_limit, SIZE)[2]["embed_dim"].lower
    return len(found) > ALLOWED * len(KNOBS) * len(config.stages) or narrow


@pytest.mark.parametrize("budget", ["resnet18", "resnet50", "resnet101"])
@pytest.mark.parametrize("name", ["pvt_v1", "pvt_v2"])
def test_the_maximiser_of_the_prior_is_no_corner(name: str, budget: str) -> None:
    """The network with the highest prior of the whole space, proven, under each budget's parameters and MACs."""
    space, limit = load_space(name), baseline_budget(PRESETS[budget].config, SIZE).limits["macs"]
    (best,) = exact_front(space, ["prior"], budget).front
    assert not is_corner(space, limit, best.config), at_bounds(space, envelope(limit, SIZE), best.config)


@pytest.mark.parametrize("budget", ["resnet18", "resnet50", "resnet101"])
@pytest.mark.parametrize("name", ["pvt_v1", "pvt_v2"])
def test_the_sum_of_widths_alone_fails(name: str, budget: str) -> None:
    """S, within the same envelope and limits, is maximised by corners: the test can tell."""
    space, limit = load_space(name), baseline_budget(PRESETS[budget].config, SIZE).limits["macs"]
    (best,) = exact_front(space, ["widths"], budget).front
    assert is_corner(space, limit, best.config)


@pytest.mark.parametrize("name", ["pvt_tiny", "pvt_small", "pvt_medium", "pvt_v2_b1", "pvt_v2_b2", "pvt_v2_b3"])
def test_published_networks_are_no_corners(name: str) -> None:
    """Neither would the test refuse what was published."""
    config = PRESETS[name].config
    assert isinstance(config, PVTConfig)
    limit = baseline_budget(config, SIZE).limits["macs"]
    assert not is_corner(
        load_space("pvt_v1" if name in ("pvt_tiny", "pvt_small", "pvt_medium") else "pvt_v2"), limit, config
    )
