"""WitMotion's binary frames: 11 bytes over a serial line, 20 over Bluetooth.

An 11-byte frame is 0x55, its kind, four int16 (little endian) and the low byte of the sum of all
before it; accelerometer (0x51) and gyroscope (0x52) come as a pair. A Bluetooth frame is 0x55
0x61 and nine int16 (accelerometer, gyroscope, angle) without a sum, so that one is only believed
where another follows. Scales: ±16 g and ±2000 °/s over int16 (WitMotion's standard protocol).
"""

from __future__ import annotations

import math
import struct
from collections import Counter

from bindstream.sources.imu_reading import STANDARD_GRAVITY, Reading

HEAD = 0x55
ACCEL, GYRO, BLUETOOTH = 0x51, 0x52, 0x61
KINDS = range(0x50, 0x60)
FRAME, BLUETOOTH_FRAME = 11, 20
ACCEL_STEP = 16 * STANDARD_GRAVITY / 32768  # m/s²
GYRO_STEP = math.radians(2000) / 32768  # rad/s

UNLOCK = bytes.fromhex("FF AA 69 88 B5")
ONLY_ACCEL_GYRO = bytes.fromhex("FF AA 02 06 00")
RATE_200_HZ = bytes.fromhex("FF AA 03 0B 00")
SETUP = (UNLOCK, ONLY_ACCEL_GYRO, RATE_200_HZ)
"""What makes a sensor send accelerometer and gyroscope alone, 200 times a second."""
SETUP_BAUD = 57600
"""200 pairs of 22 bytes a second need 44,000 baud."""


class WitMotionParser:
    """A parser (see `ImuParser`). `counts`: "bad sums" (frames that were slid over), "unpaired"
    (accelerometer without gyroscope or the other way round)."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.problem = ""
        self._buffer = bytearray()
        self._accel: tuple[int, ...] | None = None
        self._bluetooth = False  # the last frame was one: the next needs no witness
        self._lost = 0

    def push(self, data: bytes) -> list[Reading]:
        """Readings whose last byte is in `data`, oldest first."""
        self._buffer += data
        readings: list[Reading] = []
        at = 0
        while (head := self._buffer.find(HEAD, at)) >= 0:
            size = self._frame_at(head)
            if size is None:  # more bytes will tell
                at = head
                break
            if size:
                readings += self._take(bytes(self._buffer[head : head + size]))
            at = head + max(size, 1)
        del self._buffer[: at if head >= 0 else len(self._buffer)]
        return readings

    def _frame_at(self, head: int) -> int | None:
        """Length of the frame that begins there, 0 if none does, None if that cannot be told."""
        have = self._buffer[head : head + BLUETOOTH_FRAME + 2]
        if len(have) < 2:
            return None
        if have[1] == BLUETOOTH:
            return self._bluetooth_at(have)
        self._bluetooth = False
        if have[1] not in KINDS:
            return 0
        if len(have) < FRAME:
            return None
        if sum(have[: FRAME - 1]) & 0xFF != have[FRAME - 1]:
            self.counts["bad sums"] += 1
            return 0
        return FRAME

    def _bluetooth_at(self, have: bytearray) -> int | None:
        if len(have) < BLUETOOTH_FRAME + (0 if self._bluetooth else 2):
            return None
        follows = have[BLUETOOTH_FRAME:] == bytes((HEAD, BLUETOOTH))
        if not (self._bluetooth or follows):
            return 0
        self._bluetooth = True
        return BLUETOOTH_FRAME

    def _take(self, frame: bytes) -> list[Reading]:
        if frame[1] == BLUETOOTH:
            return self._reading(struct.unpack_from("<6h", frame, 2))
        values = struct.unpack_from("<3h", frame, 2)
        if frame[1] == ACCEL:
            if self._accel is not None:
                self._unpaired()
            self._accel = values
        elif frame[1] == GYRO:
            accel, self._accel = self._accel, None
            if accel is not None:
                return self._reading((*accel, *values))
            self._unpaired()
        return []

    def _reading(self, raw: tuple[int, ...]) -> list[Reading]:
        values = [v * ACCEL_STEP for v in raw[:3]] + [v * GYRO_STEP for v in raw[3:]]
        lost, self._lost = self._lost, 0
        return [Reading(tuple(values), lost=lost)]

    def _unpaired(self) -> None:
        self.counts["unpaired"] += 1
        self._lost += 1
