"""How much one raw window differs from another, in the modality's own unit. No torch, no model.

A `Measure` looks at a window once and keeps little of it: means over blocks, levels, a smoothed
course. Two looks can then be compared. What cannot be compared (another size, NaN) differs by
infinity or NaN, and is within no bound.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bindstream.features.depth import LEAST_VALID, fill
from bindstream.features.thermal import checked
from bindstream.records import ModalityName, Window

BLOCKS = 32
"""Blocks along the short side of a picture: 7 of the 224 pixels that the tower sees, half of one of
its patches. A thing smaller than that hardly counts in the vector, and pixel noise averages out."""
DEPTH_BLOCKS = 16
"""As `BLOCKS`: a depth camera's noise grows with the square of the distance, and needs more pixels
to average out."""
LEAST_PX = 4
"""A block has so many pixels a side at least, or noise would not average out."""
LEAST_COMMON = 0.5
"""Share of a depth block's pixels that must have readings in both frames to be compared one by one;
else the block's own mean is, or where it has none what lies around it."""
PIECE_S = 0.05
"""Sound is as loud as its loudest piece of this length, so that a click counts."""
RATE_HZ = 16000
SMOOTH_S = 0.1
"""Motion is averaged over this: vibration and noise go, a step or an impact stays."""
SAME_ROWS = 0.95
"""Motion windows whose numbers of readings differ by more come from another sensor rate."""

Blocks = NDArray[np.float32]
Change = dict[str, float]
"""Field of the configuration to the amount, in the unit of the field's name."""


class Measure(Protocol):
    """Compares windows of one modality."""

    def look(self, window: Window, span_c: tuple[float, float] | None) -> Any:
        """What has to be kept of a raw window to compare others with it.

        Args:
            span_c: thermal: the span in which the picture would be shown (see
                `bindstream.features.Features.glance`).

        Raises:
            DataError: the window's temperatures cannot be used.
        """

    def change(self, reference: Any, now: Any) -> Change:
        """How much `now` differs from `reference`, both from `look`."""


@dataclass(frozen=True)
class _PictureLook:
    """Shape of a window's frames, the block means of each, and the span they are shown in."""

    shape: tuple[int, ...]
    means: Blocks
    span_c: Blocks

    def largest(self, other: _PictureLook) -> float:
        """The largest difference of a block or of the span; infinity for another resolution."""
        if self.shape != other.shape:
            return math.inf
        spans = np.abs(self.span_c - other.span_c).max(initial=0)
        return float(np.maximum(np.abs(self.means - other.means).max(), spans))


class PictureChange:
    """Vision: the largest change of a block's mean in any colour of either frame, grey levels."""

    def look(self, window: Window, span_c: tuple[float, float] | None) -> _PictureLook:
        means = np.stack([block_means(frame, BLOCKS) for frame in window.data])
        return _PictureLook(window.data.shape, means, np.zeros(0, np.float32))

    def change(self, reference: _PictureLook, now: _PictureLook) -> Change:
        return {"grey_levels": reference.largest(now)}


class HeatChange:
    """Thermal: the largest change of a block's mean, or of an end of the span it is shown in, °C.

    The span counts because a picture looks different when the gain control stretches it anew.
    """

    def look(self, window: Window, span_c: tuple[float, float] | None) -> _PictureLook:
        means = np.stack([block_means(checked(frame), BLOCKS) for frame in window.data])
        return _PictureLook(window.data.shape, means, np.asarray(span_c or (), np.float32))

    def change(self, reference: _PictureLook, now: _PictureLook) -> Change:
        return {"celsius": reference.largest(now)}


@dataclass(frozen=True)
class _DepthLook:
    """A depth frame, (H, W) metres, NaN where there is no reading, and its block means, filled."""

    frame_m: Blocks
    means_m: Blocks


class DepthChange:
    """Depth: the largest change of a block's mean distance, metres.

    Pixels that have a reading in one frame alone say nothing: holes flicker. Where a whole block
    has none, what lies around it counts for it, as for the tower.
    """

    def look(self, window: Window, span_c: tuple[float, float] | None) -> _DepthLook:
        frame = np.asarray(window.data[0], np.float32)
        frame = np.where(np.isfinite(frame) & (frame > 0), frame, np.float32(np.nan))
        read = np.isfinite(frame)
        if read.mean() < LEAST_VALID:
            return _DepthLook(frame, np.full((1, 1), np.nan, np.float32))
        share = block_means(read.astype(np.float32), DEPTH_BLOCKS)
        sums = block_means(np.where(read, frame, np.float32(0)), DEPTH_BLOCKS)
        means = (sums / np.maximum(share, np.float32(1e-6))).astype(np.float32)
        return _DepthLook(frame, fill(means, share >= LEAST_VALID))

    def change(self, reference: _DepthLook, now: _DepthLook) -> Change:
        if reference.frame_m.shape != now.frame_m.shape:
            return {"metres": math.inf}
        step = now.frame_m - reference.frame_m
        both = np.isfinite(step)
        common = block_means(both.astype(np.float32), DEPTH_BLOCKS)
        steps = block_means(np.where(both, step, np.float32(0)), DEPTH_BLOCKS)
        pixelwise = steps / np.maximum(common, np.float32(1e-6))
        changed = np.where(common >= LEAST_COMMON, pixelwise, now.means_m - reference.means_m)
        return {"metres": float(np.abs(changed).max())}


