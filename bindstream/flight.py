"""What one stream has in flight: bounded, and under overload the newest window wins."""

from __future__ import annotations

from collections import deque

from bindstream.records import Window

IN_FLIGHT = 1
"""Windows of a live stream that may be with one embedding worker at a time. Another one there would
grow old while the first is computed; here a newer one takes its place. Of a recording, whose
windows do not age, there may be one more, at hand when the first is done."""
WAITING = 1
"""Windows that may wait for a place in flight."""


class Flight:
    """Windows on their way to the embedding workers.

    A live stream's oldest waiting window gives way to a new one; for a recording (`lossless`) the
    caller has to wait while `full`.

    Args:
        workers: how many embedding workers there are, which take windows in turn.
    """

    def __init__(self, *, lossless: bool, workers: int = 1) -> None:
        self._lossless = lossless
        self._most = IN_FLIGHT * workers + lossless
        self._waiting: deque[Window] = deque()
        self._flying: set[int] = set()

    @property
    def full(self) -> bool:
        """True while a recording must not be read on."""
        return self._lossless and len(self._waiting) >= WAITING

    @property
    def empty(self) -> bool:
        return not self._waiting and not self._flying

    def offer(self, window: Window) -> list[Window]:
        """Put a window in the queue; returns those that had to give way."""
        self._waiting.append(window)
        dropped: list[Window] = []
        while not self._lossless and len(self._waiting) > WAITING:
            dropped.append(self._waiting.popleft())
        return dropped

    def launch(self) -> Window | None:
        """The next window to send, or None when the bound is reached or nothing waits."""
        if not self._waiting or len(self._flying) >= self._most:
            return None
        window = self._waiting.popleft()
        self._flying.add(window.seq)
        return window

    def land(self, seq: int) -> None:
        """A window that was sent has come back, well or badly."""
        self._flying.discard(seq)
