"""What inertial sensors put on a line: WitMotion frames, and lines of text."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

from bindstream.sources.witmotion import ACCEL_STEP, GYRO_STEP

Rows = NDArray[np.float32]

TIMED = {
    "header": ["t", "ax", "ay", "az", "gx", "gy", "gz"],
    "time": {"column": "t", "unit": "us", "wrap_bits": 32},
}
"""Options of a source that reads what `csv` makes."""


def witmotion(rows: Rows) -> list[bytes]:
    """A packet a reading of (n, 6) m/s² and rad/s: the accelerometer's frame, the gyroscope's."""
    accel = np.rint(rows[:, :3] / ACCEL_STEP).astype(np.int16)
    gyro = np.rint(rows[:, 3:] / GYRO_STEP).astype(np.int16)
    return [_frame(0x51, a) + _frame(0x52, g) for a, g in zip(accel, gyro, strict=True)]


def _frame(kind: int, values: NDArray[np.int16]) -> bytes:
    body = struct.pack("<BB4h", 0x55, kind, *values.tolist(), 0)
    return body + bytes([sum(body) & 0xFF])


def csv(rows: Rows, *, first_us: int = 0, period_us: int = 5000) -> list[bytes]:
    """Lines `time_us,ax,…,gz`, the time as micros() counts it."""
    stamps = [(first_us + n * period_us) % 2**32 for n in range(len(rows))]
    return [
        (f"{t}," + ",".join(f"{v:.5f}" for v in row) + "\r\n").encode()
        for t, row in zip(stamps, rows, strict=True)
    ]
