"""Motion as ROS 2 messages: one `sensor_msgs/msg/Imu` in CDR for each reading, so that it plots."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_LITTLE_ENDIAN = (0, 1, 0, 0)
"""CDR's encapsulation header; what follows is aligned to its own size, counted from there."""
_NUMBERS = 4 + 9 + 3 + 9 + 3 + 9
"""float64 of a message: orientation, angular velocity, linear acceleration, their covariances."""
_ORIENTATION_W, _ORIENTATION_UNKNOWN = 3, 4
"""Where the quaternion's w stands, and the covariance that says -1 where nothing is known of it."""
_TURNING, _MOVING = slice(13, 16), slice(25, 28)
_TAIL = 8 * _NUMBERS
_UNTIL_NS = 10**9 * (1 << 31)
"""ROS 2 counts seconds in 32 bits."""


def fits_imu(data: NDArray[Any], times_ns: NDArray[np.int64] | None, offset_ns: int) -> bool:
    """Whether readings can be messages: (n, 6) with a time each, all of them after 1970."""
    if times_ns is None or data.ndim != 2 or data.shape[1] != 6:
        return False
    if times_ns.shape != (len(data),) or times_ns.dtype != np.int64:
        return False
    if not len(data):
        return True
    return int(times_ns.min()) + offset_ns >= 0 and int(times_ns.max()) + offset_ns < _UNTIL_NS


def encode_imu(
    data: NDArray[Any], times_ns: NDArray[np.int64], offset_ns: int, frame: str
) -> list[bytes]:
    """(n, 6) float32 m/s² and rad/s as n messages; times are put on the run's clock."""
    layout = _layout(len(frame.encode()) + 1)
    rows = np.zeros(len(data), layout)
    stamps = times_ns + offset_ns
    rows["head"] = _LITTLE_ENDIAN
    rows["sec"], rows["nanosec"] = stamps // 10**9, stamps % 10**9
    rows["length"], rows["frame"] = len(frame.encode()) + 1, frame.encode()
    rows["numbers"][:, _ORIENTATION_W] = 1
    rows["numbers"][:, _ORIENTATION_UNKNOWN] = -1
    rows["numbers"][:, _MOVING] = data[:, :3]
    rows["numbers"][:, _TURNING] = data[:, 3:]
    whole, size = rows.tobytes(), layout.itemsize
    return [whole[i : i + size] for i in range(0, len(whole), size)]


def decode_imu(
    messages: Sequence[bytes], offset_ns: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """(n, 6) float32 and (n,) int64 ns on the sensor's own clock.

    Raises:
        ValueError: these are no messages that `encode_imu` made of one Sample.
    """
    sizes = {len(message) for message in messages}
    if len(sizes) > 1 or min(sizes, default=_TAIL + 20) < _TAIL + 20:
        raise ValueError("messages of motion of different lengths, or too short")
    size = sizes.pop() if sizes else _TAIL + 20
    rows = np.frombuffer(b"".join(messages), np.uint8).reshape(-1, size)
    stamps = np.ascontiguousarray(rows[:, 4:12]).view("<u4").astype(np.int64)
    numbers = np.ascontiguousarray(rows[:, -_TAIL:]).view("<f8").reshape(-1, _NUMBERS)
    data = np.concatenate([numbers[:, _MOVING], numbers[:, _TURNING]], axis=1)
    times_ns = stamps[:, 0] * 10**9 + stamps[:, 1] - offset_ns
    return data.astype(np.float32), times_ns


@lru_cache
def _layout(length: int) -> np.dtype[Any]:
    """A message as a structure, for a frame's name of so many bytes with the zero at its end."""
    padding = -(12 + length) % 8
    return np.dtype(
        [
            ("head", "u1", 4),
            ("sec", "<i4"),
            ("nanosec", "<u4"),
            ("length", "<u4"),
            ("frame", f"S{length + padding}"),
            ("numbers", "<f8", _NUMBERS),
        ]
    )