class SoundChange:
    """Audio: the louder of the two windows, dBFS: silence is the same as silence."""

    def look(self, window: Window, span_c: tuple[float, float] | None) -> float:
        return loudest_dbfs(window.data)

    def change(self, reference: float, now: float) -> Change:
        return {"dbfs": float(np.maximum(reference, now))}


@dataclass(frozen=True)
class _MotionLook:
    """`course` (n, 6) smoothed readings, `mean` (6,), `rows` how many readings there were."""

    course: NDArray[np.float64]
    mean: NDArray[np.float64]
    rows: int


class MotionChange:
    """IMU: how far either window strays from the reference's mean at most, m/s² and rad/s.

    With gravity: a device that was turned has changed. A reference that moved is like no window.
    """

    def look(self, window: Window, span_c: tuple[float, float] | None) -> _MotionLook:
        rows = np.asarray(window.data, np.float64)
        times_ns = window.times_ns
        length_s = (times_ns[-1] - times_ns[0]) / 1e9 if times_ns is not None else 0.0
        per_second = (len(rows) - 1) / length_s if length_s > 0 else 0.0
        n = min(max(round(SMOOTH_S * per_second), 1), len(rows))
        sums = np.cumsum(np.vstack([np.zeros((1, rows.shape[1])), rows]), axis=0)
        return _MotionLook((sums[n:] - sums[:-n]) / n, rows.mean(axis=0), len(rows))

    def change(self, reference: _MotionLook, now: _MotionLook) -> Change:
        few, many = sorted((reference.rows, now.rows))
        if few < SAME_ROWS * many:
            return {"accel_ms2": math.inf, "gyro_rads": math.inf}
        strayed = np.concatenate((reference.course, now.course)) - reference.mean
        return {
            "accel_ms2": float(np.linalg.norm(strayed[:, :3], axis=1).max()),
            "gyro_rads": float(np.linalg.norm(strayed[:, 3:], axis=1).max()),
        }


def measure_for(modality: ModalityName) -> Measure:
    return _MEASURES[modality]


_MEASURES: dict[ModalityName, Measure] = {
    "vision": PictureChange(),
    "audio": SoundChange(),
    "thermal": HeatChange(),
    "depth": DepthChange(),
    "imu": MotionChange(),
}


def block_means(picture: NDArray[Any], along_short_side: int) -> Blocks:
    """Means over blocks of a picture (H, W) or (H, W, C): (rows, columns[, C]) float32.

    The blocks are as square as whole pixels allow and cover all of it; a picture that is small has
    fewer. 2 ms for 1920 × 1080 RGB.
    """
    height, width = picture.shape[:2]
    side = max(min(height, width) / along_short_side, LEAST_PX)
    tops, lefts = _edges(height, side), _edges(width, side)
    kind = np.uint32 if picture.dtype == np.uint8 else np.float32
    strips = np.stack([picture[a:b].sum(axis=0, dtype=kind) for a, b in pairwise(tops)])
    sums = np.add.reduceat(strips, lefts[:-1], axis=1)
    sizes = np.diff(tops)[:, None] * np.diff(lefts)
    return np.asarray(sums / sizes.reshape(sizes.shape + (1,) * (sums.ndim - 2)), np.float32)


def _edges(length: int, side: float) -> list[int]:
    count = max(round(length / side), 1)
    return [i * length // count for i in range(count + 1)]


def loudest_dbfs(wave: NDArray[np.floating]) -> float:
    """RMS of the loudest `PIECE_S` of (n,) sound at 16 kHz, dBFS; a constant offset is no sound."""
    piece = min(round(PIECE_S * RATE_HZ), len(wave))
    wave = wave - wave.mean(dtype=np.float64)
    pieces = wave[: len(wave) // piece * piece].reshape(-1, piece)
    power = float((pieces.astype(np.float64) ** 2).mean(axis=1).max())
    return math.nan if math.isnan(power) else 10 * math.log10(max(power, 1e-20))
