"""The line under a cloud of (tick, arrival) points: where nothing was delayed.

Of the edges of the points' lower convex hull the one that spans their middle: the line below all
points that lies closest to them (S. Moon, P. Skelly, D. Towsley, "Estimation and removal of clock
skew from network delay measurements", INFOCOM 1999).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

BINS = 30
"""The fit keeps the least delayed point of each of so many stretches of its window."""
SKEW = 0.01
"""How far a clock's rate may be from its nominal one; ceramic resonators are good to 0.5 %."""


class Point(NamedTuple):
    """One stamp of the device and when it arrived, host ns."""

    tick: int
    arrival_ns: int


@dataclass(frozen=True)
class Line:
    """Host time of a tick: `host_ns` at `tick`, `slope` ns a tick."""

    tick: int
    host_ns: int
    slope: float

    def at(self, tick: int) -> int:
        return self.host_ns + round((tick - self.tick) * self.slope)

    def delay_ns(self, point: Point) -> int:
        """How much later than on the line the point arrived; negative: earlier."""
        return point.arrival_ns - self.at(point.tick)


class Envelope:
    """The line under the points of the last `window_ns`, of host time.

    Args:
        tick_ns: nominal host ns of one tick, from which the slope is never far; None if unknown.
    """

    def __init__(self, window_ns: int, tick_ns: float | None) -> None:
        self._window_ns, self._tick_ns = window_ns, tick_ns
        self._bins: deque[Point] = deque()
        self._bin_start = 0
        self._line: Line | None = None

    @property
    def line(self) -> Line:
        """The line as it is; there has to be one."""
        assert self._line is not None
        return self._line

    @property
    def slope(self) -> float | None:
        """Host ns of one tick; None before there is a line."""
        return self._line.slope if self._line else None

    @property
    def points(self) -> tuple[Point, ...]:
        """What the line is fitted to, oldest first."""
        return tuple(self._bins)

    def delay_ns(self, point: Point) -> int:
        return self.line.delay_ns(point)

    def over_ns(self) -> int:
        """How far the points lie above the line: the median; 0 before there are any."""
        over = sorted(self.delay_ns(point) for point in self._bins)
        return max(over[len(over) // 2], 0) if over else 0

    def begin(self, points: Sequence[Point], slope: float) -> None:
        """A line of this slope under these points, and nothing that was before."""
        self._line = under(points, slope)
        self._bins.clear()
        for point in points:
            self._keep(point)

    def push(self, point: Point) -> None:
        """Take a point in, and fit the line anew if that changes it."""
        if self._keep(point):
            self._line = under(self.points, self.fitted_slope())

    def fitted_slope(self) -> float:
        """The slope of the points; of too few to tell it from their jitter the nominal one."""
        points = self.points
        slope = self.line.slope
        span = points[-1].tick - points[0].tick
        if self._tick_ns is not None and span * self._tick_ns < self._window_ns / 3:
            slope = self._tick_ns
        elif span > 0:
            slope = slope_under(points) or slope
        if self._tick_ns is not None:
            slope = min(max(slope, self._tick_ns * (1 - SKEW)), self._tick_ns * (1 + SKEW))
        return slope

    def _keep(self, point: Point) -> bool:
        """Keep the least delayed point of each bin; whether the line has to be fitted anew."""
        bin_ticks = self._window_ns / BINS / self.line.slope
        if not self._bins or point.tick - self._bin_start >= bin_ticks:
            self._bin_start = point.tick
            self._bins.append(point)
            if len(self._bins) > BINS:
                self._bins.popleft()
            return True
        if self.delay_ns(point) < self.delay_ns(self._bins[-1]):
            self._bins[-1] = point
        return self.delay_ns(point) < 0


def under(points: Sequence[Point], slope: float) -> Line:
    """The highest line of this slope that has no point below it, anchored at the newest point."""
    flat = Line(points[-1].tick, points[-1].arrival_ns, slope)
    return Line(flat.tick, flat.host_ns + min(flat.delay_ns(p) for p in points), slope)


def _hull(points: Sequence[Point]) -> list[Point]:
    """The lower convex hull of points in order of their ticks."""
    hull: list[Point] = []
    for point in points:
        if hull and point.tick == hull[-1].tick:
            if point.arrival_ns >= hull[-1].arrival_ns:
                continue
            hull.pop()
        while len(hull) > 1 and _above(hull[-1], hull[-2], point):
            hull.pop()
        hull.append(point)
    return hull


def _above(middle: Point, left: Point, right: Point) -> bool:
    """Whether `middle` lies on or above the line from `left` to `right`."""
    rise = (right.arrival_ns - left.arrival_ns) * (middle.tick - left.tick)
    return (middle.arrival_ns - left.arrival_ns) * (right.tick - left.tick) >= rise


def slope_under(points: Sequence[Point]) -> float:
    """Host ns a tick along the hull's edge that spans the middle of the points; never negative."""
    hull = _hull(points)
    middle = (points[0].tick + points[-1].tick) / 2
    edges = list(pairwise(hull))
    low, high = next(((a, b) for a, b in edges if b.tick >= middle), edges[-1])
    return max((high.arrival_ns - low.arrival_ns) / (high.tick - low.tick), 0.0)
