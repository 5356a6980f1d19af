"""`pvtsearch formula`: what a network costs, as polynomials in the input's height and width."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from pvtsearch.analysis.formula import Formula
from pvtsearch.analysis.formula import formula as formula_of
from pvtsearch.analysis.memory_formula import MemoryFormula
from pvtsearch.analysis.polynomials import Polynomial
from pvtsearch.analysis.setting import Dtype
from pvtsearch.cli import values
from pvtsearch.config import AttentionKernel
from pvtsearch.serialize import load_config

SHOWN_SIDES = (224, 512, 1024, 2048)


def formula(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A preset or a YAML file.")],
    task: values.TaskOption = "classification",
    batch_size: Annotated[int, typer.Option(help="Images that peak memory is computed for.")] = 1,
    dtype: Annotated[Dtype, typer.Option(help="Type of weights and activations, for peak memory.")] = "float32",
    attention: Annotated[AttentionKernel, typer.Option(help="How attention is computed, for memory.")] = "fused",
    format: Annotated[Literal["text", "json"], typer.Option("--format", help="How to print it.")] = "text",
) -> None:
    """Parameters, MACs and peak memory as exact polynomials in H and W, and where attention overtakes all else."""
    result = formula_of(load_config(config), task=task, batch_size=batch_size, dtype=dtype, attention=attention)
    print(json.dumps(as_json(result), indent=2) if format == "json" else as_text(result))


def as_text(result: Formula) -> str:
    """The polynomials, attention's share at some sizes, and how far the formula holds."""
    overtakes = result.attention_overtakes()
    verdict = "never" if overtakes is None else f"from {overtakes}x{overtakes} on"
    shares = ", ".join(f"{result.attention_share(side):.1%} at {side}x{side}" for side in SHOWN_SIDES)
    return "\n".join(
        (
            f"{result.name}, {result.task}, one image of H x W",
            f"params = {result.params:,}",
            f"MACs   = {result.macs}",
            f"  of which attention products: {result.matmul}",
            f"Attention products: {shares}; more than all else {verdict}.",
            *(memory_lines(result.memory) if result.memory else ()),
            f"Exact where {result.divisor} divides H and W. Elsewhere every patch embedding and reduction rounds its "
            "own grid: `pvtsearch profile` gives the exact integer.",
        )
    )


def memory_lines(memory: MemoryFormula) -> list[str]:
    """Peak memory as the largest of polynomials, each with the stage and part that reach it."""
    setting = memory.setting
    lines = [
        f"memory = the largest of these, in bytes; batch {setting.batch_size}, {setting.dtype}, "
        f"{setting.attention} attention:",
        *(f"  {peak.name}, {peak.part}: {peak.peak_bytes}" for peak in memory.peaks),
    ]
    for (height, width), peak_bytes in memory.exceptions.items():
        lines.append(f"  but {peak_bytes:,} at {height}x{width}, where a stage has a single token")
    return lines


def as_json(result: Formula) -> dict[str, Any]:
    """The same for programs; coefficients as [power of H, power of W, numerator, denominator]."""
    entry = {
        "name": result.name,
        "task": result.task,
        "divisor": result.divisor,
        "params": result.params,
        "macs": _coefficients(result.macs),
        "matmul": _coefficients(result.matmul),
        "attention_overtakes_side": result.attention_overtakes(),
    }
    return entry | (_memory_entry(result.memory) if result.memory else {})


def _memory_entry(memory: MemoryFormula) -> dict[str, Any]:
    setting = memory.setting
    return {
        "batch_size": setting.batch_size,
        "dtype": setting.dtype,
        "attention": setting.attention,
        "inference_peak_bytes": [
            {"name": peak.name, "part": peak.part, "bytes": _coefficients(peak.peak_bytes)} for peak in memory.peaks
        ],
        "inference_peak_exceptions": [[*size, peak_bytes] for size, peak_bytes in memory.exceptions.items()],
    }


def _coefficients(polynomial: Polynomial) -> list[list[int]]:
    return [[h, w, *c.as_integer_ratio()] for (h, w), c in sorted(polynomial.terms.items(), reverse=True)]
