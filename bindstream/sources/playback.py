"""Playing recordings: when a reading captured at t seconds into a file is due."""

from __future__ import annotations

import threading
from typing import Literal

from bindstream.sources import SourceContext


class Playback:
    """Holds readings of a recording back until they are due, and gives them capture times.

    A reading t seconds into the recording was captured at `start_ns + t`, whatever the speed; at
    speed 1 it is released at that moment, at speed 2 in half the time, at "max" at once.
    """

    def __init__(self, context: SourceContext, speed: float | Literal["max"]) -> None:
        self._start_ns = context.start_ns
        self._clock = context.clock
        self._speed = speed
        self._stop = threading.Event()

    def capture_ns(self, t_s: float) -> int:
        """Capture time, UTC ns, of a reading `t_s` seconds into the recording."""
        return self._start_ns + round(t_s * 1e9)

    def wait_until_due(self, t_s: float, *, at_most_s: float | None = None) -> bool:
        """Block until a reading `t_s` seconds into the recording is due, or until `stop`.

        Returns whether it is due: False after `stop`, or when `at_most_s` has passed before.
        """
        if self._speed == "max":
            return not self._stop.is_set()
        due_ns = self._start_ns + round(t_s / self._speed * 1e9)
        give_up_ns = None if at_most_s is None else self._clock.now_ns() + round(at_most_s * 1e9)
        while not self._stop.is_set():
            now_ns = self._clock.now_ns()
            if now_ns >= due_ns:
                return True
            if give_up_ns is not None and now_ns >= give_up_ns:
                return False
            until_ns = due_ns if give_up_ns is None else min(due_ns, give_up_ns)
            self._stop.wait(min((until_ns - now_ns) / 1e9, 0.1))
        return False

    def stop(self) -> None:
        """Let go of whoever waits, for good."""
        self._stop.set()
