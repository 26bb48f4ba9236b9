"""The dejittering of the Lab Streaming Layer, written from its published description.

C. Kothe and others, "The lab streaming layer for synchronized multimodal recording" (2024) and the
documentation of liblsl's post-processing: the times at which samples came are regressed on their
numbers by recursive least squares that forgets with a half-life of 90 s, each sample gets the
line's value at its number, and times are kept from going back.
"""

from __future__ import annotations

HALF_LIFE_S = 90.0
UNSURE = 1e10
"""Variance of both coefficients before the first sample."""


class Dejitter:
    """One stream.

    Args:
        rate_hz: the stream's nominal rate, which tells how much a sample forgets.
        slope_s: seconds from one number to the next, at first; 1 / `rate_hz` if None.
    """

    def __init__(
        self, rate_hz: float, half_life_s: float = HALF_LIFE_S, slope_s: float | None = None
    ) -> None:
        self._forget = 2.0 ** (-1.0 / (rate_hz * half_life_s))
        self._offset_s, self.slope_s = 0.0, slope_s or 1.0 / rate_hz
        self._p00, self._p01, self._p11 = UNSURE, 0.0, UNSURE
        self._base: tuple[float, int] | None = None  # number and arrival of the first sample
        self._last_ns = 0

    def place(self, number: float, arrival_ns: int) -> int:
        """Host ns of the sample of this number."""
        if self._base is None:
            self._base = number, arrival_ns
            self._last_ns = arrival_ns
        x, y = number - self._base[0], (arrival_ns - self._base[1]) / 1e9
        u0, u1 = self._p00 + x * self._p01, self._p01 + x * self._p11
        scale = self._forget + u0 + x * u1
        k0, k1 = u0 / scale, u1 / scale
        off = y - (self._offset_s + self.slope_s * x)
        self._offset_s += k0 * off
        self.slope_s += k1 * off
        self._p00 = (self._p00 - k0 * u0) / self._forget
        self._p01 = (self._p01 - k0 * u1) / self._forget
        self._p11 = (self._p11 - k1 * u1) / self._forget
        placed_ns = self._base[1] + round((self._offset_s + self.slope_s * x) * 1e9)
        self._last_ns = max(self._last_ns, placed_ns)
        return self._last_ns
