"""Which windows came before: a stream numbers them from 0 on in every run."""

from __future__ import annotations

from bindstream.history.journal import Tally
from bindstream.records import Embedding

LATE_MOST = 1000
"""Missing numbers of a stream that are still waited for; what is later than that came too late."""


class Numbers:
    """Tells windows that are new from those that came twice, and counts what is missing.

    What is missing when a process dies is not waited for by the next one: it stays `missed`.
    """

    def __init__(self) -> None:
        self._missing: dict[str, set[int]] = {}

    def take(self, tally: Tally, embedding: Embedding) -> bool:
        """Take a window's number in, and count what is missing before it; False if it was there."""
        seq, start_ns = embedding.seq, embedding.start_ns
        missing = self._missing.setdefault(embedding.stream, set())
        if seq <= tally.newest and start_ns > tally.newest_start_ns:
            # A lower number that is later all the same: its stream counts from the beginning again.
            tally.numbered_ns, tally.newest = start_ns, -1
            missing.clear()
        if seq > tally.newest:
            tally.missed += seq - tally.newest - 1
            missing.update(range(max(tally.newest + 1, seq - LATE_MOST), seq))
            missing.difference_update(sorted(missing)[:-LATE_MOST])
            tally.newest, tally.newest_start_ns = seq, start_ns
        elif seq in missing:  # two workers finished out of order
            missing.discard(seq)
            tally.missed -= 1
        else:
            return False
        return True
