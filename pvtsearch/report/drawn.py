"""Rows as figures draw them: an axis writes M for a million, so nanoseconds become milliseconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pvtsearch.report.quantities import Quantity
from pvtsearch.report.rows import ReportRows

NS_PER_MS = 1e6


def drawn(rows: ReportRows) -> ReportRows:
    """The same rows with latencies in milliseconds, as the quantity `latency_ms`."""
    return replace(
        rows,
        quantities=tuple(map(_quantity, rows.quantities)),
        objectives={_name(name): direction for name, direction in rows.objectives.items()},
        front=tuple(replace(row, values=_values(row.values)) for row in rows.front),
        trials=tuple(replace(row, values=_values(row.values)) for row in rows.trials),
        exact=tuple(map(_values, rows.exact)),
        landmarks=tuple(replace(row, values=_values(row.values)) for row in rows.landmarks),
    )


def _name(name: str) -> str:
    return "latency_ms" if name == "latency_ns" else name


def _values(values: Mapping[str, float]) -> dict[str, float]:
    return {_name(name): value / NS_PER_MS if name == "latency_ns" else value for name, value in values.items()}


def _quantity(quantity: Quantity) -> Quantity:
    if quantity.name != "latency_ns":
        return quantity
    limit = None if quantity.limit is None else quantity.limit / NS_PER_MS
    return replace(quantity, name="latency_ms", limit=limit)
