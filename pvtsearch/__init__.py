"""Pyramid Vision Transformers: what they cost, and which is best for a budget.

Names are resolved when they are first used, so that `import pvtsearch` imports no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pvtsearch.analysis.calibration_document import read_calibration
    from pvtsearch.analysis.formula import formula
    from pvtsearch.analysis.profile import Profile, profile
    from pvtsearch.config import PooledReduction, PVTConfig, ResNetConfig, SpatialReduction, StageConfig
    from pvtsearch.cost import Budget
    from pvtsearch.measurement import measure
    from pvtsearch.models.baselines import build_model
    from pvtsearch.models.pvt import build_pvt
    from pvtsearch.models.weights import load_weights, official_state_dict
    from pvtsearch.presets import PRESETS
    from pvtsearch.search.exact import exact_front
    from pvtsearch.search.run import run_search
    from pvtsearch.search.structured import StructuredSampler
    from pvtsearch.serialize import dump_config, load_config
    from pvtsearch.serialize_space import load_space
    from pvtsearch.space import SearchSpace
    from pvtsearch.verification import verify

_HOMES = {
    "Budget": "cost",
    "PRESETS": "presets",
    "PVTConfig": "config",
    "PooledReduction": "config",
    "Profile": "analysis.profile",
    "ResNetConfig": "config",
    "SearchSpace": "space",
    "SpatialReduction": "config",
    "StageConfig": "config",
    "StructuredSampler": "search.structured",
    "build_model": "models.baselines",
    "build_pvt": "models.pvt",
    "dump_config": "serialize",
    "exact_front": "search.exact",
    "formula": "analysis.formula",
    "load_config": "serialize",
    "load_space": "serialize_space",
    "load_weights": "models.weights",
    "measure": "measurement",
    "official_state_dict": "models.weights",
    "profile": "analysis.profile",
    "read_calibration": "analysis.calibration_document",
    "run_search": "search.run",
    "verify": "verification",
}

__all__ = [
    "PRESETS",
    "Budget",
    "PVTConfig",
    "PooledReduction",
    "Profile",
    "ResNetConfig",
    "SearchSpace",
    "SpatialReduction",
    "StageConfig",
    "StructuredSampler",
    "build_model",
    "build_pvt",
    "dump_config",
    "exact_front",
    "formula",
    "load_config",
    "load_space",
    "load_weights",
    "measure",
    "official_state_dict",
    "profile",
    "read_calibration",
    "run_search",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'pvtsearch' has no attribute '{name}'")
    return getattr(import_module(f"pvtsearch.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
