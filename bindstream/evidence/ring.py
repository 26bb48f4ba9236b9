"""The last seconds of what one sensor gave, small enough to be held in memory."""

from __future__ import annotations

import bisect
import io
import threading
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName, Sample

MEMORY_BYTES = 32 << 20
"""Memory that a stream's ring may take; the oldest readings go first."""
OVERHEAD_BYTES = 300
"""Counted for each entry beside its readings: an entry, an array, a place in the list."""
LONGEST_SIDE = 960
"""Pictures are held no larger, in pixels: a face at the door is still one."""
JPEG_QUALITY = 80
EVERY_NS: dict[ModalityName, int] = {
    "vision": 200_000_000,
    "thermal": 500_000_000,
    "depth": 500_000_000,
}
"""Of frames no more than one in so long is held: five pictures a second make a film."""
_EARLY_NS = 20_000_000  # frames jitter: one that comes so much too soon is taken all the same
_F16_MOST = 65504.0  # largest number of float16


@dataclass(frozen=True, slots=True)
class Kept:
    """Readings from `start_ns` to `end_ns` (UTC), as they are held.

    `data`: vision a JPEG (bytes); audio (n,) int16 at 16 kHz; thermal (H, W) float16 °C (steps of
    0.06 °C at 100 °C); depth (H, W) float16 metres (steps of 8 mm at 10 m); imu (n, 6) float32,
    with a time each in `times_ns`, (n,) int64.
    """

    start_ns: int
    end_ns: int
    data: Any
    times_ns: NDArray[np.int64] | None = None

    @property
    def bytes(self) -> int:
        held = len(self.data) if isinstance(self.data, bytes) else self.data.nbytes
        times = 0 if self.times_ns is None else self.times_ns.nbytes
        return int(held + times + OVERHEAD_BYTES)


class Ring:
    """Holds the last `keep_s` seconds of capture time, and never over `most_bytes`.

    One thread pushes, others may take. A clock that jumped back by more than `keep_s` empties it.

    `floor_ns` keeps what is newer than it, however old, within the same memory; None for nothing.
    """

    def __init__(
        self, modality: ModalityName, keep_s: float, most_bytes: int = MEMORY_BYTES
    ) -> None:
        self._modality = modality
        self._keep_ns, self._most_bytes = round(keep_s * 1e9), most_bytes
        self._every_ns = EVERY_NS.get(modality, 0) - _EARLY_NS
        self._lock = threading.Lock()
        self._held: list[Kept] = []  # by start
        self._last_ns: int | None = None  # start of the newest frame that was taken
        self.bytes = 0
        self.newest_ns = 0
        self.floor_ns: int | None = None

    def push(self, sample: Sample) -> None:
        """Take readings in; pictures take 5 to 10 ms of one core, all else microseconds."""
        jumped = sample.end_ns < self.newest_ns - self._keep_ns
        if not jumped and self._is_too_soon(sample):
            self.newest_ns = max(self.newest_ns, sample.end_ns)
            return
        kept = packed(self._modality, sample)
        with self._lock:
            if jumped:
                self._held, self.bytes, self.newest_ns = [], 0, sample.end_ns
            self._last_ns = sample.start_ns
            self.newest_ns = max(self.newest_ns, sample.end_ns)
            bisect.insort(self._held, kept, key=lambda one: one.start_ns)
            self.bytes += kept.bytes
            self._trim()

    def _is_too_soon(self, sample: Sample) -> bool:
        if MODALITIES[self._modality].layout != "frames" or self._last_ns is None:
            return False
        return sample.start_ns - self._last_ns < self._every_ns

    def _trim(self) -> None:
        until_ns = self.newest_ns - self._keep_ns
        if self.floor_ns is not None:
            until_ns = min(until_ns, self.floor_ns)
        gone = 0
        while gone < len(self._held) and (
            self.bytes > self._most_bytes or self._held[gone].end_ns < until_ns
        ):
            self.bytes -= self._held[gone].bytes
            gone += 1
        del self._held[:gone]

    def take(self, from_ns: int, until_ns: int) -> list[Kept]:
        """What is held of [from_ns, until_ns], by time; whole entries, so a little more."""
        with self._lock:
            return [k for k in self._held if k.end_ns >= from_ns and k.start_ns <= until_ns]


def packed(modality: ModalityName, sample: Sample) -> Kept:
    """Readings as they are held; a copy."""
    data, times = sample.data, None
    held: Any
    match modality:
        case "vision":
            held = jpeg(data)
        case "audio":
            loud = np.nan_to_num(np.asarray(data, np.float32))
            held = np.round(np.clip(loud, -1, 1) * 32767).astype(np.int16)
        case "imu":
            held = np.array(data, np.float32)
            times = np.array(sample.times_ns, np.int64)
        case _:
            held = np.clip(np.asarray(data, np.float32), -_F16_MOST, _F16_MOST).astype(np.float16)
    return Kept(sample.start_ns, sample.end_ns, held, times)


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """A picture (H, W, 3) uint8 RGB as a JPEG of at most `LONGEST_SIDE` pixels."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    # By a whole number: half the time that any other size takes.
    image = image.reduce(-(-max(image.size) // LONGEST_SIDE))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()
