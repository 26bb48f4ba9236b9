"""What the match actor announces: written first, then told to everyone, and to the next process."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

from bindstream.clocks.host import Clock
from bindstream.records import Alert
from bindstream.sinks import Delivery, Sink
from bindstream.state import open_memory
from bindstream.watch import Watch

LAST_MOST = 200
"""Alerts that are remembered to explain what streams did."""


class Announcer:
    """One thread may use it at a time; every method may block for the disk.

    `last` are the latest announcements, `memory` is what the watch remembers.

    Args:
        state: the file of the run's state; None if nothing is remembered.
    """

    def __init__(self, sinks: Sequence[Sink], state: Path | None, clock: Clock) -> None:
        self._sinks, self._clock = sinks, clock
        self._delivery = Delivery(sinks)
        self.memory = open_memory(state)
        self.last: deque[Alert] = deque(maxlen=LAST_MOST)

    def announce(self, watch: Watch, alerts: Sequence[Alert]) -> None:
        """Write them, and tell everyone."""
        self.memory.keep(watch, alerts)
        self._tell(alerts)

    def take_over(self, watch: Watch) -> list[Alert]:
        """Tell what an earlier process wrote and did not tell, and give the watch what it began.

        Returns:
            What has to be announced as ended, since it is not watched for any more.
        """
        self._tell(self.memory.untold(self._clock.now_ns()))
        return self.memory.begin(watch)

    def catch_up(self, watch: Watch) -> list[Alert]:
        """Write and tell what had to wait, such as for a full disk; to be called again and again.

        Returns:
            What has to be announced as ended, as of `take_over`.
        """
        now_ns = self._clock.now_ns()
        self.memory.due(watch, now_ns)
        self.memory.told(self._delivery.due())
        again, ended = self.memory.owed(now_ns)
        self._tell(again)
        return ended

    def _tell(self, alerts: Sequence[Alert]) -> None:
        self.last.extend(alerts)
        self.memory.told(self._delivery.push(alerts))

    @property
    def is_behind(self) -> bool:
        """Whether something is not written yet, or a sink has not got all."""
        return self.memory.is_behind or self._delivery.is_behind

    @property
    def troubles(self) -> tuple[str, str]:
        """What is wrong with the state and with the sinks, each "" if nothing is."""
        return self.memory.trouble, self._delivery.trouble

    def close(self) -> None:
        """What still waits is not told any more."""
        for sink in self._sinks:
            sink.close()
        self.memory.close()
