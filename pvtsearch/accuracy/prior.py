"""The accuracy prior: a static score, higher is better, that is told where the published networks lie.

S, the sum of embed_dim over all blocks, put trained networks in order. But it asks for ever more depth and knows
nothing of the MLP, so that its maximum lies in a corner of whatever region it is given. So each width, depth and MLP
ratio earns a credit: the whole of it at the published value, less with the square of the distance, none at the edge of
the envelope. All in integers, stage by stage.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pvtsearch.accuracy.envelope import SLACK, Interval, StageEnvelope, published, published_pit
from pvtsearch.accuracy.frame import Frame
from pvtsearch.config import PVTConfig
from pvtsearch.geometry import Number
from pvtsearch.models.pit_config import PiTConfig

CREDITED = ("embed_dim", "depth", "mlp_ratio")

# Of the published network's S, for one knob. At the upper edge a credit falls by 2 x CREDIT / log(1 + SLACK) = 1 per
# unit of log knob: S, of which a stage has at most the whole, gains no more there. So nothing pays beyond the edge.
CREDIT = math.log(1 + SLACK) / 2


class _Stage(Protocol):
    """What S and its credits read of a stage."""

    @property
    def embed_dim(self) -> int: ...
    @property
    def depth(self) -> int: ...
    @property
    def mlp_ratio(self) -> float: ...


def stage_score(depth: Number, embed_dim: Number) -> Number:
    """A stage's part of S."""
    return depth * embed_dim


def stage_prior(index: int, columns: Mapping[str, Any], frame: Frame) -> NDArray[np.int64]:
    """The parts of the prior of options of PVT's stage `index` (from 0): S, and in an envelope its credits."""
    return _with_credits(index, columns, _spans_of(frame))


def size_score(config: PVTConfig | PiTConfig, frame: Frame) -> int:
    """S: the sum over all blocks of their embed_dim."""
    return sum(int(stage_score(stage.depth, stage.embed_dim)) for stage in config.stages)


def prior_score(config: PVTConfig | PiTConfig, frame: Frame) -> int:
    """S with the credits of a frame's envelope; S alone where the frame has no limit on MACs."""
    match config:
        case PVTConfig():
            return _total(config.stages, _spans_of(frame))
        case PiTConfig():
            limit = frame.macs_limit
            return _total(config.stages, None if limit is None else published_pit(limit, frame.image_size))


def _spans_of(frame: Frame) -> Sequence[StageEnvelope] | None:
    return None if frame.macs_limit is None else published(frame.macs_limit, frame.image_size, frame.task)


def _total(stages: Sequence[_Stage], spans: Sequence[StageEnvelope] | None) -> int:
    columns = ({name: np.array([getattr(stage, name)]) for name in CREDITED} for stage in stages)
    return sum(int(_with_credits(index, values, spans)[0]) for index, values in enumerate(columns))


def _with_credits(index: int, columns: Mapping[str, Any], spans: Sequence[StageEnvelope] | None) -> NDArray[np.int64]:
    parts = np.asarray(stage_score(columns["depth"], columns["embed_dim"]), dtype=np.int64)
    if spans is None or index >= len(spans):
        return parts
    shares = sum(_share(columns[name], spans[index][name]) for name in CREDITED)
    return parts + np.rint(CREDIT * _published_size(spans) * shares).astype(np.int64)


def _published_size(spans: Sequence[StageEnvelope]) -> float:
    """S of the published networks: of the middles of their widths and depths."""
    middles = ([(s[name].lower + s[name].upper) / 2 for name in ("depth", "embed_dim")] for s in spans)
    return sum(depth * width for depth, width in middles)


def _share(values: Any, span: Interval) -> NDArray[np.float64]:
    """The share of a credit: 1 inside the published interval, 0 from the envelope's edges on."""
    knob = np.asarray(values, dtype=np.float64)
    below = np.log(np.minimum(knob / span.lower, 1)) / math.log(1 - SLACK)
    above = np.log(np.maximum(knob / span.upper, 1)) / math.log(1 + SLACK)
    share: NDArray[np.float64] = np.maximum(0, 1 - (below + above) ** 2)
    return share
