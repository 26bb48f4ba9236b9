"""Capture times from the stamps a sender puts on its frames, whatever clock it keeps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_NS = 30_000_000_000
"""The least delay is taken over this much of the past: long enough to meet an undelayed frame,
short enough that 100 ppm of drift stay at 3 ms."""
JUMP_NS = 2_000_000_000
"""A stamp this far from where it should be means that the sender's clock was set or restarted, if
the next one agrees: one alone is broken."""
SETTLE_NS = 5_000_000_000
"""A clock that stood still looks like late frames; frames late for this long are one."""
IN_STEP_NS = (-50_000_000, 5_000_000_000)
"""Delays between these mean that the sender keeps UTC (NTP on a local network is good to 50 ms)."""
LEAST_UNCERTAINTY_NS = 10_000_000
UNKNOWN_DELAY_NS = 200_000_000
"""What exposure, encoding and transport of a network camera take together, about."""


@dataclass(frozen=True)
class Placed:
    """A frame's capture time (UTC ns), how wrong it may be, and why frames are missing before."""

    capture_ns: int
    uncertainty_ns: int
    gap: str = ""


class SenderClock:
    """Places stamps of one sender on the host's time.

    Delay only ever adds: arrival less stamp is the clocks' difference plus a delay, so its least
    value over a while is the difference plus the least delay. A sender in step with UTC is
    believed, and may be wrong by no more than that least delay; stamps of any other clock (time
    since boot, zero at the first frame) are laid so that the least delayed frame was captured when
    it arrived.
    """

    def __init__(self) -> None:
        self._delays: deque[tuple[int, int]] = deque()
        self._last_ns: int | None = None  # the newest stamp that was believed
        self._doubtful: tuple[int, int] | None = None  # the last stamp, if it was not; its arrival

    def place(self, stamp_ns: int, arrival_ns: int) -> Placed:
        """Where a frame stamped `stamp_ns` that arrived at `arrival_ns` (UTC ns) belongs.

        A frame whose stamp is not to be believed yet is placed by its arrival.
        """
        gap = ""
        if self._is_doubtful(stamp_ns, arrival_ns):
            before, self._doubtful = self._doubtful, (stamp_ns, arrival_ns)
            if before is None or not _agree(before, self._doubtful):
                return self._by_arrival(arrival_ns)
            gap = self._described(arrival_ns - stamp_ns)
        elif self._is_late_for_long(stamp_ns, arrival_ns):
            gap = self._described(arrival_ns - stamp_ns)
        if gap:
            self._delays.clear()
        self._doubtful, self._last_ns = None, stamp_ns
        self._delays.append((arrival_ns, arrival_ns - stamp_ns))
        while self._delays[0][0] < arrival_ns - WINDOW_NS:
            self._delays.popleft()
        least_ns = self._least_ns
        if _in_step(least_ns):
            return Placed(stamp_ns, max(LEAST_UNCERTAINTY_NS, abs(least_ns)), gap)
        return Placed(stamp_ns + least_ns, UNKNOWN_DELAY_NS, gap)

    @property
    def _least_ns(self) -> int:
        return min(delay for _, delay in self._delays)

    def _by_arrival(self, arrival_ns: int) -> Placed:
        least_ns = self._least_ns
        delay_ns = least_ns if _in_step(least_ns) else 0
        return Placed(arrival_ns - delay_ns, UNKNOWN_DELAY_NS)

    def _is_doubtful(self, stamp_ns: int, arrival_ns: int) -> bool:
        """Whether the stamp is ahead of its arrival, or goes back: no delay does that."""
        if self._last_ns is None:
            return False
        least_ns, delay_ns = self._least_ns, arrival_ns - stamp_ns
        if _in_step(least_ns) and _in_step(delay_ns):
            return False  # within what delays do; a clock in step needs no laying
        return abs(delay_ns - least_ns) > JUMP_NS and (
            delay_ns < least_ns or self._last_ns - stamp_ns > JUMP_NS
        )

    def _is_late_for_long(self, stamp_ns: int, arrival_ns: int) -> bool:
        if self._last_ns is None or self._delays[0][0] >= arrival_ns - SETTLE_NS:
            return False
        delay_ns, least_ns = arrival_ns - stamp_ns, self._least_ns
        if _in_step(least_ns) and _in_step(delay_ns):
            return False
        recent = [d for at, d in self._delays if at >= arrival_ns - SETTLE_NS]
        return bool(recent) and min(*recent, delay_ns) - least_ns > JUMP_NS

    def _described(self, delay_ns: int) -> str:
        back_s = (delay_ns - self._least_ns) / 1e9
        way = f"back by {back_s:.1f}" if back_s > 0 else f"forward by {-back_s:.1f}"
        return f"the sender's clock went {way} s"


def _agree(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Whether a clock that stamps and arrives like this went on between the two."""
    ticks_ns, passed_ns = after[0] - before[0], after[1] - before[1]
    return ticks_ns >= 0 and abs(ticks_ns - passed_ns) <= JUMP_NS


def _in_step(delay_ns: int) -> bool:
    return IN_STEP_NS[0] <= delay_ns <= IN_STEP_NS[1]
