"""The product's clock model with its slope by recursive least squares, to be compared with it."""

from __future__ import annotations

from collections.abc import Sequence

from dejitter import Dejitter

from bindstream.clocks.envelope import Envelope, Point

HALF_LIFE_S = 15.0
"""As long as the product's window of a device that tells its own time."""


class RecursiveEnvelope(Envelope):
    """The rate of all points by recursive least squares, which forgets with a half-life of 15 s;
    the offset below the least delayed of the window, as the product's."""

    def begin(self, points: Sequence[Point], slope: float) -> None:
        lasted_s = (points[-1].arrival_ns - points[0].arrival_ns) / 1e9
        rate_hz = len(points) / max(lasted_s, 1e-3)
        # Seconds where the device tells its time in nanoseconds, which are too many to be squared.
        self._scale = 1e-9 if self._tick_ns is not None else 1.0
        self._rate = Dejitter(rate_hz, HALF_LIFE_S, slope * 1e-9 / self._scale)
        super().begin(points, slope)

    def _keep(self, point: Point) -> bool:
        self._rate.place(point.tick * self._scale, point.arrival_ns)
        return super()._keep(point)

    def fitted_slope(self) -> float:
        lasted_ns = self.points[-1].arrival_ns - self.points[0].arrival_ns
        if lasted_ns < self._window_ns / 3:
            return super().fitted_slope()
        return self._rate.slope_s * 1e9 * self._scale
