"""Accounts: for each stream, captured = embedded + reused + dropped(reason) + pending. Exactly.

A ledger is a small memory-mapped file with one writer, the stream's own process, so that what was
counted survives `kill -9` and anyone on the host can read it while it runs. Every step is one word
written last: a writer that dies in the middle of one leaves either all of it or nothing.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from io import FileIO
from pathlib import Path
from typing import Any, Literal

from bindstream.errors import BindstreamError

Published = Literal["embedded", "reused"]
"""embedded: a vector was computed. reused: that of an earlier window stands for it."""
DropReason = Literal["void", "overload", "failed", "killed", "ended"]
DROP_REASONS: tuple[DropReason, ...] = ("void", "overload", "failed", "killed", "ended")
"""void: too little was observed, or the readings cannot be used. overload: newer windows came
first. failed: its features or embedding could not be computed, or its worker died. killed: the
stream's own process died with the window in hand. ended: the run ended before its turn came."""

IN_FLIGHT_MOST = 64
"""Windows of one stream that may be pending at a time."""

_OUTCOMES = ("embedded", "reused", *DROP_REASONS)
_NAME, _CAPTURED, _UNHEARD_NS = range(3)
_SETTLED = 3
"""The first of the counts of the outcomes."""
_NEXT_SEQ = _SETTLED + len(_OUTCOMES)
_END_NS = _NEXT_SEQ + 2
"""Two words each: one holds with an even number of captured windows, the other with an odd one, so
that raising that number makes both of them new."""
_SLOTS = _END_NS + 2
_WORDS = _SLOTS + IN_FLIGHT_MOST
HELD_EVERY_S = 0.02
"""How often whoever waits for a ledger tries again."""


@dataclass(frozen=True)
class Accounts:
    """What became of one stream's windows so far.

    `unheard_s` is time for which nothing at all came, so that no window was captured. `ledger`
    tells one ledger from another of the same stream, which counts from the beginning.
    """

    captured: int
    embedded: int
    reused: int
    dropped: dict[str, int]
    unheard_s: float
    ledger: int = field(default=0, repr=False)

    @property
    def pending(self) -> int:
        return self.captured - self.embedded - self.reused - sum(self.dropped.values())

    def plain(self) -> dict[str, Any]:
        """As it is shown and sent, with what is pending."""
        said = asdict(self)
        del said["ledger"]
        return {**said, "pending": self.pending}

    def __add__(self, more: Accounts) -> Accounts:
        """Of one stream whose ledger was lost: what the lost one said, and the one after it."""
        return Accounts(
            captured=self.captured + more.captured,
            embedded=self.embedded + more.embedded,
            reused=self.reused + more.reused,
            dropped={r: self.dropped.get(r, 0) + more.dropped.get(r, 0) for r in DROP_REASONS},
            unheard_s=self.unheard_s + more.unheard_s,
            ledger=more.ledger,
        )

    def written_off(self, reason: DropReason) -> Accounts:
        """With everything that is pending dropped, since nobody can say any more what became of
        it."""
        dropped = {**self.dropped, reason: self.dropped.get(reason, 0) + self.pending}
        return replace(self, dropped=dropped)


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
        if not self._words[_NAME]:
            self._words[_NAME] = 1 + secrets.randbits(62)

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
        captured = self._words[_CAPTURED] + 1
        self._words[_NEXT_SEQ + captured % 2] = seq + 1
        self._words[_END_NS + captured % 2] = end_ns
        # A writer that dies before this has captured nothing, and cuts the window again.
        self._words[_CAPTURED] = captured

    def settle(self, seq: int, outcome: Published | DropReason) -> None:
        """Say what became of a pending window; a window that is not pending is left alone."""
        for slot in range(_SLOTS, _WORDS):
            if self._words[slot] == seq + 1:
                break
        else:
            return
        # A writer that dies here leaves a slot that says which count it was about to raise.
        self._words[slot] = -1 - _OUTCOMES.index(outcome)
        self._words[_SETTLED + _OUTCOMES.index(outcome)] += 1
        self._words[slot] = 0

    def recover(self, published: Mapping[int, Published], lost: DropReason = "killed") -> int:
        """Settle what a writer left pending; returns how many windows were lost.

        Args:
            published: what is known to have become of windows of this stream all the same.
            lost: what is said of the others.
        """
        self._finish_last_step()
        gone = 0
        for seq in self.pending():
            self.settle(seq, published.get(seq, lost))
            gone += seq not in published
        return gone

    def _finish_last_step(self) -> None:
        """A writer dies in the middle of one `capture` or one `settle` at most."""
        for slot in range(_SLOTS, _WORDS):
            if self._words[slot] > self.next_seq:  # taken in hand but not captured yet
                self._words[slot] = 0
        held = [slot for slot in range(_SLOTS, _WORDS) if self._words[slot]]
        uncounted = self.read().pending == len(held)
        for slot in held:
            if self._words[slot] < 0:
                if uncounted:
                    self._words[_SETTLED - 1 - self._words[slot]] += 1
                self._words[slot] = 0

    def pending(self) -> tuple[int, ...]:
        """Numbers of the pending windows, oldest first."""
        return tuple(sorted(w - 1 for w in self._words[_SLOTS:_WORDS] if w > 0))

    def add_unheard(self, ns: int) -> None:
        self._words[_UNHEARD_NS] += ns

    @property
    def next_seq(self) -> int:
        """The number of the next window: no earlier process of this stream has given it out."""
        return self._words[_NEXT_SEQ + self._words[_CAPTURED] % 2]

    @property
    def end_ns(self) -> int:
        """End of the last window captured, UTC ns (0 before any)."""
        return self._words[_END_NS + self._words[_CAPTURED] % 2]

    def read(self) -> Accounts:
        words = self._counts()
        embedded, reused, *dropped = words[_SETTLED:_NEXT_SEQ]
        return Accounts(
            captured=words[_CAPTURED],
            embedded=embedded,
            reused=reused,
            dropped=dict(zip(DROP_REASONS, dropped, strict=True)),
            unheard_s=words[_UNHEARD_NS] / 1e9,
            ledger=words[_NAME],
        )

    def _counts(self) -> list[int]:
        """The counts as they stood at one moment, though the writer goes on meanwhile."""
        counts = self._words[:_SLOTS].tolist()
        while (again := self._words[:_SLOTS].tolist()) != counts:
            counts = again
        return counts


def hold(path: Path, within_s: float) -> FileIO | None:
    """Be the ledger's only writer until this file is closed, or this process ends.

    Waits up to `within_s` for another process to die; None if it did not.

    Raises:
        BindstreamError: the disk has no room for it.
    """
    until_s = time.monotonic() + within_s
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file = path.open("a+b", buffering=0)
    except OSError as error:
        raise _no_room(path, error) from None
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= until_s:
                file.close()
                return None
            time.sleep(HELD_EVERY_S)
        else:
            return file


def _no_room(path: Path, error: OSError) -> BindstreamError:
    return BindstreamError(
        f"there is no room for the accounts ({error.strerror}).",
        where=str(path),
        fix="Free some disk space, or set TMPDIR to a folder on another disk.",
    )


def _lengthen(file: FileIO, size: int, path: Path) -> None:
    """Make the file `size` bytes long by writing: a hole would kill its writer on a full disk."""
    try:
        missing = size - os.fstat(file.fileno()).st_size
        if missing > 0 and file.write(bytes(missing)) < missing:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    except OSError as error:
        raise _no_room(path, error) from None
