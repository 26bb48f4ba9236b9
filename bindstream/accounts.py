"""Accounts: for each stream, captured = embedded + reused + dropped(reason) + pending. Exactly.

A ledger is a small memory-mapped file with one writer, the stream's own process, so that what was
counted survives `kill -9` and anyone on the host can read it while it runs.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Literal

from bindstream.errors import BindstreamError

Published = Literal["embedded", "reused"]
"""embedded: a vector was computed. reused: that of an earlier window stands for it."""
DropReason = Literal["void", "overload", "failed", "killed"]
DROP_REASONS: tuple[DropReason, ...] = ("void", "overload", "failed", "killed")
"""void: too little was observed, or the readings cannot be used. overload: newer windows came
first. failed: its features or embedding could not be computed, or its worker died. killed: the
stream's own process died with the window in hand."""

IN_FLIGHT_MOST = 64
"""Windows of one stream that may be pending at a time."""

_CAPTURED, _EMBEDDED, _REUSED, _NEXT_SEQ, _UNHEARD_NS, _END_NS = range(6)
_DROPPED = 6
_OUTCOMES = ("embedded", "reused", *DROP_REASONS)
_WORD_OF = (_EMBEDDED, _REUSED, *range(_DROPPED, _DROPPED + len(DROP_REASONS)))
_SLOTS = _DROPPED + len(DROP_REASONS)
_WORDS = _SLOTS + IN_FLIGHT_MOST


@dataclass(frozen=True)
class Accounts:
    """What became of one stream's windows so far.

    `unheard_s` is time for which nothing at all came, so that no window was captured.
    """

    captured: int
    embedded: int
    reused: int
    dropped: dict[str, int]
    unheard_s: float

    @property
    def pending(self) -> int:
        return self.captured - self.embedded - self.reused - sum(self.dropped.values())


class Ledger:
    """Counts one stream's windows; `path` None keeps the count in memory only.

    Opening an existing file goes on where it stopped: `pending()` then names the windows that the
    last writer had in hand, and each must be settled.

    Raises:
        BindstreamError: the disk has no room for it.
    """

    def __init__(self, path: Path | None = None) -> None:
        size = 8 * _WORDS
        if path is None:
            self._map = mmap.mmap(-1, size)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a+b", buffering=0) as file:
                _lengthen(file, size, path)
                self._map = mmap.mmap(file.fileno(), size)
        self._words = memoryview(self._map).cast("q")

    def capture(self, seq: int, end_ns: int) -> None:
        """A window was cut; it is pending until settled.

        Raises:
            OverflowError: more than `IN_FLIGHT_MOST` windows are pending.
        """
        for slot in range(_SLOTS, _WORDS):
            if self._words[slot] == 0:
                self._words[slot] = seq + 1  # 0 means free
                break
        else:
            raise OverflowError(f"more than {IN_FLIGHT_MOST} windows are pending")
        # In this order: a writer that dies in between cuts the window again, and loses none unsaid.
        self._words[_CAPTURED] += 1
        self._words[_NEXT_SEQ] = seq + 1
        self._words[_END_NS] = end_ns

    def settle(self, seq: int, outcome: Published | DropReason) -> None:
        """Say what became of a pending window; a window that is not pending is left alone."""
        for slot in range(_SLOTS, _WORDS):
            if self._words[slot] == seq + 1:
                break
        else:
            return
        # A writer that dies here leaves a slot that says which count it was about to raise.
        self._words[slot] = -1 - _OUTCOMES.index(outcome)
        self._words[_WORD_OF[_OUTCOMES.index(outcome)]] += 1
        self._words[slot] = 0

    def recover(self, published: Mapping[int, Published]) -> int:
        """Settle what a dead writer left pending; returns how many windows were lost.

        Args:
            published: what is known to have become of windows of this stream all the same.
        """
        self._finish_last_step()
        lost = 0
        for seq in self.pending():
            self.settle(seq, published.get(seq, "killed"))
            lost += seq not in published
        return lost

    def _finish_last_step(self) -> None:
        """A writer dies in the middle of one `capture` or one `settle` at most."""
        held = [slot for slot in range(_SLOTS, _WORDS) if self._words[slot]]
        settling = [slot for slot in held if self._words[slot] < 0]
        uncounted = self.read().pending - len(held)  # 0, or -1: one slot is not to be counted
        for slot in settling:
            if uncounted == 0:
                self._words[_WORD_OF[-1 - self._words[slot]]] += 1
            self._words[slot] = 0
        if not settling and uncounted < 0:  # taken in hand but not captured yet
            newest = max(held, key=lambda slot: self._words[slot])
            self._words[newest] = 0

    def pending(self) -> tuple[int, ...]:
        """Numbers of the pending windows, oldest first."""
        return tuple(sorted(w - 1 for w in self._words[_SLOTS:_WORDS] if w > 0))

    def add_unheard(self, ns: int) -> None:
        self._words[_UNHEARD_NS] += ns

    @property
    def next_seq(self) -> int:
        return self._words[_NEXT_SEQ]

    @property
    def end_ns(self) -> int:
        """End of the last window captured, UTC ns (0 before any)."""
        return self._words[_END_NS]

    def read(self) -> Accounts:
        words = self._counts()
        return Accounts(
            captured=words[_CAPTURED],
            embedded=words[_EMBEDDED],
            reused=words[_REUSED],
            dropped={r: words[_DROPPED + i] for i, r in enumerate(DROP_REASONS)},
            unheard_s=words[_UNHEARD_NS] / 1e9,
        )

    def _counts(self) -> list[int]:
        """The counts as they stood at one moment, though the writer goes on meanwhile."""
        counts = self._words[:_SLOTS].tolist()
        while (again := self._words[:_SLOTS].tolist()) != counts:
            counts = again
        return counts


def _lengthen(file: FileIO, size: int, path: Path) -> None:
    """Make the file `size` bytes long by writing: a hole would kill its writer on a full disk."""
    try:
        missing = size - os.fstat(file.fileno()).st_size
        if missing > 0 and file.write(bytes(missing)) < missing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise BindstreamError(
            f"there is no room for the accounts ({error.strerror}).",
            where=str(path),
            fix="Free some disk space, or set TMPDIR to a folder on another disk.",
        ) from None
