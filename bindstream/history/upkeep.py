"""What a history needs now and then: merging small files, days of hours, dropping what is old.

All of it may be cut off at any point and is done again later; readers and the writer go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from bindstream.history.parts import Part
from bindstream.history.rescue import Rescued, readable, rescue
from bindstream.history.rows import DETAILS, VECTOR
from bindstream.history.store import Store, ordered, quoted

if TYPE_CHECKING:
    import pyarrow as pa

FILES_MOST = 256
"""Files of the current hour that are left as they are: one a flush, so about nine minutes of them.
Each costs a scan about a millisecond."""
SETTLED_S = 900.0
"""How long after its end an hour or a day may still get windows that were on their way."""
GRACE_S = 600.0
"""How long readers may go on with what has been replaced."""
DAY_SHARE = 8
"""Days are only made where the bytes that may be kept hold so many: what is oldest goes a table at
a time, and must not be most of what there is."""


@dataclass(frozen=True)
class Totals:
    """What is kept: vectors, bytes on disk, and the start of the oldest part, UTC ns (None: of
    nothing)."""

    vectors: int = 0
    bytes: int = 0
    oldest_ns: int | None = None


class Upkeep:
    """Tidies one history; its writer calls it from a thread of its own.

    Args:
        keep_days, keep_bytes: retention. A part goes when all that it can hold is older, or when
            there is too much and it is the oldest.
        hold: called with a day before something is done to its tables that no row may be added
            in the middle of, and with None afterwards.
    """

    def __init__(
        self,
        store: Store,
        keep_days: float,
        keep_bytes: int,
        hold: Callable[[Part | None], None],
    ) -> None:
        self._store, self._keep_ns = store, round(keep_days * 86400e9)
        self._keep_bytes, self._hold = keep_bytes, hold
        self._stopping = threading.Event()
        self._doubted: list[Part] = []
        self.rescued: list[Rescued] = []
        self.trouble = ""

    def stop(self) -> None:
        """Make a `tidy` that is going on end soon."""
        self._stopping.set()

    def doubt(self) -> None:
        """The last writer died: look at what it may have left before anything else."""
        self._doubted = self._store.parts()

    def tidy(self, now_ns: int) -> None:
        """Do what is due. Blocks: for milliseconds as a rule, for seconds when a day is over."""
        self.trouble = ""
        for part in self._doubted:
            self._try(part, partial(self._check, part))
        self._doubted = []
        self._drop_replaced(now_ns)
        for part in self._store.parts():
            if part.is_hour:
                self._try(part, partial(self._merge_files, part, now_ns))
        for day in self._days_over(now_ns):
            self._try(day, partial(self._make_day, day))
        self.retain(now_ns)

    def _try(self, part: Part, step: Callable[[], None]) -> None:
        """One part that fails must not keep the others from their upkeep."""
        if self._stopping.is_set():
            return
        try:
            step()
        except _Stopped:
            pass
        except Exception as error:
            if not self._rescue_any(part):
                self.trouble = f"upkeep of {part}: {short(error)}"

    def _rescue_any(self, part: Part) -> bool:
        """Rescue what cannot be read of a part, or of the hours of a day; True if there was any."""
        suspects = [each for each in self._store.parts() if part in (each, each.day)]
        damaged = [each for each in suspects if not readable(self._store, each)]
        for each in damaged:
            self._hold(each.day)
            try:
                self.rescued.append(rescue(self._store, each))
            except Exception as error:  # a full disk; what was found lies aside all the same
                self.trouble = f"{each} is damaged and cannot be rescued: {short(error)}"
            finally:
                self._hold(None)
        return bool(damaged)

    def _check(self, part: Part) -> None:
        """Read an hour, which the last writer may have been writing; a day lay untouched, and that
        it opens is enough."""
        self._store.open(part).count_rows()
        for _ in self._store.scan(part, (*DETAILS, VECTOR)) if part.is_hour else ():
            pass

    def _merge_files(self, part: Part, now_ns: int) -> None:
        table = self._store.open(part)
        files = table.stats()["fragment_stats"]["num_fragments"]
        over = now_ns >= part.until_ns + SETTLED_S * 1e9
        if files > FILES_MOST or (over and files > 1):
            table.optimize(cleanup_older_than=timedelta(seconds=GRACE_S))

    def _days_over(self, now_ns: int) -> list[Part]:
        """Days of which there are hours and that get no more windows, oldest first."""
        hours: dict[Part, list[Part]] = {}
        for part in self._store.parts():
            if part.is_hour and now_ns >= part.day.until_ns + SETTLED_S * 1e9:
                hours.setdefault(part.day, []).append(part)
        return sorted(
            day
            for day, some in hours.items()
            if sum(self._store.size_bytes(part) for part in some) * DAY_SHARE <= self._keep_bytes
        )

    def _make_day(self, day: Part) -> None:
        """One table of a day's hours, sorted by stream and time."""
        self._hold(day)
        try:
            hours = [p for p in self._store.parts() if p.is_hour and p.day == day]
            self._store.remove(day)  # what an attempt before may have left unfinished
            self._store.create(day, self._store.kind(hours[0]), self._sorted(hours))
        finally:
            self._hold(None)

    def _sorted(self, hours: list[Part]) -> Iterator[pa.RecordBatch]:
        """All rows, by stream and time; an hour of one stream is in memory at a time."""
        streams = {
            name
            for part in hours
            for batch in self._store.scan(part, ("stream",))
            for name in batch.column(0).unique().to_pylist()
        }
        for stream in sorted(streams):
            for part in hours:
                if self._stopping.is_set():
                    raise _Stopped
                where = f"stream = {quoted(stream)}"
                yield from ordered(list(self._store.scan(part, (*DETAILS, VECTOR), where)))

    def _replaced(self) -> list[Part]:
        """Hours that a day's table stands in for."""
        there = self._store.tables()
        return [part for part in there if part.is_hour and part.day in there]

    def _drop_replaced(self, now_ns: int) -> None:
        """What has been replaced for long enough."""
        for part in self._replaced():
            made_s = (self._store.path(part.day) / "_versions").stat().st_mtime
            if now_ns / 1e9 - made_s > GRACE_S:
                self._store.remove(part)

    def retain(self, now_ns: int) -> None:
        """Drop what is too old, then the oldest of what is too much."""
        old = [p for p in self._store.parts() if p.until_ns <= now_ns - self._keep_ns]
        for part in old:
            for each in (*(p for p in self._replaced() if p.day == part), part):
                self._drop(each)
        sizes = {part: self._store.size_bytes(part) for part in self._store.tables()}
        total = sum(sizes.values())
        past = [p for p in self._store.parts() if not p.since_ns <= now_ns < p.until_ns]
        for part in (*self._replaced(), *past):
            if total <= self._keep_bytes:
                return
            self._drop(part)
            total -= sizes[part]
        if total > self._keep_bytes:
            self.trouble = (
                f"the latest hour alone takes {total / 1e6:.0f} MB, and history.keep_bytes is "
                f"{self._keep_bytes / 1e6:.0f} MB"
            )

    def _drop(self, part: Part) -> None:
        self._hold(part.day)
        try:
            self._store.remove(part)
        finally:
            self._hold(None)

    def totals(self) -> Totals:
        """What there is now. Blocks for about a millisecond a table."""
        parts = self._store.parts()
        size = sum(self._store.size_bytes(part) for part in self._store.tables())
        vectors = sum(self._count(part) for part in parts)
        return Totals(vectors, size, min((p.since_ns for p in parts), default=None))

    def _count(self, part: Part) -> int:
        try:
            return int(self._store.open(part).count_rows())
        except Exception as error:  # damaged, or gone
            self.trouble = f"{part} cannot be read: {short(error)}"
            return 0


class _Stopped(Exception):
    """The history is being closed."""


def short(error: Exception) -> str:
    """LanceDB's errors without the places in its source."""
    lines = str(error).splitlines()
    text = (lines[0] if lines else "").split(", /")[0]
    return text[:200] or type(error).__name__
