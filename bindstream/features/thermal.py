"""Thermal frames in °C to grey in [0, 1], and on to the thermal tower's (1, 224, 224) input."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import DataError
from bindstream.features.grey import check_frame, grey_image
from bindstream.modalities import MODALITIES

LOW_C, HIGH_C = MODALITIES["thermal"].low, MODALITIES["thermal"].high
MIN_SPAN_C = 8.0  # a scene flatter than this is not stretched into amplified noise
SMOOTHING_S = 5.0
DEAD_SHARE = 0.01  # uncooled arrays come with up to this share of dead pixels
FLAT_C = 1.0  # p1 to p99 under this: a closed shutter (or a wall) fills the picture
LONGEST_HOLD_S = 5.0  # shutters close for under 2 s; a scene flat for longer is really flat


def readings(frame_c: NDArray[np.float32]) -> dict[str, float]:
    """`min_c`, `mean_c` and `max_c` of a frame in °C, which the embedding would lose."""
    return {
        "min_c": float(frame_c.min()),
        "mean_c": float(frame_c.mean(dtype=np.float64)),
        "max_c": float(frame_c.max()),
    }


def grey(frame_c: NDArray[np.float32], low_c: float, high_c: float) -> NDArray[np.float32]:
    """Grey in [0, 1], (H, W) float32: `low_c` and colder is 0, `high_c` and hotter is 1."""
    scaled = (frame_c - np.float32(low_c)) / np.float32(high_c - low_c)
    shown: NDArray[np.float32] = np.clip(scaled, 0, 1)
    return shown


def thermal_image(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """(H, W) grey in [0, 1] to the tower's (1, 224, 224) float32: bicubic, centre crop, no mean.

    Raises:
        DataError: wrong shape or dtype, NaN, or values outside [0, 1].
    """
    return grey_image(grey, "Thermal picture")


def checked(frame_c: NDArray[np.float32]) -> NDArray[np.float32]:
    """The frame as (H, W) float32 in °C; a few dead pixels take the median of the others.

    Raises:
        DataError: wrong shape or dtype, or more than `DEAD_SHARE` of the pixels are not finite or
            beyond what is possible; kelvin hundredths and raw counts are told by their range.
    """
    frame_c = np.asarray(frame_c)
    check_frame(frame_c, "Thermal frame")
    frame_c = frame_c.astype(np.float32, copy=False)
    alive = (frame_c >= LOW_C) & (frame_c <= HIGH_C)  # NaN is neither
    dead = frame_c.size - int(alive.sum())
    if not dead:
        return frame_c
    if dead <= DEAD_SHARE * frame_c.size:
        return np.where(alive, frame_c, np.median(frame_c[alive]))
    if not np.isfinite(frame_c).all():
        raise DataError(f"Thermal frame holds NaN or infinity ({dead} of {frame_c.size} pixels).")
    raise DataError(
        f"Thermal frame runs from {frame_c.min():g} to {frame_c.max():g}, "
        f"{LOW_C:g} to {HIGH_C:g} °C is possible.",
        fix="Check the source's unit: it must give °C, not raw counts or kelvin hundredths.",
    )


class GainControl:
    """Chooses which span of °C the grey picture shows, from frame to frame of one stream.

    By default p1 to p99 of the frames, smoothed over about 5 s of event time, at least 8 °C wide,
    and held while a flat frame (a closed shutter) goes by. With `span_c` the span is fixed.

    Args:
        span_c: (low, high) in °C for a fixed span, such as (10, 45); None for percentiles.
    """

    def __init__(self, span_c: tuple[float, float] | None = None) -> None:
        if span_c is not None and not span_c[0] < span_c[1]:
            raise DataError(f"Thermal span {span_c} is empty.", fix="Give (low, high) in °C.")
        self._fixed = span_c
        self._span: tuple[float, float] | None = None
        self._last_ns = 0

    def push(self, frame_c: NDArray[np.float32], time_ns: int) -> NDArray[np.float32]:
        """Grey in [0, 1], (H, W) float32, of the frame captured at `time_ns`.

        Raises:
            DataError: not (H, W) float °C, NaN, or out of range; the span is left as it was.
        """
        frame_c = checked(frame_c)
        return grey(frame_c, *self.follow(frame_c, time_ns))

    def follow(self, frame_c: NDArray[np.float32], time_ns: int) -> tuple[float, float]:
        """The span (low, high) in °C that shows this frame, as `checked` gave it.

        The same frame again changes nothing.
        """
        if self._fixed is not None:
            return self._fixed
        low, high = self._smooth(frame_c, time_ns)
        missing = max(MIN_SPAN_C - (high - low), 0)
        return low - missing / 2, high + missing / 2

    def _smooth(self, frame_c: NDArray[np.float32], time_ns: int) -> tuple[float, float]:
        low, high = (float(value) for value in np.percentile(frame_c, (1, 99)))
        since_s = max(0.0, (time_ns - self._last_ns) / 1e9)
        if self._span is None:
            self._span, self._last_ns = (low, high), time_ns
        elif high - low >= FLAT_C or since_s > LONGEST_HOLD_S:
            share = 1 - math.exp(-since_s / SMOOTHING_S)
            was_low, was_high = self._span
            self._span = (was_low + share * (low - was_low), was_high + share * (high - was_high))
            self._last_ns = max(time_ns, self._last_ns)
        return self._span
