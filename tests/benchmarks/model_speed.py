"""Speed of our PVT beside timm's and Hugging Face's at equal weights: what reports/speed/README.md states.

Run: OMP_NUM_THREADS=1 python tests/benchmarks/model_speed.py --models pvt_v2_b2 --batch 1 8 --execution eager compiled
On a GPU: --device cuda --dtype bfloat16. Prints a Markdown table. A round times every implementation once, every other
round in reverse; a ratio is theirs by ours within one round, so that what slows the machine for a while slows both.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator
from itertools import product
from statistics import median
from typing import Any

import timm
import torch
import transformers
from timm.models.pvt_v2 import checkpoint_filter_fn
from torch import Tensor, nn

from pvtsearch.config import PooledReduction, PVTConfig, SpatialReduction
from pvtsearch.models.attention import INNER_EPS
from pvtsearch.models.pvt import build_pvt
from pvtsearch.models.weights import load_weights, official_state_dict
from pvtsearch.presets import PRESETS

OURS, TIMM, HUGGING_FACE = "pvtsearch", "timm", "Hugging Face"
SIDE = 224
CONFIDENCE = 0.95
AGREES = 1e-4  # of the largest score, in float32


def hugging_face(config: PVTConfig) -> nn.Module:
    """Their network of a published configuration, with fresh weights and the official code's mixed eps of norms."""
    stages = config.stages
    ratios = [stage.attention.sr_ratio if isinstance(stage.attention, SpatialReduction) else 1 for stage in stages]
    sizes: dict[str, Any] = {
        "hidden_sizes": [stage.embed_dim for stage in stages],
        "depths": [stage.depth for stage in stages],
        "num_attention_heads": [stage.num_heads for stage in stages],
        "mlp_ratios": [stage.mlp_ratio for stage in stages],
        "num_labels": config.num_classes,
    }
    if config.mlp == "conv":
        pooled = isinstance(stages[0].attention, PooledReduction)
        sizes |= {"sr_ratios": ratios, "linear_attention": pooled, "drop_path_rate": 0.0}
        model: nn.Module = transformers.PvtV2ForImageClassification(transformers.PvtV2Config(**sizes))
    else:
        sizes |= {"sequence_reduction_ratios": ratios}
        model = transformers.PvtForImageClassification(transformers.PvtConfig(**sizes))
    for name, module in model.named_modules():
        if isinstance(module, nn.LayerNorm) and (".patch_embed" in name or ".attention." in name):
            module.eps = INNER_EPS
    return model


def scores(output: Any) -> Tensor:
    """Class scores, however a library wraps them."""
    tensor: Tensor = getattr(output, "logits", output)
    return tensor


def contenders(name: str, device: str, dtype: torch.dtype) -> dict[str, nn.Module]:
    """Every implementation of a preset with the same weights; raises where outputs differ in float32."""
    config = PRESETS[name].config
    if not isinstance(config, PVTConfig):
        raise TypeError(f"{name} is no PVT")
    theirs, ours = hugging_face(config), build_pvt(config)
    load_weights(ours, theirs.state_dict())
    models: dict[str, nn.Module] = {OURS: ours, HUGGING_FACE: theirs}
    if timm.is_model(name):
        models[TIMM] = timm.create_model(name)
        models[TIMM].load_state_dict(checkpoint_filter_fn(official_state_dict(ours), models[TIMM]))
    with torch.no_grad():
        images = torch.randn(1, config.in_chans, SIDE, SIDE)
        expected = scores(ours.eval()(images))
        for library, model in models.items():
            difference = (scores(model.eval()(images)) - expected).abs().max() / expected.abs().max()
            if not difference < AGREES:
                raise RuntimeError(f"{name} of {library} differs by {difference:.1e}")
    return {library: model.to(device, dtype) for library, model in models.items()}


def forward_pass(model: nn.Module, images: Tensor) -> None:
    """In evaluation and inference mode."""
    with torch.inference_mode():
        model(images)


def forward_and_backward(model: nn.Module, images: Tensor) -> None:
    """Up to the gradients of all parameters."""
    scores(model(images)).mean().backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
    model.zero_grad()


