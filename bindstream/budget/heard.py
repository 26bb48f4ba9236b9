"""What a stream gave of late: its vectors, from which any query's background follows at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from bindstream.budget.events import SILENCE_NS, Times
from bindstream.records import Embedding

BYTES_MOST = 128 << 20
"""Memory a stream's vectors may take: 72 hours at one a second of the starter's 256 numbers, for
which one false alarm a day can be promised; 18 of imagebind_huge's 1024, for 0.2 an hour."""
Piece = tuple[Times, Times, NDArray[np.float32]]
FIRST = 1024  # vectors that room is made for at first
CHUNK = 4096


class Heard:
    """The last computed vectors of one stream, oldest first, as float16; `total` counts all ever.

    A window for which an earlier vector stands prolongs that one: the time was observed, and its
    score counts once.
    """

    def __init__(self, dim: int) -> None:
        self._most = max(BYTES_MOST // (2 * dim), FIRST)
        self._vectors = np.zeros((FIRST, dim), np.float16)
        self._times = np.zeros((FIRST, 2), np.int64)
        self._first, self._count = 0, 0
        self.total = 0

    def __len__(self) -> int:
        return self._count

    @property
    def is_full(self) -> bool:
        """Whether one vector more is one less of the oldest."""
        return self._count == self._most

    def push(self, embedding: Embedding, *, repeated: bool = False) -> bool:
        """True if it was taken as new; windows a little older than the newest are left out.

        After one that is much older the clock was set back: the times of all before are, too, so
        that they end where it begins.

        Args:
            repeated: its vector was pushed before.
        """
        if repeated and self._count:
            last = self._place(self._count - 1)
            self._times[last, 1] = max(self._times[last, 1], embedding.end_ns)
            return False
        return self._put(embedding.start_ns, embedding.end_ns, embedding.vector)

    def extend(self, pieces: Iterable[Piece]) -> None:
        """Takes computed windows from elsewhere, oldest first: starts and ends (n,) in UTC ns, and
        vectors (n, dim)."""
        for starts, ends, vectors in pieces:
            for start, end, vector in zip(starts.tolist(), ends.tolist(), vectors, strict=True):
                self._put(start, end, vector)

    def _put(self, start_ns: int, end_ns: int, vector: NDArray[np.floating]) -> bool:
        if self._count:
            late_ns = int(self._times[self._place(self._count - 1), 1]) - end_ns
            if 0 <= late_ns < SILENCE_NS:
                return False
            if late_ns >= SILENCE_NS:  # the clock jumped back: what was heard was heard before this
                self._times -= late_ns + end_ns - start_ns
        if self._count == len(self._times) and self._count < self._most:
            self._grow()
        if self._count == len(self._times):
            self._first = self._place(1)
            self._count -= 1
        place = self._place(self._count)
        self._vectors[place] = vector
        self._times[place] = start_ns, end_ns
        self._count += 1
        self.total += 1
        return True

    def _place(self, index: int) -> int:
        return (self._first + index) % len(self._times)

    def _grow(self) -> None:
        size = min(2 * len(self._times), self._most)
        order = np.arange(self._first, self._first + self._count) % len(self._times)
        vectors = np.zeros((size, self._vectors.shape[1]), np.float16)
        times = np.zeros((size, 2), np.int64)
        vectors[: self._count], times[: self._count] = self._vectors[order], self._times[order]
        self._vectors, self._times, self._first = vectors, times, 0

    def vectors(self) -> Iterator[NDArray[np.float32]]:
        """All vectors, oldest first, in pieces (n, dim) float32."""
        for start in range(0, self._count, CHUNK):
            stop = min(start + CHUNK, self._count)
            places = np.arange(self._first + start, self._first + stop) % len(self._times)
            yield self._vectors[places].astype(np.float32)

    def times(self) -> tuple[Times, Times]:
        """Starts and ends of the vectors' windows, (n,) UTC ns each."""
        places = np.arange(self._first, self._first + self._count) % len(self._times)
        return self._times[places, 0], self._times[places, 1]

    def at(self, moment_ns: int) -> NDArray[np.float32] | None:
        """The vector (dim,) of the window whose middle is nearest to a moment in it; None if there
        is no such window any more."""
        starts, ends = self.times()
        there = np.flatnonzero((starts <= moment_ns) & (moment_ns < ends))
        if not len(there):
            return None
        middles = starts[there] + (ends[there] - starts[there]) // 2
        index = int(there[np.argmin(np.abs(middles - moment_ns))])
        return np.asarray(self._vectors[self._place(index)], np.float32)

    def some(self, most: int, but: tuple[int, int]) -> NDArray[np.float32]:
        """At most so many vectors (n, dim), evenly spread, of windows that do not touch the
        interval [start, end) in UTC ns."""
        starts, ends = self.times()
        others = np.flatnonzero((ends <= but[0]) | (starts >= but[1]))
        return self.take(others[:: max(-(-len(others) // most), 1)])

    def take(self, places: NDArray[np.intp]) -> NDArray[np.float32]:
        """The vectors (n, dim) at these places; 0 is the oldest."""
        return np.asarray(self._vectors[(self._first + places) % len(self._times)], np.float32)
