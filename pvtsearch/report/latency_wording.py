"""Latency in words: what predictions are worth, and what measuring gave."""

from __future__ import annotations

from collections.abc import Mapping

from pvtsearch.records import Prediction, SearchResult
from pvtsearch.report.quantities import plural, readable


def prediction_in_words(result: SearchResult) -> str:
    """Where predicted latencies come from and what they are worth; nothing where none is predicted."""
    prediction = result.prediction
    if prediction is None:
        return ""
    facts = prediction.circumstances
    return (
        f"Latency is predicted, as a sum over stages, from measurements on {facts['device_name']} ({facts['dtype']}, "
        f"batch {facts['batch_size']}, {facts['execution']}). {errors_in_words(prediction.errors)}"
        f"{_beyond_in_words(result, prediction)}"
    )


def _beyond_in_words(result: SearchResult, prediction: Prediction) -> str:
    """How many networks of the front are faster or slower than all that was measured, in a sentence; or nothing."""
    if prediction.range_ns is None:
        return ""
    low, high = prediction.range_ns
    faster = sum(record.cost["latency_ns"] < low for record in result.front)
    slower = sum(record.cost["latency_ns"] > high for record in result.front)
    if not faster + slower:
        return ""
    span = f"{readable('latency_ns', low)} to {readable('latency_ns', high)}"
    counts = (f"{count:,} {name}" for count, name in ((faster, "faster"), (slower, "slower")) if count)
    return (
        f" Whole networks that were measured took {span}; of the {len(result.front):,} of the front, by prediction, "
        f"{' and '.join(counts)}: extrapolated, and those errors say nothing of them."
    )


def errors_in_words(errors: Mapping[str, float]) -> str:
    """How far predictions were off on networks held out, in a sentence."""
    if not errors:
        return "How far it is off was not tested: no networks were held out."
    shares = " and ".join(f"{errors[f'within_{near}_percent'] * 100:.0f} % within {near} %" for near in (5, 10))
    order = f"Kendall's tau {errors['kendall']:.2f}, Spearman's rho {errors['spearman']:.2f}"
    return (
        f"On {errors['count']:,} networks held out predictions were {errors['mape'] * 100:.1f} % off on average (bias "
        f"{errors['bias'] * 100:+.1f} %), {shares}, the worst {errors['worst'] * 100:.1f} % off; {order}."
    )


def finalists_in_words(result: SearchResult) -> str:
    """What measuring a few networks of the front gave; nothing where none was measured."""
    reason = result.circumstances.get("not_measured")
    if not result.finalists:
        return f"No network of the front was measured: {reason}." if reason else ""
    more = f"; {reason}" if reason else ""
    errors = [each.predicted_ns / each.measured_ns - 1 for each in result.finalists]
    off = sum(map(abs, errors)) / len(errors)
    said = f"{plural(len(errors), 'network')} of the front measured: predictions were {off * 100:.1f} % off on average"
    limit = result.budget.limits.get("latency_ns")
    if limit is None:
        return f"{said}{more}."
    held = f"{sum(each.measured_ns <= limit for each in result.finalists):,} of {len(errors):,}"
    return f"{said}, and {held} hold the limit of {readable('latency_ns', limit)} when measured{more}."
