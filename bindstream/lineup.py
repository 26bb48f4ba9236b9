"""One order in event time for the windows of several recordings, whatever the timing.

Live, windows are judged as they come. Where every stream is a recording nothing need depend on who
was quicker: each stream's side (`Lane`) gives its windows places on one line and says how far that
is settled, and `Lineup` lets them go in the order of the line. So what is made of them depends on
the recordings alone. Nothing here reads a clock.

The line's rules:

- A window's place is its end on the run's clock, but never before what its stream had passed when
  it was cut: windows of a clock that jumped back stand where the stream was then.
- Places are ordered by time, then by the stream's name, then by the window's number.
- Every whole second of UTC is a tick: it follows all windows placed at it or before, and precedes
  those after. Ticks begin with the first window; after an hour without any (`STILL_NS`) they pause
  until the next one.
- A stream is over at the end of its recording, after its own last window.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bindstream.accounts import DropReason, Published
from bindstream.records import Embedding, Window

SECOND_NS = 1_000_000_000
STILL_NS = 3600 * SECOND_NS
"""After so long without any window everything that time ends has ended."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a window stands, what it observed, and what became of it; times in UTC ns on the run's
    clock. `void` says why it could not be used ("" = it could)."""

    at_ns: int
    stream: str
    seq: int
    start_ns: int
    end_ns: int
    coverage: float
    gaps: tuple[tuple[int, int], ...] = ()
    outcome: Published | DropReason | Literal["pending"] = "pending"
    void: str = ""

    @property
    def has_vector(self) -> bool:
        return self.outcome in ("embedded", "reused")


@dataclass(frozen=True, slots=True)
class Tick:
    """A whole second went by, UTC ns."""

    now_ns: int


@dataclass(frozen=True, slots=True)
class Over:
    """A stream's recording is over; `failed`: it could not be read (to its end)."""

    at_ns: int
    stream: str
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Stood:
    """A window whose turn it is; `embedding` is None if it has no vector."""

    place: Place
    embedding: Embedding | None


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a stream is: no window to come stands at `until_ns` or before.

    `places` are the windows that were settled since the stream's last mark.
    """

    stream: str
    until_ns: int
    places: tuple[Place, ...] = ()
    over: Over | None = None


_Key = tuple[int, str, float]
_Entry = tuple[_Key, int, Place | Over]


class Lane:
    """One stream's side of the line: places for its windows, and marks."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._at_ns = 0  # of the last window
        self._passed_ns = -1
        self._open: dict[int, Place] = {}
        self._settled: list[Place] = []
        self._over: Over | None = None

    @property
    def until_ns(self) -> int:
        """No window that is not settled stands here or before; -1 before the first sample."""
        first = next(iter(self._open.values()), None)
        return self._passed_ns if first is None else first.at_ns - 1

    def cut(self, windows: Iterable[Window], passed_ns: int) -> None:
        """What one sample closed, in the order in which it did.

        Args:
            passed_ns: no window to come ends here or before, on the run's clock, unless the
                stream's clock jumps back.
        """
        for window in windows:
            by_ns = window.offset_ns
            self._at_ns = max(self._at_ns, window.end_ns + by_ns, self._passed_ns + 1)
            self._open[window.seq] = Place(
                at_ns=self._at_ns,
                stream=self._stream,
                seq=window.seq,
                start_ns=window.start_ns + by_ns,
                end_ns=window.end_ns + by_ns,
                coverage=window.coverage,
                gaps=tuple((a + by_ns, b + by_ns) for a, b in window.gaps),
            )
        self._passed_ns = max(self._passed_ns, passed_ns)

    def settle(self, seq: int, outcome: Published | DropReason, void: str = "") -> None:
        """What became of a window; one that is not open is left alone."""
        if (place := self._open.pop(seq, None)) is not None:
            self._settled.append(replace(place, outcome=outcome, void=void))

    def close(self, published: Mapping[int, Published]) -> None:
        """Whatever is open stays so no longer.

        Args:
            published: what is known to have become of windows by their numbers.
        """
        for seq in tuple(self._open):
            self.settle(seq, published.get(seq, "ended"))

    def end(self, at_ns: int, *, failed: bool = False) -> None:
        """The recording is over, at `at_ns` or with its last window: nothing more is cut."""
        if self._over is None:
            self._over = Over(max(at_ns, self._passed_ns + 1, self._at_ns), self._stream, failed)

    def mark(self) -> Mark:
        """How far the stream is; what was settled is said once."""
        places, self._settled = tuple(self._settled), []
        over = None if self._open else self._over
        return Mark(self._stream, self.until_ns, places, over)


