"""What property tests draw from: small, legal networks of every kind. Shared by the test modules."""

from __future__ import annotations

from hypothesis import strategies as st

from pvtsearch.config import PVTConfig
from pvtsearch.verification import Case, draw_case


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A network, an input size (height, width) and a task that go together."""
    return draw_case(lambda options: draw(st.sampled_from(options)))


def configs() -> st.SearchStrategy[PVTConfig]:
    """A small legal network, 1 to 6 stages, parts of both versions mixed."""
    return cases().map(lambda case: case.config)
