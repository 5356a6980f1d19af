"""`pvtsearch formula`: what a network costs, as polynomials in the input's height and width."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer

from pvtsearch.analysis.formula import Formula, Polynomial
from pvtsearch.analysis.formula import formula as formula_of
from pvtsearch.config import NetworkTask
from pvtsearch.serialize import load_config

SHOWN_SIDES = (224, 512, 1024, 2048)


def formula(
    config: Annotated[str, typer.Argument(metavar="CONFIG", help="A preset or a YAML file.")],
    task: Annotated[NetworkTask, typer.Option(help="What the network is built for.")] = "classification",
    format: Annotated[Literal["text", "json"], typer.Option("--format", help="How to print it.")] = "text",
) -> None:
    """Parameters and MACs as exact polynomials in H and W, and where attention overtakes everything else."""
    result = formula_of(load_config(config), task=task)
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
            f"Exact where {result.divisor} divides H and W. Elsewhere every patch embedding and reduction rounds its "
            "own grid: `pvtsearch profile` gives the exact integer.",
        )
    )


def as_json(result: Formula) -> dict[str, Any]:
    """The same for programs; coefficients as [power of H, power of W, numerator, denominator]."""
    return {
        "name": result.name,
        "task": result.task,
        "divisor": result.divisor,
        "params": result.params,
        "macs": _coefficients(result.macs),
        "matmul": _coefficients(result.matmul),
        "attention_overtakes_side": result.attention_overtakes(),
    }


def _coefficients(polynomial: Polynomial) -> list[list[int]]:
    return [[h, w, c.numerator, c.denominator] for (h, w), c in sorted(polynomial.terms.items(), reverse=True)]
