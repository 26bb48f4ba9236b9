"""The readings of one stream as they come, and what is known of where they come from."""

from __future__ import annotations

from collections import deque

from bindstream.clocks.exchange import RunTime
from bindstream.config import StreamConfig
from bindstream.intake.schedule import Schedule, schedule_of
from bindstream.records import Sample
from bindstream.sources import Source, SourceContext
from bindstream.sources.reader import Reader, ReaderHealth
from bindstream.sources.registry import open_source

REOPEN_S = 10.0
"""A live source that said nothing for this long is opened again; drivers that know better, such as
those of network cameras, give up sooner by themselves."""


class Inlet:
    """Has a stream's source read in a thread of its own, and gives its Samples one by one.

    Args:
        config: the stream.
        context: what its source is told.
        run_time: on another host than the run's, what tells its time there: Samples of live sources
            are stamped with how far this host's clock is off it.
    """

    def __init__(
        self, config: StreamConfig, context: SourceContext, run_time: RunTime | None = None
    ) -> None:
        self._options = config.source
        self._context = context
        self._run_time = run_time
        self._source: Source | None = None
        self._schedule: Schedule | None = None
        self._stopped_behind_s: float | None = None
        self._taken: deque[Sample] = deque()
        self._reader = Reader(self._make, stale_s=REOPEN_S)

    def _make(self) -> Source:
        self._source = open_source(self._options, self._context)
        return self._source

    def start(self) -> None:
        self._reader.start()

    def stop(self, *, closed: bool) -> None:
        """Ask the source's thread to end; returns at once. `closed`: as of `behind_s`."""
        self._stopped_behind_s = self.behind_s(closed=closed)
        self._reader.stop()

    def wait(self, timeout_s: float) -> None:
        """Wait for readings if none is at hand, up to `timeout_s`."""
        if self._taken:
            return
        samples = self._reader.take(timeout_s)
        if self._run_time is not None and not self.recorded:
            samples = [self._run_time.stamp(sample) for sample in samples]
        if samples and self._schedule is None and self._source is not None:
            self._schedule = schedule_of(self._source, self._options, self._context)
        self._taken.extend(samples)

    def next(self) -> Sample | None:
        """The oldest reading at hand, if there is any."""
        if not self._taken:
            return None
        sample = self._taken.popleft()
        if self._schedule is not None:
            self._schedule.take(sample)
        return sample

    def handed_out(self) -> None:
        """A window that the latest reading closed goes out."""
        if self._schedule is not None:
            self._schedule.hand_out()

    def behind_s(self, *, closed: bool) -> float:
        """As `IntakeHealth.behind_s`; from any thread.

        Args:
            closed: windows that the latest reading closed wait to go out.
        """
        if self._stopped_behind_s is not None:
            return self._stopped_behind_s
        if self._schedule is None:
            return 0.0
        try:
            waiting: Sample | None = self._taken[0]
        except IndexError:  # nothing there, or not any more
            waiting = self._reader.oldest
        return self._schedule.behind_s(closed=closed, waiting=waiting)

    @property
    def catching_up(self) -> bool:
        """As `IntakeHealth.catching_up`; from any thread."""
        return self._schedule is not None and self._schedule.catching_up

    @property
    def recorded(self) -> bool:
        """True once a recording is open: its time comes from the file, not from the clock."""
        return self._source is not None and self._source.recorded

    @property
    def ended(self) -> bool:
        """True once a recording is over (or the source can never work) and all was given out."""
        return self._reader.ended and not self._taken

    @property
    def over_ns(self) -> int:
        """When what is played is over, UTC ns of capture; 0 where the source does not know."""
        over_ns: int = getattr(self._source, "over_ns", 0)
        return over_ns

    @property
    def notes(self) -> dict[str, int]:
        """What the source counts."""
        notes = getattr(self._source, "notes", None)
        counts: dict[str, int] = notes() if callable(notes) else {}
        return counts

    def health(self) -> ReaderHealth:
        return self._reader.health()
