"""A sensor that gives the very same readings again and again: frozen, or a recording that loops."""

from __future__ import annotations

import zlib

import numpy as np

from bindstream.modalities import MODALITIES
from bindstream.records import Window

FROZEN_AFTER = 30
"""Windows with the very same readings in a row after which a stream is called frozen: noise makes
every two windows of a living sensor differ."""
ROW_STEP = 4
"""Of pictures every fourth row is looked at: noise is everywhere, and 1920 × 1080 costs 1 ms."""


class FrozenCheck:
    """Counts identical windows of a stream in a row; `warning` says so, "" while all is well."""

    def __init__(self) -> None:
        self._last: int | None = None
        self._times = 0
        self.warning = ""

    def push(self, window: Window) -> None:
        """Take in a raw window."""
        now = _checksum(window)
        self._times = self._times + 1 if now == self._last else 1
        self._last = now
        self.warning = (
            f"the last {self._times} windows are identical: is the sensor frozen?"
            if self._times >= FROZEN_AFTER
            else ""
        )


def _checksum(window: Window) -> int:
    data = window.data
    match MODALITIES[window.modality].layout:
        case "frames":
            data = data[-1, ::ROW_STEP]
        case "readings":  # how many there are may differ by one, their extremes do not
            data = np.stack([data.min(axis=0), data.max(axis=0)])
    return zlib.crc32(np.ascontiguousarray(data).data)
