"""Networks that a search found, measured beside each other and the anchor."""

from __future__ import annotations

from dataclasses import replace

from pvtsearch.analysis.calibration import Calibration, Subject
from pvtsearch.analysis.latency_model import NS
from pvtsearch.calibrate.campaign import Laboratory, measure_group
from pvtsearch.records import Finalist, SearchResult


def measured_finalists(
    result: SearchResult, calibration: Calibration, laboratory: Laboratory, count: int
) -> tuple[Finalist, ...]:
    """So many networks of a front (or all), evenly spaced along it, measured in turns; less those that do not fit.

    Their times are ratios to the anchor's, as the calibration's own: a machine that is slower today slows both.
    """
    positions = _evenly(len(result.front), count)
    subjects = [Subject("held_out", replace(result.front[position].config, name="pvt")) for position in positions]
    rows = {row.subject: row for row in measure_group(calibration, subjects, laboratory)}
    return tuple(
        Finalist(
            position,
            calibration.model.network_ns(subject.part.config),
            round(NS * calibration.seconds(rows[subject])),
        )
        for position, subject in zip(positions, subjects, strict=True)
        if subject in rows
    )


def _evenly(length: int, count: int) -> list[int]:
    """Positions of all of length things or of count of them, both ends among these."""
    if length <= count:
        return list(range(length))
    return sorted({index * (length - 1) // max(1, count - 1) for index in range(count)})
