"""Speed as ratios within one run: machines differ, ratios hold. Run with `pytest -m slow tests/benchmarks`."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pvtsearch.analysis.closed_form import pvt_cost
from pvtsearch.analysis.counted import count_macs_on_meta
from pvtsearch.analysis.metrics import Costing, every_metric
from pvtsearch.analysis.setting import MemorySetting
from pvtsearch.analysis.sweep import Sweep
from pvtsearch.models.pvt import build_pvt
from pvtsearch.serialize import load_config
from pvtsearch.serialize_space import load_space

pytestmark = pytest.mark.slow


def fastest(call: Callable[[], Any], *, repeats: int) -> float:
    """Seconds of the fastest of several calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def process(*arguments: str) -> Callable[[], Any]:
    return lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def test_a_profile_answers_before_torch_is_imported() -> None:
    """The whole process of an analytic profile takes less than half of `import torch`."""
    profile = fastest(process("-m", "pvtsearch", "profile", "pvt_small", "--against", "resnet50"), repeats=5)
    torch = fastest(process("-c", "import torch"), repeats=3)
    print(f"profile {profile:.3f} s, import torch {torch:.3f} s, ratio {profile / torch:.3f}")
    assert profile < torch / 2


def test_the_closed_form_is_a_hundred_times_faster_than_counting() -> None:
    """One network, one by one, against torch's FlopCounterMode on the meta device, the model's building left out."""
    config = load_config("pvt_small")
    model = build_pvt(config, attention="explicit")
    closed = fastest(lambda: pvt_cost(config, (224, 224)), repeats=50)
    counted = fastest(lambda: count_macs_on_meta(model, (224, 224), 3), repeats=5)
    print(f"closed form {closed * 1e6:.0f} us, counted {counted * 1e3:.1f} ms, ratio {counted / closed:.0f}")
    assert counted > 100 * closed


@pytest.mark.parametrize(
    "setting",
    [None, MemorySetting(batch_size=8), MemorySetting(attention="explicit")],
    ids=["sums", "fused", "explicit"],
)
def test_a_million_costs_at_once_are_ten_thousand_times_faster_than_counting(setting: MemorySetting | None) -> None:
    """Costs per second of random configurations of pvt_v1, against FlopCounterMode on the meta device.

    Parameters and MACs; with a setting peak memory of inference and of a training step too.
    """
    space = load_space("pvt_v1")
    costing = every_metric("classification", setting) if setting else Costing()
    sweep = Sweep(space, (224, 224), costing=costing)
    counts = [len(space.templates), *(len(options.stages) for options in space.options)]
    points = np.random.default_rng(0).integers(counts, size=(1_000_000, len(counts)))
    model = build_pvt(load_config("pvt_small"), attention="explicit")
    tables = fastest(lambda: Sweep(space, (224, 224), costing=costing), repeats=2)
    each = fastest(lambda: sweep.costs(points), repeats=3) / len(points)
    counted = fastest(lambda: count_macs_on_meta(model, (224, 224), 3), repeats=5)
    print(
        f"{', '.join(costing.metrics)}: {1 / each:,.0f} configurations/s after {tables:.1f} s of tables, "
        f"counted {1 / counted:.1f}/s, ratio {counted / each:,.0f}"
    )
    assert counted > 10_000 * (each + tables / len(points))
