"""What a run says while it goes on: notices with their time, and what is wrong now."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bindstream.clocks.host import Now

KEPT = 100
"""Notices that are kept: those of a night, while a run of months stays small."""
SHOWN = 20
"""So many of them, the last, are in a status."""


@dataclass(frozen=True)
class Notice:
    """What users should know, and when it was said, UTC ns of the run's clock."""

    at_ns: int
    what: str


class Notices:
    """The last notices of a run, and its troubles. Any thread may use it; nothing blocks.

    Args:
        clock: the run's.
    """

    def __init__(self, clock: Now) -> None:
        self._clock = clock
        self._lock = threading.Lock()  # the control thread, too, has something to say
        self._last: deque[Notice] = deque(maxlen=KEPT)
        self._new: deque[Notice] = deque(maxlen=KEPT)
        self._troubles: dict[str, str] = {}

    def add(self, *whats: str) -> None:
        """Say something, now."""
        with self._lock:
            self._add(whats)

    def _add(self, whats: Iterable[str]) -> None:
        for what in whats:
            notice = Notice(self._clock.now_ns(), what)
            self._last.append(notice)
            self._new.append(notice)

    def follow(self, troubles: Mapping[str, str], over: Container[str] = ()) -> None:
        """Say what went wrong since the last call, and what is well again. What is still wrong is
        not said again, though its words change: they may count seconds.

        Args:
            troubles: all of now: who each concerns, and what is wrong.
            over: who is at an end, and well again no more.
        """
        with self._lock:
            before, self._troubles = self._troubles, dict(troubles)
            self._add(f"{name}: {what}" for name, what in troubles.items() if name not in before)
            well = [name for name in before if name not in troubles and name not in over]
            self._add(f"{name}: well again" for name in well)

    def insist(self, name: str, trouble: str) -> None:
        """Say a trouble even where another one of that name was said, if it is not the same."""
        with self._lock:
            if self._troubles.get(name) != trouble:
                self._troubles[name] = trouble
                self._add([f"{name}: {trouble}"])

    def news(self) -> list[Notice]:
        """What was said since the last call, the last `KEPT` at most."""
        with self._lock:
            new = list(self._new)
            self._new.clear()
            return new

    @property
    def last(self) -> list[Notice]:
        """What was said last, the oldest first."""
        with self._lock:
            return list(self._last)

    @property
    def troubles(self) -> dict[str, str]:
        """By name what is wrong now."""
        with self._lock:
            return dict(self._troubles)

    def status(self) -> dict[str, Any]:
        """`warnings`, the last `SHOWN` notices, and `troubles`, by name what is wrong now."""
        with self._lock:
            last = list(self._last)[-SHOWN:]
            return {"warnings": [asdict(each) for each in last], "troubles": dict(self._troubles)}
