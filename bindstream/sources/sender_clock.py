"""Capture times from the stamps a sender puts on its frames, whatever clock it keeps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW_NS = 30_000_000_000
"""The least delay is taken over this much of the past: long enough to meet an undelayed frame,
short enough that 100 ppm of drift stay at 3 ms."""
JUMP_NS = 2_000_000_000
"""A stamp this far from where it should be means that the sender's clock was set or restarted."""
SETTLE_NS = 5_000_000_000
"""A clock set back looks like late frames; frames late for this long are a clock set back."""
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

    def place(self, stamp_ns: int, arrival_ns: int) -> Placed:
        """Where a frame stamped `stamp_ns` that arrived at `arrival_ns` (UTC ns) belongs."""
        delay_ns = arrival_ns - stamp_ns
        gap = self._jumped(delay_ns, arrival_ns)
        if gap:
            self._delays.clear()
        self._delays.append((arrival_ns, delay_ns))
        while self._delays[0][0] < arrival_ns - WINDOW_NS:
            self._delays.popleft()
        least_ns = min(delay for _, delay in self._delays)
        if _in_step(least_ns):
            return Placed(stamp_ns, max(LEAST_UNCERTAINTY_NS, abs(least_ns)), gap)
        return Placed(stamp_ns + least_ns, UNKNOWN_DELAY_NS, gap)

    def _jumped(self, delay_ns: int, arrival_ns: int) -> str:
        if not self._delays:
            return ""
        least_ns = min(delay for _, delay in self._delays)
        ahead_ns = least_ns - delay_ns
        if _in_step(least_ns) and _in_step(delay_ns):
            return ""  # within what delays do; a clock in step needs no laying
        if ahead_ns > JUMP_NS:
            return f"the sender's clock went forward by {ahead_ns / 1e9:.1f} s"
        recent = [d for at, d in self._delays if at >= arrival_ns - SETTLE_NS]
        settled = bool(recent) and self._delays[0][0] < arrival_ns - SETTLE_NS
        if settled and min(*recent, delay_ns) - least_ns > JUMP_NS:
            return f"the sender's clock went back by {-ahead_ns / 1e9:.1f} s"
        return ""


def _in_step(delay_ns: int) -> bool:
    return IN_STEP_NS[0] <= delay_ns <= IN_STEP_NS[1]
