"""By how much a stream whose recording is played has fallen behind its schedule."""

from __future__ import annotations

from typing import Literal

from bindstream.records import Sample
from bindstream.sources import Source, SourceContext
from bindstream.sources.options import SourceOptions

IN_TIME_S = 1.0
"""What is less behind is in time: that much comes and goes with every window."""
CATCH_UP = 2.0
"""What begins late, since its process took long to start, is given so many times its lateness to
catch up: enough where it could be played at one and a half times its speed."""


class Schedule:
    """When the readings of one stream that is played are due, and how late they are handed out.

    What was captured t seconds after the beginning of what is played is due t / speed seconds after
    the run's own beginning (`bindstream.sources.playback`). A window can be closed when the reading
    that closes it is due: silences in a recording, and the lateness that its readings are allowed,
    are no delay. What was captured before another, but came after it, is due with that one: of a
    clock that jumped back nothing is late.

    Args:
        context: of the source. Nothing is due before what an earlier process of the run took in.
        begins_ns: capture time at which what is played begins, UTC ns on the run's clock.
        speed: of the playing, above 0.
    """

    def __init__(self, context: SourceContext, begins_ns: int, speed: float) -> None:
        self._clock = context.clock
        self._start_ns, self._begins_ns, self._speed = context.start_ns, begins_ns, speed
        self._reached_ns = max(context.resume_ns, begins_ns)
        self._late_s = 0.0
        self._in_time_by_ns: int | None = None  # not known before the first reading

    def take(self, sample: Sample) -> None:
        """A reading went into the windows."""
        self._reached_ns = self._with(sample)
        if self._in_time_by_ns is None:
            late_s = self._since_due_s(self._reached_ns)
            self._in_time_by_ns = self._clock.now_ns() + round(CATCH_UP * late_s * 1e9)

    def hand_out(self) -> None:
        """A window that the latest reading closed goes out now."""
        self._late_s = self._since_due_s(self._reached_ns)
        if self._late_s < IN_TIME_S:
            self._in_time_by_ns = self._clock.now_ns()

    def behind_s(self, *, closed: bool, waiting: Sample | None) -> float:
        """Seconds since the oldest of what waits was due; if nothing waits, by how many the last
        window was late when it went out (0 before the first). Never negative.

        Args:
            closed: windows that the latest reading closed wait to go out.
            waiting: the oldest of the readings that wait to be cut into windows.
        """
        if closed:
            return self._since_due_s(self._reached_ns)
        if waiting is not None:
            return self._since_due_s(self._with(waiting))
        return self._late_s

    @property
    def catching_up(self) -> bool:
        """True from the beginning on until a window was in time, at most for `CATCH_UP` times as
        long as the first reading was late."""
        return self._in_time_by_ns is None or self._clock.now_ns() < self._in_time_by_ns

    def _with(self, sample: Sample) -> int:
        return max(self._reached_ns, sample.end_ns + sample.offset_ns)

    def _since_due_s(self, captured_ns: int) -> float:
        due_ns = self._start_ns + round((captured_ns - self._begins_ns) / self._speed)
        return max(self._clock.now_ns() - due_ns, 0) / 1e9


def schedule_of(source: Source, options: SourceOptions, context: SourceContext) -> Schedule | None:
    """The schedule of a source that has been opened; None if it has none: it is live, or played as
    fast as can be."""
    speed: float | Literal["max"] = getattr(options, "speed", "max")
    if speed == "max" or not source.recorded:
        return None
    return Schedule(context, getattr(source, "begins_ns", context.start_ns), speed)
