"""Which windows were there before: a stream numbers them from 0 on in every run."""

from __future__ import annotations

from bindstream.history.journal import Tally
from bindstream.history.store import Store, quoted
from bindstream.records import Embedding

PAGE = 4096
PAGES_MOST = 1024
"""Pages remembered: four million numbers, seven weeks at one a second."""


class Seen:
    """A set of numbers from 0 on, a bit each: exact, and small as they lie close together. What
    lies more than `PAGES_MOST` pages below the newest is forgotten, and counts as seen."""

    def __init__(self) -> None:
        self._pages: dict[int, int] = {}
        self._floor = 0  # first page that is remembered

    def add(self, number: int) -> bool:
        """Take a number in; False if it was there."""
        page, bit = divmod(number, PAGE)
        if page < self._floor:
            return False
        bits = self._pages.get(page, 0)
        if bits >> bit & 1:
            return False
        self._pages[page] = bits | 1 << bit
        if len(self._pages) > PAGES_MOST:
            oldest = min(self._pages)
            del self._pages[oldest]
            self._floor = oldest + 1
        return True


class Numbers:
    """The numbers of one run's windows, also of those that an earlier process of it stored."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, Seen] = {}

    def take(self, tally: Tally, embedding: Embedding) -> bool:
        """Take a window's number in, and count what is missing before it; False if it was there."""
        stream, seq, start_ns = embedding.stream, embedding.seq, embedding.start_ns
        if stream not in self._seen:
            self._seen[stream] = self._stored(stream, tally)
        if seq <= tally.newest and start_ns > tally.newest_start_ns:
            # A lower number that is later all the same: its stream counts from the beginning again.
            tally.numbered_ns, tally.newest = start_ns, -1
            self._seen[stream] = Seen()
        if not self._seen[stream].add(seq):
            return False
        if seq > tally.newest:
            tally.missed += seq - tally.newest - 1
            tally.newest, tally.newest_start_ns = seq, start_ns
        else:  # two workers finished out of order
            tally.missed = max(tally.missed - 1, 0)
        return True

    def _stored(self, stream: str, tally: Tally) -> Seen:
        seen = Seen()
        where = f"run_ns = {tally.numbered_ns} and stream = {quoted(stream)}"
        for part in self._store.parts() if tally.stored else ():
            if part.until_ns <= tally.numbered_ns:
                continue
            try:
                for batch in self._store.scan(part, ("seq",), where):
                    for seq in batch.column(0).to_pylist():
                        seen.add(seq)
            except Exception:  # it is damaged: better twice than not at all
                continue
        return seen
