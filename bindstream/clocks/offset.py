"""How far another host's clock is ahead of this one's, from exchanges of stamps. Reads no clock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

DRIFT = 200e-6
"""How fast two hosts' clocks may part: quartz is good to 100 ppm, and each may be off its way."""
WANDER = 15e-6
"""How far a rate that was measured is trusted: RFC 5905's frequency tolerance (PHI)."""
DRIFT_MOST = 1e-3
"""Services that keep clocks turn each by 500 ppm at most (adjtimex(2))."""
KEPT_S = 120.0
"""Exchanges are kept for so long: temperature changes a clock's rate within minutes."""
FIT_S = 15.0
"""Over less than this the rate cannot be told from the ways' unlikeness."""
SLEW = 1e-3
"""How fast the offset given out follows a better one: 1 ms a second bends no sound."""
PARTED_NS = 50_000_000
"""Clocks that part by more between two exchanges, beyond all that delays explain, did not drift:
one of the hosts slept."""
OFFSET_MOST_NS = 2**61


@dataclass(frozen=True)
class Offset:
    """`offset_ns` is to be added to this host's times; off by up to `uncertainty_ns`."""

    offset_ns: int
    uncertainty_ns: int


@dataclass(frozen=True)
class Exchange:
    """One probe and its answer: how far the other clock was ahead at this host's `at_ns`, wrong by
    half of `round_trip_ns` at most."""

    at_ns: int
    ahead_ns: int
    round_trip_ns: int

    @classmethod
    def of(cls, sent_ns: int, received_ns: int, answered_ns: int, back_ns: int) -> Exchange | None:
        """Of the four stamps, the first and last of this host; None if they cannot be."""
        held_ns = answered_ns - received_ns
        round_trip_ns = back_ns - sent_ns - held_ns
        ahead_ns = (received_ns - sent_ns + answered_ns - back_ns) // 2
        if held_ns < 0 or round_trip_ns < 0 or abs(ahead_ns) > OFFSET_MOST_NS:
            return None
        return cls((sent_ns + back_ns) // 2, ahead_ns, round_trip_ns)

    @property
    def error_ns(self) -> float:
        return self.round_trip_ns / 2 + 1


class HostOffset:
    """The offset to another host's clock, as it drifts.

    A line through the exchanges of the last two minutes, those of short round trips counting most.
    What is given out follows it without a step, so that times on the other host's clock never go
    back; where the clocks parted (`parted` counts it, `parting` says by how much) it does step, and
    everything from before is forgotten.

    Args:
        unknown_ns: how far apart the clocks may be before the first exchange.
    """

    def __init__(self, unknown_ns: int) -> None:
        self._unknown_ns = unknown_ns
        self._kept: deque[Exchange] = deque()
        self._given: tuple[int, float] | None = None  # when, and what was given out last
        self.parted = 0
        self.parting = ""

    @property
    def known(self) -> bool:
        """Whether there was an exchange yet."""
        return bool(self._kept)

    def push(self, exchange: Exchange) -> None:
        """Take an exchange in; those that came before the newest are too late."""
        if self._kept:
            if exchange.at_ns < self._kept[-1].at_ns:
                return
            ahead_ns, error_ns = self._estimate(exchange.at_ns)
            off_ns = exchange.ahead_ns - ahead_ns
            if abs(off_ns) > error_ns + exchange.error_ns + PARTED_NS:
                self.parted += 1
                self.parting = f"the clocks of two hosts parted by {abs(off_ns) / 1e9:.2f} s"
                self._kept.clear()
                self._given = None
        self._kept.append(exchange)
        while self._kept[0].at_ns < exchange.at_ns - KEPT_S * 1e9:
            self._kept.popleft()

    def at(self, now_ns: int) -> Offset:
        """The offset at this host's `now_ns`, which does not go back from one call to the next."""
        if not self._kept:
            return Offset(0, self._unknown_ns)
        ahead_ns, error_ns = self._estimate(now_ns)
        given_ns = ahead_ns
        if self._given is not None:
            since_ns, before_ns = max(now_ns - self._given[0], 0), self._given[1]
            most_ns = (SLEW + DRIFT_MOST) * since_ns
            given_ns = before_ns + min(max(ahead_ns - before_ns, -most_ns), most_ns)
        self._given = (now_ns, given_ns)
        return Offset(round(given_ns), round(error_ns + abs(ahead_ns - given_ns)))

    def _estimate(self, now_ns: int) -> tuple[float, float]:
        """How far the other clock is ahead at `now_ns`, and how far that may be wrong, ns.

        Each exchange, moved along the drift, tells it within its own error; the mean of them, by
        the inverse of that squared, can be no further off than from the best of them.
        """
        drift, drift_error = self._drift()
        best_ns, best_error_ns = 0.0, float("inf")
        total = weights = 0.0
        for kept in self._kept:
            since_ns = abs(now_ns - kept.at_ns)
            error_ns = kept.error_ns + drift_error * since_ns
            ahead_ns = kept.ahead_ns + drift * (now_ns - kept.at_ns)
            total += ahead_ns / error_ns**2
            weights += 1 / error_ns**2
            if error_ns < best_error_ns:
                best_ns, best_error_ns = ahead_ns, error_ns
        mean_ns = total / weights
        return mean_ns, best_error_ns + abs(mean_ns - best_ns)

    def _drift(self) -> tuple[float, float]:
        """How fast the other clock runs ahead, and how far that may be wrong: weighted least
        squares, once there is enough to tell."""
        kept = self._kept
        span_ns = kept[-1].at_ns - kept[0].at_ns
        if len(kept) < 4 or span_ns < FIT_S * 1e9:
            return 0.0, DRIFT
        weights = [1 / e.error_ns**2 for e in kept]
        total = sum(weights)
        zero_ns = kept[0].at_ns
        mean_at = sum(w * (e.at_ns - zero_ns) for w, e in zip(weights, kept, strict=True)) / total
        base_ns = kept[0].ahead_ns  # apart, since offsets may be too large to be squared
        mean_off = (
            sum(w * (e.ahead_ns - base_ns) for w, e in zip(weights, kept, strict=True)) / total
        )
        spread = rise = 0.0
        for w, e in zip(weights, kept, strict=True):
            at, off = e.at_ns - zero_ns - mean_at, e.ahead_ns - base_ns - mean_off
            spread += w * at * at
            rise += w * at * off
        drift = min(max(rise / spread, -DRIFT_MOST), DRIFT_MOST)
        typical_ns = (len(kept) / total) ** 0.5
        return drift, min(DRIFT, WANDER + 2 * typical_ns / span_ns)
