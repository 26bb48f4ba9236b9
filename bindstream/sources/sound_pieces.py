"""Blocks of sound at a device's rate to even pieces at 16 kHz, without losing their times."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import MissingPackageError
from bindstream.modalities import MODALITIES

RATE_HZ = round(MODALITIES["audio"].rate_hz)
PIECE = RATE_HZ // 10
"""Samples of a piece: 0.1 s."""


@dataclass(frozen=True)
class Piece:
    """(n,) float32 in [-1, 1] at 16 kHz; begins with its first sample, ends with its last."""

    data: NDArray[np.float32]
    start_ns: int
    end_ns: int
    gap: str = ""


class SoundPieces:
    """Resamples a stream of blocks and cuts it into pieces; pure.

    Within a stretch without gaps each piece begins exactly where the one before ended. The
    resampler (soxr, streaming) hands its output out late but keeps its place: output sample k
    lies at k / 16,000 s of the stretch's input, and gets the time of that place.

    Raises:
        MissingPackageError: soxr is not installed.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._begin("")

    def _begin(self, gap: str) -> None:
        self._resampler = _resampler(self._rate_hz)
        self._marks: deque[tuple[int, int]] = deque()  # input samples so far, and their end in ns
        self._taken = 0
        self._given = 0
        self._waiting = np.zeros(0, np.float32)
        self._gap = gap

    def push(
        self, block: NDArray[np.float32], start_ns: int, end_ns: int, gap: str = ""
    ) -> list[Piece]:
        """Take a block in; a gap, or a block that starts elsewhere, ends the stretch before."""
        pieces = self.flush(gap) if gap else []
        if not self._marks:
            self._marks.append((0, start_ns))
        self._taken += len(block)
        self._marks.append((self._taken, end_ns))
        self._resample(block, last=False)
        while len(self._waiting) >= PIECE:
            pieces.append(self._piece(PIECE))
        return pieces

    def flush(self, gap: str = "") -> list[Piece]:
        """End the stretch: what is left of it, if anything. The next one begins with `gap`."""
        pieces = []
        if self._marks:
            self._resample(np.zeros(0, np.float32), last=True)
            if len(self._waiting):
                pieces.append(self._piece(len(self._waiting)))
        self._begin(gap)
        return pieces

    def _resample(self, block: NDArray[np.float32], *, last: bool) -> None:
        out = block if self._resampler is None else self._resampler.resample_chunk(block, last)
        self._waiting = np.concatenate((self._waiting, out))

    def _piece(self, size: int) -> Piece:
        data, self._waiting = self._waiting[:size], self._waiting[size:]
        start_ns = self._time_ns(self._given)
        self._given += size
        end_ns = self._time_ns(self._given)
        gap, self._gap = self._gap, ""
        while len(self._marks) > 2 and self._marks[1][0] * RATE_HZ <= self._given * self._rate_hz:
            self._marks.popleft()
        # Clipped here, since resampling makes what was clipped before swing over again.
        return Piece(np.clip(data, -1, 1), start_ns, end_ns, gap)

    def _time_ns(self, given: int) -> int:
        """When output sample `given` of the stretch begins, between the ends of blocks."""
        at = min(given * self._rate_hz / RATE_HZ, self._marks[-1][0])
        before, after = self._marks[0], self._marks[-1]
        for mark in self._marks:
            if mark[0] <= at:
                before = mark
            if mark[0] >= at:
                after = mark
                break
        if after[0] == before[0]:
            return before[1]
        share = (at - before[0]) / (after[0] - before[0])
        return before[1] + round((after[1] - before[1]) * share)


def _resampler(rate_hz: int) -> Any:
    """A streaming resampler to 16 kHz; None where there is nothing to do."""
    if rate_hz == RATE_HZ:
        return None
    try:
        import soxr
    except ImportError as error:
        raise MissingPackageError(
            f"resampling {rate_hz} Hz sound needs soxr ({error}).",
            fix="pip install 'bindstream[microphone]'",
        ) from None
    return soxr.ResampleStream(rate_hz, RATE_HZ, 1, dtype="float32")
