"""A device's own clock, or its count of readings, laid on the host's time.

Delay only ever adds: what a device stamped at tick t arrives at the host's time of t plus some
delay, so the truth lies along the lower envelope of the (tick, arrival) points. `DeviceClock` fits
a line under the recent ones: the edge of their lower convex hull that spans their middle, the line
below all points that lies closest to them (S. Moon, P. Skelly, D. Towsley, "Estimation and removal
of clock skew from network delay measurements", INFOCOM 1999).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar

BINS = 30
"""The fit keeps the least delayed point of each of so many stretches of its window."""
SKEW = 0.01
"""How far a clock's rate may be from its nominal one; ceramic resonators are good to 0.5 %."""
SLEW = 0.05
"""How much faster or slower time runs while it catches up with a better fit: never backwards."""
STEP_NS = 500_000_000
"""A device that was silent for so long has lost readings, though its clock went on."""

Item = TypeVar("Item")


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


@dataclass(frozen=True)
class Placed(Generic[Item]):
    """An item whose time is settled: host ns of its tick, and why items are missing before it."""

    item: Item
    tick: int
    host_ns: int
    gap: str = ""


class DeviceClock(Generic[Item]):
    """Gives the items of one device their host times, in order, as soon as they can be told.

    Args:
        tick_ns: nominal host ns of one tick; None where it has to be measured (a count of readings
            of unknown rate).
        window_s: the line is fitted under this much of the past.
        late_s: an item off the line by more is held until a later one tells: if those are on time
            again it was only delayed, if none is for `settle_s` then readings were lost or the
            device's clock was set, and the fit begins anew with a gap.
        settle_s: how long the first items are held, so that the first line is a good one.

    `dropped` counts items whose stamp cannot be: those that go back, or ahead of their own
    arrival, for a moment only.
    """

    def __init__(
        self,
        *,
        tick_ns: float | None,
        window_s: float = 15.0,
        late_s: float = 0.25,
        settle_s: float = 0.5,
    ) -> None:
        self.dropped = 0
        self._tick_ns = tick_ns
        self._window_ns = round(window_s * 1e9)
        self._late_ns = round(late_s * 1e9)
        self._settle_ns = round(settle_s * 1e9)
        self._held: list[tuple[Point, Item]] = []
        self._line: Line | None = None
        self._bins: deque[Point] = deque()
        self._bin_start = 0
        self._gap = ""
        self._last: tuple[int, int] | None = None  # tick and host ns given last
        self._measured: float | None = None

    @property
    def slope(self) -> float | None:
        """Host ns of one tick as measured; None before there is a line."""
        return self._line.slope if self._line else None

    @property
    def first_slope(self) -> float | None:
        """Host ns of one tick as the first items showed it, whatever is nominal; None before."""
        return self._measured

    @property
    def uncertainty_ns(self) -> int:
        """How far the least delays of the window lie above the line, typically."""
        if self._line is None or not self._bins:
            return 0
        over = sorted(self._line.delay_ns(point) for point in self._bins)
        return max(over[len(over) // 2], 0)

    def place(self, tick: int, arrival_ns: int, item: Item) -> list[Placed[Item]]:
        """Take an item in; returns those whose time is settled now, oldest first."""
        point = Point(tick, arrival_ns)
        if self._line is not None and self._fits(point):
            held, self._held = self._held, []
            settled = [*self._believable(held, point), (point, item)] if held else [(point, item)]
            for settled_point, _ in settled:
                if self._keep(settled_point):
                    self._fit()
            return self._timed(settled)
        self._held.append((point, item))
        if arrival_ns - self._held[0][0].arrival_ns < self._settle_ns:
            return []
        return self._begin()

    def flush(self) -> list[Placed[Item]]:
        """Settle what is held, as well as can be: the device is gone."""
        return self._begin() if self._held else []

    def restart(self, gap: str) -> list[Placed[Item]]:
        """Items are missing from here on: settle what is held, then begin anew with this gap."""
        flushed = self.flush()
        self._line, self._gap = None, gap
        return flushed

    def _fits(self, point: Point) -> bool:
        assert self._line is not None
        ahead = self._last is None or point.tick >= self._last[0]
        return ahead and abs(self._line.delay_ns(point)) <= self._late_ns

    def _believable(self, held: list[tuple[Point, Item]], now: Point) -> list[tuple[Point, Item]]:
        """Held items that turn out to have been delayed only."""
        kept: list[tuple[Point, Item]] = []
        floor = self._last[0] if self._last else held[0][0].tick
        for point, item in held:
            if floor <= point.tick <= now.tick:
                kept.append((point, item))
                floor = point.tick
        self.dropped += len(held) - len(kept)
        return kept

    def _begin(self) -> list[Placed[Item]]:
        """A first line under the held items, which settles them."""
        held, self._held = self._held, []
        if self._line is not None:
            self._gap = self._describe_jump(held[0][0])
        back = [i for i in range(1, len(held)) if held[i][0].tick < held[i - 1][0].tick]
        if back:  # the device began anew while it was being held
            self.dropped += back[-1]
            held = held[back[-1] :]
        points = [point for point, _ in held]
        self._measured = self._first_slope(points)
        slope = self._tick_ns if self._tick_ns is not None else self._measured
        if slope is None:  # a single reading: any rate will do
            slope = self._line.slope if self._line else 1.0
        self._line = _under(points, slope)
        self._bins.clear()
        for point in points:
            self._keep(point)
        self._last = None
        return self._timed(held)

    def _describe_jump(self, point: Point) -> str:
        assert self._line is not None
        if self._last is not None and point.tick < self._last[0]:
            return "the device began anew"
        off_s = self._line.delay_ns(point) / 1e9
        if off_s > 0:
            return f"{off_s:.2f} s of readings are missing"
        if self._tick_ns is None:
            return "the rate of the readings changed"
        return f"the device's clock jumped by {-off_s:.2f} s"

    def _first_slope(self, points: Sequence[Point]) -> float | None:
        if points[-1].tick == points[0].tick or points[-1].arrival_ns == points[0].arrival_ns:
            return None
        # A backlog that came at one go has no slope of its own.
        return _slope(points) or _slope([points[0], points[-1]])

    def _timed(self, settled: list[tuple[Point, Item]]) -> list[Placed[Item]]:
        placed = []
        for point, item in settled:
            gap, self._gap = self._gap or self._silence(point.tick), ""
            placed.append(Placed(item, point.tick, self._time_of(point), gap))
        return placed

    def _silence(self, tick: int) -> str:
        assert self._line is not None
        if self._last is None:
            return ""
        silent_ns = (tick - self._last[0]) * self._line.slope
        return f"the device was silent for {silent_ns / 1e9:.2f} s" if silent_ns > STEP_NS else ""

    def _time_of(self, point: Point) -> int:
        """The line's time of the point, approached without ever stepping back."""
        assert self._line is not None
        host_ns = self._line.at(point.tick)
        if self._last is not None:
            step_ns = round((point.tick - self._last[0]) * self._line.slope)
            off_ns = host_ns - self._last[1] - step_ns
            most_ns = round(step_ns * SLEW)
            host_ns = self._last[1] + step_ns + min(max(off_ns, -most_ns), most_ns)
        self._last = (point.tick, host_ns)
        return host_ns

    def _keep(self, point: Point) -> bool:
        """Keep the least delayed point of each bin; whether the line has to be fitted anew."""
        assert self._line is not None
        bin_ticks = self._window_ns / BINS / self._line.slope
        if not self._bins or point.tick - self._bin_start >= bin_ticks:
            self._bin_start = point.tick
            self._bins.append(point)
            if len(self._bins) > BINS:
                self._bins.popleft()
            return True
        if self._line.delay_ns(point) < self._line.delay_ns(self._bins[-1]):
            self._bins[-1] = point
        return self._line.delay_ns(point) < 0

    def _fit(self) -> None:
        assert self._line is not None
        points = list(self._bins)
        slope = self._line.slope
        span = points[-1].tick - points[0].tick
        if self._tick_ns is not None and span * self._tick_ns < self._window_ns / 3:
            slope = self._tick_ns  # too short a stretch to tell its rate from its jitter
        elif span > 0:
            slope = _slope(points) or slope
        if self._tick_ns is not None:
            slope = min(max(slope, self._tick_ns * (1 - SKEW)), self._tick_ns * (1 + SKEW))
        self._line = _under(points, slope)


def _under(points: Sequence[Point], slope: float) -> Line:
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


def _slope(points: Sequence[Point]) -> float:
    """Host ns a tick along the hull's edge that spans the middle of the points; never negative."""
    hull = _hull(points)
    middle = (points[0].tick + points[-1].tick) / 2
    edges = list(pairwise(hull))
    low, high = next(((a, b) for a, b in edges if b.tick >= middle), edges[-1])
    return max((high.arrival_ns - low.arrival_ns) / (high.tick - low.tick), 0.0)
