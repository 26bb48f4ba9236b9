"""What a history's writer had in hand: accounts that survive `kill -9`, and the lock.

A memory-mapped file with a line a stream. Whatever is counted there outlives the process, so that
the next one can say how many windows went with it, and of which streams.
"""

from __future__ import annotations

import contextlib
import mmap
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bindstream.errors import HistoryError
from bindstream.lock import Lock as FileLock

_MAGIC = b"bsthist1"
_HEAD = np.dtype([("magic", "S8"), ("run_ns", "<i8"), ("open", "<i8")])
_COUNTS = ("numbered_ns", "newest", "newest_start_ns", "taken", "stored", "lost", "missed")
_LINE = np.dtype([("stream", "S256"), *((name, "<i8") for name in _COUNTS)])
LINES = 64
"""Streams the file has room for; it grows by as many."""


class Lock(FileLock):
    """Held by a history's one writer.

    Raises:
        HistoryError: another process holds it, or the folder cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        fix = "Stop that one, or give this run a history of its own: history: {path: ...}."
        super().__init__(folder / "writer.lock", f"history {folder}", fix, HistoryError)


@dataclass
class Tally:
    """One stream in the current run: windows that were `taken` in, of these `stored` or `lost`
    (no room, or their writer died), and those that were `missed`: numbers that never came.

    `numbered_ns` is when their numbering began, `newest` the highest number and `newest_start_ns`
    the start of its window.
    """

    numbered_ns: int
    newest: int = -1
    newest_start_ns: int = -(2**63)
    taken: int = 0
    stored: int = 0
    lost: int = 0
    missed: int = 0

    @property
    def pending(self) -> int:
        return self.taken - self.stored - self.lost


class Journal:
    """The tallies of a writer's streams, in a file.

    `died_with` says how many windows of each stream the last writer may have had in hand when it
    died; `unclean` that it died at all. If it was of the same run, its tallies go on, with those
    windows counted as lost; else they start anew.

    Raises:
        HistoryError: the file cannot be made.
    """

    def __init__(self, folder: Path, run_ns: int) -> None:
        self._path, self.run_ns = folder / "writer.journal", run_ns
        self.died_with: dict[str, int] = {}
        self._map: mmap.mmap | None = None
        self._lines: Any = None
        self._places: dict[str, int] = {}
        self.tallies: dict[str, Tally] = {}
        try:
            held = self._path.read_bytes() if self._path.exists() else b""
        except OSError as error:
            raise _unwritable(self._path, error) from None
        self.unclean = self._recover(held)
        self._write_anew()

    def _recover(self, held: bytes) -> bool:
        """Take in what the last writer left; True if it did not close."""
        if len(held) < _HEAD.itemsize or not held.startswith(_MAGIC):
            return bool(held)
        head = np.frombuffer(held, _HEAD, 1)[0]
        whole = (len(held) - _HEAD.itemsize) // _LINE.itemsize
        lines = np.frombuffer(held, _LINE, whole, _HEAD.itemsize)
        for line in lines[lines["stream"] != b""]:
            tally = Tally(*(int(line[name]) for name in _COUNTS))
            stream = line["stream"].decode(errors="replace")
            if tally.pending > 0:
                self.died_with[stream] = tally.pending
                tally.lost += tally.pending
            if head["run_ns"] == self.run_ns:
                self.tallies[stream] = tally
        return bool(head["open"])

    def _write_anew(self) -> None:
        room = -(-max(len(self.tallies), 1) // LINES) * LINES
        size = _HEAD.itemsize + room * _LINE.itemsize
        beside = self._path.with_suffix(".new")
        try:
            # Written out in full: a hole would kill its writer when the disk is full.
            beside.write_bytes(bytes(size))
            with beside.open("r+b") as file:
                fresh = mmap.mmap(file.fileno(), size)
        except OSError as error:
            raise _unwritable(self._path, error) from None
        head = np.frombuffer(fresh, _HEAD, 1)
        head[0] = (_MAGIC, self.run_ns, 1)
        self._lines = np.frombuffer(fresh, _LINE, room, _HEAD.itemsize)
        self._map, self._places = fresh, {}
        for stream in self.tallies:
            self.note(stream)
        os.replace(beside, self._path)

    def tally(self, stream: str) -> Tally:
        """The tally of a stream; changes count once they are noted."""
        if stream not in self.tallies:
            self.tallies[stream] = Tally(self.run_ns)
        return self.tallies[stream]

    def note(self, stream: str) -> None:
        """Put a stream's tally on record. Takes microseconds."""
        place = self._places.setdefault(stream, len(self._places))
        if place >= len(self._lines):
            # Without room for a longer file this stream's losses are only known while we live.
            with contextlib.suppress(HistoryError):
                self._write_anew()
            return
        tally, name = self.tallies[stream], stream.encode(errors="replace")[:256]
        self._lines[place] = (name, *(getattr(tally, count) for count in _COUNTS))

    def close(self) -> None:
        """Say that the writer ended in order."""
        if self._map is not None:
            np.frombuffer(self._map, _HEAD, 1)["open"] = 0
            self._map = self._lines = None


def _unwritable(path: Path, error: OSError) -> HistoryError:
    return HistoryError(
        f"it cannot be written: {error.strerror or error}.",
        where=str(path),
        fix="Make room, or choose a folder that you may write to.",
    )
