"""What every parser of an IMU's bytes yields: six channels in SI units, and what it had to skip."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from bindstream.modalities import MODALITIES

AXES = ("ax", "ay", "az", "gx", "gy", "gz")
STANDARD_GRAVITY = 9.80665
"""m/s², by definition (BIPM)."""
MOST = MODALITIES["imu"].high
"""Beyond this no sensor measures (m/s² or rad/s): a flipped bit or a merged line."""


@dataclass(frozen=True)
class Reading:
    """`values`: accelerometer xyz in m/s² with gravity, gyroscope xyz in rad/s.

    `time_ns` is the device's own time, unwrapped; None where it sends none. `lost` readings are
    known to be missing right before this one.
    """

    values: tuple[float, ...]
    time_ns: int | None = None
    lost: int = 0


class ImuParser(Protocol):
    """Turns bytes, however they are cut, into readings. No bytes make it raise.

    `counts` tallies what was skipped and why; `problem` says what keeps it from reading anything
    ("" = nothing that it can name).
    """

    counts: Counter[str]
    problem: str

    def push(self, data: bytes) -> list[Reading]: ...


def plausible(values: Sequence[float]) -> bool:
    """Whether all six channels are finite and within what a sensor can measure."""
    return all(math.isfinite(value) and abs(value) <= MOST for value in values)
