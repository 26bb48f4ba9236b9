"""Calibration: what a score means on this stream, from the stream's own background.

A score counts by how many robust standard deviations it stands above what the stream usually gives:
z = (value - median) / (1.4826 · MAD), over the last windows in which nothing was going on.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

MAD_TO_SIGMA = 1.4826
"""Makes the median absolute deviation estimate the standard deviation of normal data:
1 / Φ⁻¹(3/4)."""
WARM_UP = 12
"""Windows of background needed before anything is said."""
MEMORY = 900
"""Scores of background remembered: 15 minutes at one window a second, where all are computed."""
LASTING = 300
"""Windows in a row above `off` after which their scores are remembered as background too, repeated
or not. The level is the background once it makes up half of what is remembered."""
SIGMA_LEAST = 0.02
"""Least spread assumed, in cosine: a frozen or synthetic background has next to none, and any
change would then stand out without end."""
SIGMA_UNKNOWN = 0.05
"""Least spread assumed, in cosine, while fewer than `WARM_UP` scores are known because one vector
stood for many windows: nine in ten queries of the demonstration's house have less."""


class Background:
    """The background of one query on one stream.

    Args:
        off: values with a z at or above this are events, and not learned as background unless
            they last for `LASTING` windows.
    """

    def __init__(self, off: float) -> None:
        self._off = off
        self._values: deque[float] = deque(maxlen=MEMORY)
        self._unlearned: list[float] = []
        self._repeats = 0

    @property
    def ready(self) -> bool:
        return bool(self._values) and len(self._values) + self._repeats >= WARM_UP

    def push(self, value: float, *, repeated: bool = False) -> float:
        """z of this value against the background before it; NaN while still warming up.

        Args:
            repeated: this is the score of a vector whose score was pushed before. It moves the
                level of what lasts, but never narrows the spread: the first score that is new
                would then stand out as an event.
        """
        z = self.z(value)
        if not math.isnan(z) and z >= self._off:
            self._unlearned.append(value + self._deviation() if repeated else value)
            if len(self._unlearned) >= LASTING:
                self._values.extend(self._unlearned)
                self._unlearned.clear()
            return z
        self._unlearned.clear()
        if repeated:
            self._repeats = min(self._repeats + 1, WARM_UP)
        else:
            self._values.append(value)
        return z

    def _deviation(self) -> float:
        """How far the background's values lie from their median, one after the other."""
        values = np.fromiter(self._values, np.float64)
        return float(values[len(self._unlearned) % len(values)] - np.median(values))

    def z(self, value: float) -> float:
        if not self.ready:
            return math.nan
        values = np.fromiter(self._values, np.float64)
        median = float(np.median(values))
        sigma = MAD_TO_SIGMA * float(np.median(np.abs(values - median)))
        least = SIGMA_LEAST if len(values) >= WARM_UP else SIGMA_UNKNOWN
        return (value - median) / max(sigma, least)