class Lineup:
    """Puts the vectors of several streams into one order.

    `late` counts windows that came when the line had passed their place, which only happens to a
    stream whose process was begun anew; `lost` those whose vector never came.

    Args:
        streams: all that are waited for.
    """

    def __init__(self, streams: Iterable[str]) -> None:
        self._until_ns = dict.fromkeys(streams, -1)  # of those that are not over
        self._over: set[str] = set()
        self._heap: list[_Entry] = []
        self._count = itertools.count()
        self._vectors: dict[tuple[str, int], Embedding] = {}
        self._gone: _Key = (-1, "", -1)  # the last that went
        self._window_ns = 0  # the place of the last window
        self._tick_ns: int | None = None
        self.late = 0
        self.lost = 0

    @property
    def _least_ns(self) -> float:
        return min(self._until_ns.values(), default=math.inf)

    @property
    def passed_ns(self) -> int:
        """Everything up to here has gone, UTC ns; -1 before anything has."""
        first_ns = self._heap[0][0][0] - 1 if self._heap else math.inf
        return int(min(self._least_ns, first_ns, 2**63 - 1))

    @property
    def slowest_ns(self) -> int:
        """How far the line has come by those streams that have spoken, UTC ns; -1 if none has.
        A stream that is far beyond this has to wait."""
        spoken = (until_ns for until_ns in self._until_ns.values() if until_ns >= 0)
        first_ns = self._heap[0][0][0] - 1 if self._heap else math.inf
        found_ns = min(first_ns, min(spoken, default=math.inf))
        return -1 if found_ns == math.inf else int(found_ns)

    @property
    def unplaced(self) -> int:
        """Vectors that came and have not gone."""
        return len(self._vectors)

    @property
    def running(self) -> list[str]:
        """Streams that are waited for."""
        return list(self._until_ns)

    def mark(self, mark: Mark) -> None:
        """A stream is so far."""
        for place in mark.places:
            key = (place.at_ns, place.stream, place.seq)
            self.late += key < self._gone
            heapq.heappush(self._heap, (key, next(self._count), place))
        if mark.over is None:
            before_ns = self._until_ns.get(mark.stream, -1)
            self._until_ns[mark.stream] = max(before_ns, mark.until_ns)
            return
        self._until_ns.pop(mark.stream, None)
        if mark.stream not in self._over:  # it may be said again
            self._over.add(mark.stream)
            last = (mark.over.at_ns, mark.stream, math.inf)
            heapq.heappush(self._heap, (last, next(self._count), mark.over))

    def leave(self, stream: str) -> None:
        """Wait no longer for a stream, until it gives another mark."""
        self._until_ns.pop(stream, None)

    def put(self, embedding: Embedding) -> None:
        """A window's vector, in whatever order they come."""
        self._vectors[embedding.stream, embedding.seq] = embedding

    @property
    def awaited(self) -> Place | None:
        """The window whose turn it is and whose vector has not come."""
        if not self._heap or self._heap[0][0][0] > self._least_ns:
            return None
        first = self._heap[0][2]
        if isinstance(first, Over) or not first.has_vector:
            return None
        return None if (first.stream, first.seq) in self._vectors else first

    def give_up(self) -> None:
        """The vector that is awaited will not come."""
        if (place := self.awaited) is not None:
            key, count, _ = self._heap[0]
            heapq.heapreplace(self._heap, (key, count, replace(place, outcome="failed")))
            self.lost += 1

    def ready(self) -> Iterator[Stood | Over | Tick]:
        """Everything whose turn it is now, in order."""
        while True:
            least_ns = self._least_ns
            first_ns = self._heap[0][0][0] if self._heap else math.inf
            yield from self._ticks(min(first_ns, least_ns + 1))
            if first_ns > least_ns or not self._heap or self.awaited is not None:
                return
            key, _, what = heapq.heappop(self._heap)
            self._gone = max(self._gone, key)
            if isinstance(what, Over):
                yield what
                continue
            if self._tick_ns is None or what.at_ns - self._window_ns > STILL_NS:
                self._tick_ns = -(-what.at_ns // SECOND_NS) * SECOND_NS
            self._window_ns = max(self._window_ns, what.at_ns)
            yield Stood(what, self._vectors.pop((what.stream, what.seq), None))

    def _ticks(self, before_ns: float) -> Iterator[Tick]:
        """Ticks before a place, for as long as they go on after the last window."""
        most_ns = min(before_ns, self._window_ns + STILL_NS + 1)
        # Where there is nothing to come and nobody to wait for, it is all over.
        while self._tick_ns is not None and self._tick_ns < most_ns and not self.is_over:
            now_ns, self._tick_ns = self._tick_ns, self._tick_ns + SECOND_NS
            yield Tick(now_ns)

    @property
    def is_over(self) -> bool:
        """True when all streams are and everything has gone."""
        return not self._heap and not self._until_ns
