"""A ring between an audio callback, which must not wait, and the thread that reads."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Block:
    """What one callback brought: (n, channels) float32, sample count and monotonic ns at its end.

    `lost` tells that samples before it are missing.
    """

    data: NDArray[np.float32]
    end: int
    arrival_ns: int
    lost: bool


class SoundRing:
    """Takes blocks from a callback without ever waiting; forgets the oldest when it is full."""

    def __init__(self, frames: int, channels: int) -> None:
        self._frames = np.zeros((frames, channels), np.float32)
        self._written = 0
        self._notes: deque[tuple[int, int, int, float, bool]] = deque()
        self._torn = False

    @property
    def written(self) -> int:
        """Frames that came so far."""
        return self._written

    def write(self, block: NDArray[np.float32], lag_s: float, overflow: bool) -> None:
        """From the callback: copy, and note (end, size, monotonic ns, lag, overflow)."""
        now_ns = time.monotonic_ns()
        size = len(block)
        at = self._written % len(self._frames)
        first = min(size, len(self._frames) - at)
        self._frames[at : at + first] = block[:first]
        self._frames[: size - first] = block[first:]
        self._written += size
        self._notes.append((self._written, size, now_ns, lag_s, overflow))

    def read(self, rate_hz: float) -> list[Block]:
        """The blocks that came since the last call, oldest first; from the reading thread."""
        blocks = []
        while self._notes:
            end, size, now_ns, lag_s, overflow = self._notes.popleft()
            span = np.arange(end - size, end) % len(self._frames)
            data = self._frames[span]
            if self._written - (end - size) > len(self._frames):  # overwritten before or meanwhile
                self._torn = True
                continue
            # The time-stamps of some drivers are wrong: a block's first sample cannot be younger
            # than the block is long.
            known = size / rate_hz <= lag_s < 1
            arrival_ns = now_ns - (round((lag_s - size / rate_hz) * 1e9) if known else 0)
            blocks.append(Block(data, end, arrival_ns, overflow or self._torn))
            self._torn = False
        return blocks
