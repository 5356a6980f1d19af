"""What bounds each stage of a network on a device: arithmetic or memory, and how near its latency comes to the bound.

The roofline of Williams, Waterman and Patterson (2009), with peaks that were measured: a stage takes at least its MACs
over the peak rate, and at least its bytes over the peak bandwidth. Bytes are what its operators read and write, each
operator on its own, weights once; a device that keeps a map in its cache may move less.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pvtsearch.analysis.calibration import Calibration, DevicePeaks
from pvtsearch.analysis.closed_form import pvt_cost
from pvtsearch.analysis.latency_model import NS, Part, pieces_of
from pvtsearch.analysis.pieces import Piece
from pvtsearch.analysis.setting import ELEMENT_BYTES
from pvtsearch.analysis.shapes import shape_of
from pvtsearch.config import PVTConfig

# Elements read and written per element of a map: by norms, linear layers, attention and residual sums of a block.
TOKEN_PASSES, HIDDEN_PASSES, CONV_PASSES, REDUCED_PASSES = 18, 4, 2, 5


@dataclass(frozen=True)
class RooflineRow:
    """One stage, for the whole batch. intensity: MACs for each byte; bound: what the larger of both times is of."""

    stage: int
    macs: int
    bytes_moved: int
    predicted_seconds: float
    peaks: DevicePeaks

    @property
    def intensity(self) -> float:
        """MACs for each byte moved."""
        return self.macs / self.bytes_moved

    @property
    def bound(self) -> str:
        """What the device is short of: `arithmetic` or `memory`."""
        arithmetic = self.intensity >= self.peaks.macs_per_second / self.peaks.bytes_per_second
        return "arithmetic" if arithmetic else "memory"

    @property
    def least_seconds(self) -> float:
        """What the peaks allow."""
        return max(self.macs / self.peaks.macs_per_second, self.bytes_moved / self.peaks.bytes_per_second)

    @property
    def achieved(self) -> float:
        """The share of what the peaks allow that the predicted latency reaches."""
        return self.least_seconds / self.predicted_seconds


def roofline(config: PVTConfig, calibration: Calibration) -> list[RooflineRow]:
    """A row for each stage of a network; none where the peaks of the device were not measured."""
    if calibration.peaks is None:
        return []
    return list(_rows(config, calibration, calibration.peaks))


def _rows(config: PVTConfig, calibration: Calibration, peaks: DevicePeaks) -> Iterator[RooflineRow]:
    setting, size, task = calibration.setting, calibration.image_size, calibration.task
    cost, grids = pvt_cost(config, size, task), config.grids(size)
    learned = config.grids((config.image_size, config.image_size))
    widths = (config.in_chans, *(stage.embed_dim for stage in config.stages))
    for index, stage in enumerate(config.stages):
        counted = pieces_of(Part(config, index), size, task, setting.batch_size)
        elements = sum(times * _elements(piece, setting.batch_size) for times, piece in counted)
        predicted = calibration.model.stage_ns(
            config, index, shape_of(stage), in_chans=widths[index], grid=grids[index], learned=learned[index]
        )
        macs = setting.batch_size * int(cost.stages[index].macs)
        moved = ELEMENT_BYTES[setting.dtype] * int(elements)
        yield RooflineRow(index + 1, macs, moved, int(predicted) / NS, peaks)


def _elements(piece: Piece, batch_size: int) -> int:
    """Elements that the operators of a piece read and write."""
    work = piece.work
    match piece.kind:
        case "embedding":
            read: int = work["embedding columns"] + work["embedding weights"]
            return read + 2 * int(work["embedding elements"])
        case "block":
            hidden = HIDDEN_PASSES + CONV_PASSES * (work["depthwise macs"] > 0)
            reduced = batch_size * piece.sizes["reduced"] * piece.sizes["embed_dim"]
            weights = work["block weights"] + work["reduction weights"]
            maps = TOKEN_PASSES * work["token elements"] + hidden * work["hidden elements"]
            return int(maps + REDUCED_PASSES * reduced + weights)
        case _:
            return 0