PASSES: dict[str, Callable[[nn.Module, Tensor], None]] = {"inference": forward_pass, "training": forward_and_backward}
EXECUTIONS: dict[str, Callable[[nn.Module], Any]] = {
    "eager": lambda model: model,
    "compiled": lambda model: torch.compile(model, dynamic=False),
    "cudagraph": lambda model: torch.compile(model, dynamic=False, mode="reduce-overhead"),
}


def seconds(run: Callable[[], None], wait: Callable[[], None]) -> float:
    """By clock, of one run, with all that a device still has to do."""
    wait()
    start = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - start


def interleaved(
    runs: dict[str, Callable[[], None]], *, rounds: int, wait: Callable[[], None]
) -> dict[str, list[float]]:
    """Seconds of every run, round by round: A B C, then C B A."""
    samples: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds):
        for name in list(runs)[:: 1 - 2 * (number % 2)]:
            samples[name].append(seconds(runs[name], wait))
    return samples


def interval_of_median(values: list[float]) -> tuple[float, float]:
    """The closest pair of order statistics that holds the median with the confidence; of few values their ends."""
    ordered, outside, rank = sorted(values), 0.0, 0
    for low in range(len(ordered) // 2):
        outside += 2 * math.comb(len(ordered), low) / 2 ** len(ordered)
        if outside > 1 - CONFIDENCE:
            break
        rank = low
    return ordered[rank], ordered[-1 - rank]


def ratio(theirs: list[float], ours: list[float]) -> str:
    """The median of paired ratios and its interval."""
    ratios = [other / own for other, own in zip(theirs, ours, strict=True)]
    low, high = interval_of_median(ratios)
    return f"{median(ratios):.2f} ({low:.2f} to {high:.2f})"


def lines(arguments: argparse.Namespace) -> Iterator[str]:
    """A row of the table for every preset, batch and execution."""
    device, dtype = arguments.device, getattr(torch, arguments.dtype)
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    for name, execution in product(arguments.models, arguments.execution):
        models = contenders(name, device, dtype)
        for model in models.values():
            model.train(arguments.direction == "training")
        prepared = {library: EXECUTIONS[execution](model) for library, model in models.items()}
        for batch in arguments.batch:
            images = torch.randn(batch, 3, SIDE, SIDE, device=device, dtype=dtype)
            runs = {library: run_of(arguments.direction, model, images) for library, model in prepared.items()}
            interleaved(runs, rounds=arguments.warm_up, wait=wait)
            samples = interleaved(runs, rounds=arguments.rounds, wait=wait)
            cells = [
                ratio(samples[other], samples[OURS]) if other in samples else "-" for other in (TIMM, HUGGING_FACE)
            ]
            own = f"{1e3 * median(samples[OURS]):.2f}"
            yield f"| {' | '.join([name, arguments.direction, execution, str(batch), own, *cells])} |"


def run_of(direction: str, model: nn.Module, images: Tensor) -> Callable[[], None]:
    """One pass of a model, to be timed."""
    return lambda: PASSES[direction](model, images)


def main() -> None:
    """Print circumstances and the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["pvt_v2_b0", "pvt_v2_b2", "pvt_v2_b2_li", "pvt_tiny"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--execution", nargs="+", default=["eager"], choices=list(EXECUTIONS))
    parser.add_argument("--direction", default="inference", choices=list(PASSES))
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--warm-up", type=int, default=5)
    arguments = parser.parse_args()
    versions = ", ".join(f"{module.__name__} {module.__version__}" for module in (torch, timm, transformers))
    print(f"{versions}; {arguments.device}, {arguments.dtype}, {torch.get_num_threads()} threads, {SIDE}x{SIDE}\n")
    print(f"| preset | pass | execution | batch | {OURS}, ms | {TIMM} / {OURS} | {HUGGING_FACE} / {OURS} |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: |", flush=True)
    for line in lines(arguments):
        print(line, flush=True)


if __name__ == "__main__":
    main()
