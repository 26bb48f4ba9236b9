"""Accelerometer and gyroscope rows to the (6, 2000) input of the IMU tower."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import DataError
from bindstream.modalities import MODALITIES

_IMU = MODALITIES["imu"]
STEPS = _IMU.model_input[1]
RATE_SLACK = 0.98  # a sensor set to 50 Hz may really tick at 49.5
LEAST_GRAVITY = 3.0  # m/s²: a mean below this is g, or gravity was taken out, or a dead sensor
FASTEST_RAD_S = 75.0  # beyond the 4000 °/s of any common gyroscope


def resample(
    times_ns: NDArray[np.int64], readings: NDArray[np.float32], start_ns: int, end_ns: int
) -> NDArray[np.float32]:
    """Linear interpolation to 2,000 evenly spaced steps of [start_ns, end_ns): (6, 2000) float32.

    No mean or deviation is taken out: the tower reads m/s² and rad/s.

    Args:
        times_ns: (n,) int64 capture times, never decreasing; rows may reach past either edge.
        readings: (n, 6) float, accelerometer xyz in m/s² with gravity, gyroscope xyz in rad/s.

    Raises:
        DataError: wrong shape or dtype, NaN, times out of order, a silence over 0.25 s, a rate
            under 50 Hz, or values that cannot be in these units.
    """
    times_ns, readings = np.asarray(times_ns), np.asarray(readings)
    _check_rows(times_ns, readings)
    _check_rate(times_ns, start_ns, end_ns)
    _check_units(readings)
    # Relative to the start: UTC nanoseconds do not fit a float64 exactly.
    seconds = (times_ns - start_ns) / 1e9
    steps = np.arange(STEPS) * ((end_ns - start_ns) / 1e9 / STEPS)
    return np.stack([np.interp(steps, seconds, channel) for channel in readings.T]).astype(
        np.float32
    )


def _check_rows(times_ns: NDArray[np.int64], readings: NDArray[np.float32]) -> None:
    if readings.ndim != 2 or readings.shape[1] != 6:
        raise DataError(
            f"IMU readings have shape {readings.shape}, (n, 6) is needed: "
            "accelerometer xyz in m/s² then gyroscope xyz in rad/s.",
            fix="A sensor without a gyroscope cannot be used.",
        )
    if readings.dtype.kind != "f" or times_ns.dtype.kind != "i":
        raise DataError(
            f"IMU readings are {readings.dtype} at {times_ns.dtype} times, "
            "float32 at int64 nanoseconds are needed."
        )
    if times_ns.shape != (len(readings),):
        raise DataError(f"{len(readings)} IMU readings come with times of shape {times_ns.shape}.")
    if len(readings) < 2:
        raise DataError(f"{len(readings)} IMU readings are too few to interpolate.")
    if not np.isfinite(readings).all():
        raise DataError("IMU readings hold NaN or infinity.")
    if (np.diff(times_ns) < 0).any() or times_ns[0] == times_ns[-1]:
        raise DataError("IMU readings are out of order or all share one capture time.")


def _check_rate(times_ns: NDArray[np.int64], start_ns: int, end_ns: int) -> None:
    if end_ns <= start_ns:
        raise DataError(f"IMU window from {start_ns} to {end_ns} ns is empty.")
    inside = times_ns[(times_ns >= start_ns) & (times_ns < end_ns)]
    before, after = times_ns[times_ns < start_ns][-1:], times_ns[times_ns >= end_ns][:1]
    # Where no row reaches past an edge, the silence is counted from that edge.
    marks = np.concatenate(
        [before if len(before) else [start_ns], inside, after if len(after) else [end_ns]]
    )
    silence_s = float(np.diff(marks).max()) / 1e9
    rate_hz = (len(times_ns) - 1) / ((times_ns[-1] - times_ns[0]) / 1e9)
    if rate_hz < _IMU.rate_hz * RATE_SLACK:
        raise DataError(
            f"IMU comes at {rate_hz:.1f} Hz, at least {_IMU.rate_hz:g} Hz is needed.",
            fix="Raise the sensor's output rate (and its baud rate to match).",
        )
    if silence_s > _IMU.max_gap_s:
        raise DataError(
            f"IMU was silent for {silence_s:.2f} s, at most {_IMU.max_gap_s:g} s can be bridged."
        )


def _check_units(readings: NDArray[np.float32]) -> None:
    gravity = float(np.linalg.norm(readings[:, :3], axis=1).mean())
    if gravity < LEAST_GRAVITY or np.abs(readings[:, :3]).max() > _IMU.high:
        raise DataError(
            f"Accelerometer reads {gravity:.2f} on average; with gravity it is about 9.8 m/s².",
            fix="Set accel_unit (g, mg, m/s2), and take total acceleration, gravity included.",
        )
    fastest = float(np.abs(readings[:, 3:]).max())
    if fastest > FASTEST_RAD_S:
        raise DataError(
            f"Gyroscope reads {fastest:g}, more than {FASTEST_RAD_S:g} rad/s is not possible.",
            fix="Set gyro_unit: it looks like °/s.",
        )
