"""Host time: UTC nanoseconds that never jump, because they ride on the monotonic clock.

A wall clock that is set while a run goes on moves nothing: the run stays on the UTC of its
beginning, and `Clock.trouble` says by how much that is off now. The monotonic clock stands still
while a host sleeps (suspend to memory or disk; Linux' CLOCK_MONOTONIC): what is captured after it
woke is placed too early by that long until the run begins anew, and `Clock.trouble` says that too.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bindstream.clocks.kernel import read_kernel_clock

STRAYED_NS = 100_000_000
"""A wall clock that moved so far against the monotonic one was set: services that keep it right
turn both at the same rate, and set it only where it is off by more (ntpd's step threshold is
128 ms, chrony's makestep 1 s as shipped)."""
SLEPT_NS = 100_000_000
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def _host_id() -> str:
    """Names the monotonic clock: it restarts with the host, and each host has its own."""
    try:
        return "host:" + _BOOT_ID.read_text().strip()[:8]
    except OSError:
        return "host"


def _slept_ns() -> int:
    """How long this host has slept since it was started; 0 where the kernel does not tell."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    if boottime is None:
        return 0
    return max(time.clock_gettime_ns(boottime) - time.monotonic_ns(), 0)


def _wall_offset_ns() -> tuple[int, int]:
    """The wall clock less the monotonic one now, and by how much that may be off: the tightest of
    a few tries, well under 10 µs."""
    tries = []
    for _ in range(5):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        tries.append((after - before, wall - (before + after) // 2))
    width_ns, offset_ns = min(tries)
    return offset_ns, (width_ns + 1) // 2


class Now(Protocol):
    """What tells the time; a `Clock`, or on another host than the run's its `RunTime`."""

    def now_ns(self) -> int:
        """UTC ns, of the run's clock where it is for what hosts compare."""


@dataclass(frozen=True)
class Clock:
    """The monotonic clock plus a fixed offset to UTC, so that a stepped wall clock moves nothing.

    The offset is read once, where a run begins, and handed to every process on the same host;
    a process on another host (another `id`) must read its own.

    `uncertainty_ns` is how far this clock may have been from UTC when it was read: half of the
    tightest bracket around the reading, and what the kernel says of its clock's error (see
    `bindstream.clocks.kernel`). None: nothing kept the host's clock on UTC, so that nobody knows.
    It is the same for all that is stamped by this clock and is not part of any record's
    `uncertainty_ns`, which is against the run's clock.
    """

    offset_ns: int
    id: str
    uncertainty_ns: int | None = None
    slept_ns: int = 0  # of this host since it was started, when the clock was read

    @classmethod
    def read(cls) -> Clock:
        """A clock whose offset is taken now."""
        offset_ns, half_ns = _wall_offset_ns()
        error_ns = read_kernel_clock().error_ns
        uncertainty_ns = None if error_ns is None else half_ns + error_ns
        return cls(offset_ns, _host_id(), uncertainty_ns, _slept_ns())

    def here(self) -> Clock:
        """This clock if this process is on the clock's host, else a clock of this host."""
        return self if self.id == _host_id() else Clock.read()

    def now_ns(self) -> int:
        return time.monotonic_ns() + self.offset_ns

    def from_monotonic_ns(self, monotonic_ns: int) -> int:
        """UTC nanoseconds of a reading of this host's CLOCK_MONOTONIC."""
        return monotonic_ns + self.offset_ns

    def trouble(self) -> str:
        """What parted this clock from UTC since it was read, on this host ("" = nothing did)."""
        slept_ns = _slept_ns() - self.slept_ns
        if slept_ns > SLEPT_NS:
            return (
                f"this host slept for {slept_ns / 1e9:.1f} s: what was captured since is placed "
                "that much too early; begin the run anew"
            )
        set_ns = _wall_offset_ns()[0] - self.offset_ns
        if abs(set_ns) <= STRAYED_NS:
            return ""
        way = "forward" if set_ns > 0 else "back"
        return (
            f"this host's clock was set {way} by {abs(set_ns) / 1e9:.1f} s: this run stays on the "
            "time of its beginning; begin it anew for the new one"
        )
