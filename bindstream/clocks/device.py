"""A device's own clock, or its count of readings, laid on the host's time.

Delay only ever adds: what a device stamped at tick t arrives at the host's time of t plus some
delay, so the truth lies along the lower envelope of the (tick, arrival) points. `DeviceClock` lays
a line under the recent ones (see `bindstream.clocks.envelope`), and begins a new one where the
device's clock was set. Measured against recursive least squares and the Lab Streaming Layer's
dejittering by bench/time.py: an average follows whatever is delayed, the envelope does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from bindstream.clocks.envelope import Envelope, Point, slope_under

SLEW = 0.05
"""How much faster or slower time runs while it catches up with a better fit: never backwards."""
STEP_NS = 500_000_000
"""A device that was silent for so long has lost readings, though its clock went on."""
EARLY_NS = 100_000_000
"""Delay only adds: an item so much ahead of the line was stamped by a clock that was set forward.
Less is a first line that lay too high."""
FOUND = 2
"""So many items in step with one another, which the line rules out, are a clock that was set: one
alone is a broken stamp."""
BEHIND = 8
"""So many in step, all stamped before what came last but not by much, are a clock that was set back
by a little: fewer may have been overtaken on their way."""

Item = TypeVar("Item")


@dataclass(frozen=True)
class Placed(Generic[Item]):
    """An item whose time is settled: host ns of its tick, and why items are missing before it."""

    item: Item
    tick: int
    host_ns: int
    gap: str = ""


_Held = tuple[Point, Item]


class DeviceClock(Generic[Item]):
    """Gives the items of one device their host times, in order, as soon as they can be told.

    Args:
        tick_ns: nominal host ns of one tick; None where it has to be measured (a count of readings
            of unknown rate).
        window_s: the line is fitted under this much of the past.
        late_s: an item later than the line by more is held until another tells: if that is on time
            it was only delayed, if none is for `settle_s` and they do not catch up, then readings
            were lost or the device's clock stood still, and the fit begins anew with a gap.
        settle_s: how long the first items are held, and those after a jump, so that the first line
            is a good one.

    A clock that was set or began anew is found with the second item that tells so (see `FOUND`,
    `EARLY_NS` and `BEHIND`), counted in `jumps`, and marked by a gap; no line is ever fitted over
    both sides. `dropped` counts items whose stamp cannot be: those that go back, or ahead of their
    own arrival, for a moment only.
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
        self.jumps = 0
        self._tick_ns = tick_ns
        self._envelope = Envelope(round(window_s * 1e9), tick_ns)
        self._late_ns = round(late_s * 1e9)
        self._early_ns = min(EARLY_NS, self._late_ns)
        self._settle_ns = round(settle_s * 1e9)
        self._held: list[_Held[Item]] = []
        self._in_step = 0  # so many of the newest that are held follow one another
        self._waiting_from = Point(0, 0)  # which of those held the line is given time to fit again
        self._settling = True  # what is held gets a line of its own
        self._gap = ""
        self._last: tuple[int, int] | None = None  # tick and host ns given last
        self._measured: float | None = None

    @property
    def slope(self) -> float | None:
        """Host ns of one tick as measured; None before there is a line."""
        return self._envelope.slope

    @property
    def first_slope(self) -> float | None:
        """Host ns of one tick as the first items showed it, whatever is nominal; None before."""
        return self._measured

    @property
    def points(self) -> tuple[Point, ...]:
        """What the line is fitted to, oldest first."""
        return self._envelope.points

    @property
    def uncertainty_ns(self) -> int:
        """How far the least delays of the window lie above the line, typically."""
        return self._envelope.over_ns()

    def place(self, tick: int, arrival_ns: int, item: Item) -> list[Placed[Item]]:
        """Take an item in; returns those whose time is settled now, oldest first."""
        point = Point(tick, arrival_ns)
        if not self._settling and self._fits(point):
            settled = [*self._believable(point), (point, item)]
            for settled_point, _ in settled:
                self._envelope.push(settled_point)
            return self._timed(settled)
        self._hold((point, item))
        if not self._settling:
            self._look_for_jump()
        waited = arrival_ns - self._held[0][0].arrival_ns >= self._settle_ns
        return self._begin() if self._settling and waited else []

    def flush(self) -> list[Placed[Item]]:
        """Settle what is held, as well as can be: the device is gone."""
        if self._held and not self._settling:
            self._forget()
        return self._begin(at_end=True) if self._held else []

    def restart(self, gap: str) -> list[Placed[Item]]:
        """Items are missing from here on: settle what is held, then begin anew with this gap."""
        flushed = self.flush()
        self._settling, self._gap = True, gap
        return flushed

    def _fits(self, point: Point) -> bool:
        delay_ns = self._envelope.delay_ns(point)
        return not self._behind(point) and -self._early_ns <= delay_ns <= self._late_ns

    def _behind(self, point: Point) -> bool:
        return self._last is not None and point.tick < self._last[0]

    def _believable(self, now: Point) -> list[_Held[Item]]:
        """Held items that turn out to have been delayed only."""
        held, self._held = self._held, []
        kept: list[_Held[Item]] = []
        floor = self._last[0] if self._last else now.tick
        for point, item in held:
            if floor <= point.tick <= now.tick:
                kept.append((point, item))
                floor = point.tick
        self.dropped += len(held) - len(kept)
        return kept

    def _look_for_jump(self) -> None:
        """Whether what is held tells that the line holds no more; it is forgotten then."""
        newest = self._held[-1][0]
        delay_ns = self._envelope.delay_ns(newest)
        needed = math.inf
        if delay_ns < 0 or (self._behind(newest) and delay_ns > self._late_ns):
            needed = FOUND
        elif self._behind(newest):
            needed = BEHIND
        if self._in_step >= needed or not self._may_catch_up(newest):
            self._forget()

    def _may_catch_up(self, newest: Point) -> bool:
        """Whether what is held may only be delayed: not for long yet, or by less and less."""
        if len(self._held) == 1:
            self._waiting_from = newest
        if newest.arrival_ns - self._waiting_from.arrival_ns < self._settle_ns:
            return True
        fell_ns = self._envelope.delay_ns(self._waiting_from) - self._envelope.delay_ns(newest)
        self._waiting_from = newest
        return fell_ns > self._early_ns

    def _hold(self, held: _Held[Item]) -> None:
        in_step = bool(self._held) and self._follows(self._held[-1], held)
        self._in_step = self._in_step + 1 if in_step else 1
        self._held.append(held)

    def _follows(self, before: _Held[Item], after: _Held[Item]) -> bool:
        """Whether the device's clock cannot have been set between the two: it neither went back,
        nor ran ahead of the host's."""
        ticks = after[0].tick - before[0].tick
        passed_ns = after[0].arrival_ns - before[0].arrival_ns
        slope = self._tick_ns or self.slope
        return ticks >= 0 and (slope is None or ticks * slope - passed_ns <= self._early_ns)

    def _forget(self) -> None:
        """What is held in one piece begins anew; what came before it cannot be placed."""
        self.dropped += len(self._held) - self._in_step
        self._held, self._settling = self._held[-self._in_step :], True
        self._mark_jump(self._held[0][0])

    def _mark_jump(self, point: Point) -> None:
        self.jumps += 1
        self._gap = self._describe_jump(point)

    def _begin(self, *, at_end: bool = False) -> list[Placed[Item]]:
        """First lines under the held items, one for each piece of them, which settles them; what
        came after a jump goes on being held until there is enough of it."""
        placed: list[Placed[Item]] = []
        self._settling = False
        pieces = self._pieces()
        for i, piece in enumerate(pieces):
            if i:
                self._mark_jump(piece[0][0])
            lasted_ns = piece[-1][0].arrival_ns - piece[0][0].arrival_ns
            if i == len(pieces) - 1 > 0 and lasted_ns < self._settle_ns and not at_end:
                self._held, self._settling = piece, True
            else:
                placed += self._laid(piece)
        return placed

    def _pieces(self) -> list[list[_Held[Item]]]:
        """What is held, parted where the device's clock was set; broken stamps are dropped."""
        held, self._held = self._held, []
        pieces = [held[:1]]
        for each in held[1:]:
            if len(pieces) > 1 and len(pieces[-1]) < BEHIND and self._follows(pieces[-2][-1], each):
                pieces.pop()  # what came before it goes on: these were broken, or overtaken
            if self._follows(pieces[-1][-1], each):
                pieces[-1].append(each)
            else:
                pieces.append([each])
        if len(pieces) > 2 + len(held) // 4:  # the rate is not what it was said to be
            back = [i for i in range(1, len(held)) if held[i][0].tick < held[i - 1][0].tick]
            pieces = [held[back[-1] if back else 0 :]]
        pieces = [piece for piece in pieces[:-1] if len(piece) >= FOUND] + pieces[-1:]
        self.dropped += len(held) - sum(map(len, pieces))
        return pieces

    def _laid(self, piece: list[_Held[Item]]) -> list[Placed[Item]]:
        """A line of their own under these items, and their times on it."""
        points = [point for point, _ in piece]
        self._measured = self._first_slope(points)
        slope = self._tick_ns if self._tick_ns is not None else self._measured
        if slope is None:  # a single reading: any rate will do
            slope = self.slope or 1.0
        self._envelope.begin(points, slope)
        self._last = None
        return self._timed(piece)

    def _describe_jump(self, point: Point) -> str:
        if self._behind(point):
            return "the device began anew"
        off_s = self._envelope.delay_ns(point) / 1e9
        if off_s > 0:
            return f"{off_s:.2f} s of readings are missing"
        if self._tick_ns is None:
            return "the rate of the readings changed"
        return f"the device's clock jumped by {-off_s:.2f} s"

    def _first_slope(self, points: Sequence[Point]) -> float | None:
        if points[-1].tick == points[0].tick or points[-1].arrival_ns == points[0].arrival_ns:
            return None
        # A backlog that came at one go has no slope of its own.
        return slope_under(points) or slope_under([points[0], points[-1]])

    def _timed(self, settled: list[_Held[Item]]) -> list[Placed[Item]]:
        placed = []
        for point, item in settled:
            gap, self._gap = self._gap or self._silence(point.tick), ""
            placed.append(Placed(item, point.tick, self._time_of(point), gap))
        return placed

    def _silence(self, tick: int) -> str:
        if self._last is None:
            return ""
        silent_ns = (tick - self._last[0]) * self._envelope.line.slope
        return f"the device was silent for {silent_ns / 1e9:.2f} s" if silent_ns > STEP_NS else ""

    def _time_of(self, point: Point) -> int:
        """The line's time of the point, approached without ever stepping back."""
        host_ns = self._envelope.line.at(point.tick)
        if self._last is not None:
            step_ns = round((point.tick - self._last[0]) * self._envelope.line.slope)
            off_ns = host_ns - self._last[1] - step_ns
            most_ns = round(step_ns * SLEW)
            host_ns = self._last[1] + step_ns + min(max(off_ns, -most_ns), most_ns)
        self._last = (point.tick, host_ns)
        return host_ns
