"""The history's writer: embeddings in, rows on disk every few seconds, and accounts of both.

Nothing it meets stops whoever pushes: a disk that is full, a folder that another process writes,
tables that are damaged. It says so in `health`, holds on to what fits its memory, tries again, and
counts what it had to let go of.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bindstream.config import HistoryConfig
from bindstream.errors import BindstreamError
from bindstream.history.health import WriterHealth
from bindstream.history.journal import Journal, Lock, Tally
from bindstream.history.numbers import Numbers
from bindstream.history.parts import Part, hour_of, key_of
from bindstream.history.rescue import Rescued
from bindstream.history.rows import to_table
from bindstream.history.store import Store
from bindstream.history.upkeep import Totals, Upkeep, short
from bindstream.records import Embedding

WAITING_BYTES_MOST = 64 * 2**20
"""Vectors held while they cannot be written: two hours of four streams of 1024 dimensions."""
ROW_BYTES = 1000
"""What a window takes in memory beside its vector, about."""
RETRY_S = 10.0
"""How long after a failure it is tried again."""
UPKEEP_S = 60.0
_Window = tuple[int, Embedding]
"""A window, and when its numbering began."""


@dataclass(frozen=True)
class _Hold:
    """A history that this process has taken hold of."""

    lock: Lock
    journal: Journal
    store: Store
    numbers: Numbers
    upkeep: Upkeep


class Writer:
    """Writes one history. One thread may use it at a time; its upkeep runs in another.

    Args:
        folder: where the history lies; made as needed.
        run_ns: names the run, in which each window of a stream has a number of its own: the run's
            beginning, UTC ns. A process that takes over from one that died says the same.
        keep_days, keep_bytes: what is older, or too much, goes.
        flush_s: how often what came is written, seconds: what a kill may cost.
    """

    def __init__(
        self, folder: Path, run_ns: int, *, keep_days: float, keep_bytes: int, flush_s: float = 2.0
    ) -> None:
        self._folder, self._run_ns, self._flush_ns = folder, run_ns, round(flush_s * 1e9)
        self._keep_days, self._keep_bytes = keep_days, keep_bytes
        self._unopened: deque[Embedding] = deque()
        self._unkept: Counter[str] = Counter()
        self._pending: deque[_Window] = deque()
        self._held_bytes = 0
        self._dims: dict[str, int] = {}
        self._duplicates = 0
        self._open: _Hold | None = None
        self._tallies: dict[str, Tally] = {}
        self._rescued: list[Rescued] = []
        self._tidying: threading.Thread | None = None
        self._writing = threading.Lock()
        self._untouched: Part | None = None
        self._totals, self._fresh = Totals(), 0
        self._trouble = self._upkeep_trouble = ""
        self._notes: list[str] = []
        self._flush_due_ns = self._upkeep_due_ns = 0
        self._flushed_ns: int | None = None

    def open(self) -> None:
        """Take hold of the history; `due` does so by itself, and again until it works.

        Raises:
            HistoryError: another process writes it, or nothing can be written there.
            MissingPackageError: LanceDB is not installed.
        """
        if self._open is not None:
            return
        store, lock = Store(self._folder), Lock(self._folder)
        try:
            journal = Journal(self._folder, self._run_ns)
            for part in store.unfinished():
                store.remove(part)
        except BaseException:
            lock.release()
            raise
        upkeep = Upkeep(store, self._keep_days, self._keep_bytes, self._leave_alone)
        self._open = _Hold(lock, journal, store, Numbers(), upkeep)
        self._tallies, self._rescued = journal.tallies, upkeep.rescued
        if journal.unclean:
            upkeep.doubt()
        if died_with := journal.died_with:
            self._notes.append(
                f"its last writer died before it could close: up to {sum(died_with.values())} "
                f"windows are missing ({_each(died_with)})"
            )
        waiting, self._unopened, self._held_bytes = self._unopened, deque(), 0
        for embedding in waiting:
            self._take(self._open, embedding)
        for stream, count in self._unkept.items():  # whose numbers seemed to be missed
            tally = journal.tally(stream)
            tally.taken += count
            tally.lost += count
            tally.missed = max(tally.missed - count, 0)
        self._unkept.clear()

    def push(self, embedding: Embedding) -> None:
        """Take a window in; takes microseconds, and never fails."""
        if self._open is not None:
            self._take(self._open, embedding)
            return
        self._unopened.append(embedding)
        self._held_bytes += _bytes(embedding)
        while self._held_bytes > WAITING_BYTES_MOST:
            dropped = self._unopened.popleft()
            self._held_bytes -= _bytes(dropped)
            self._unkept[dropped.stream] += 1

    def _take(self, held: _Hold, embedding: Embedding) -> None:
        tally = held.journal.tally(embedding.stream)
        if not held.numbers.take(tally, embedding):
            self._duplicates += 1
            return
        tally.taken += 1
        self._pending.append((tally.numbered_ns, embedding))
        self._held_bytes += _bytes(embedding)
        if self._dims.setdefault(embedding.model, len(embedding.vector)) != len(embedding.vector):
            self._let_go(held, self._pending.pop())  # no fingerprint has two dimensions
        while self._held_bytes > WAITING_BYTES_MOST:
            self._let_go(held, self._pending.popleft())
        held.journal.note(embedding.stream)

    def _let_go(self, held: _Hold, window: _Window) -> None:
        """Give a window up that cannot be kept."""
        _, embedding = window
        self._held_bytes -= _bytes(embedding)
        held.journal.tally(embedding.stream).lost += 1
        held.journal.note(embedding.stream)

    def due(self, now_ns: int) -> None:
        """Do what its time has come for: open, flush, upkeep. Blocks for the disk, milliseconds."""
        if now_ns < self._flush_due_ns:
            return
        self._flush_due_ns = now_ns + self._flush_ns
        if not self._opened(now_ns):
            return
        self.flush(now_ns)
        if now_ns >= self._upkeep_due_ns and not (self._tidying and self._tidying.is_alive()):
            self._upkeep_due_ns = now_ns + round(UPKEEP_S * 1e9)
            self._tidying = threading.Thread(
                target=self.tidy, args=(now_ns,), name="upkeep", daemon=True
            )
            self._tidying.start()

    def _opened(self, now_ns: int) -> bool:
        try:
            self.open()
        except BindstreamError as error:
            self._fail(str(error), now_ns)
        except Exception as error:  # whatever it is, streams go on
            self._fail(f"it cannot be opened: {short(error)}", now_ns)
        return self._open is not None

    def flush(self, now_ns: int) -> None:
        """Write what came. What cannot be written now waits."""
        if self._open is None:
            return
        self._trouble = ""
        oldest_ns = now_ns - self._keep_days * 86400e9
        groups: dict[Part, list[_Window]] = {}
        stale: Counter[str] = Counter()
        for window in self._pending:
            part = hour_of(key_of(window[1].model), window[1].start_ns)
            if part.until_ns <= oldest_ns:  # it would be dropped at once
                self._let_go(self._open, window)
                stale[window[1].stream] += 1
            else:
                groups.setdefault(part, []).append(window)
        if stale:
            self._trouble = (
                f"windows are older than history.keep_days when they come ({_each(stale)}): is "
                "their sensor's clock right?"
            )
        self._pending = deque(
            window
            for part, windows in groups.items()
            if not self._append(self._open, part, windows, now_ns)
            for window in windows
        )
        self._held_bytes = sum(_bytes(embedding) for _, embedding in self._pending)
        if not self._pending:
            self._flushed_ns = now_ns

    def _append(self, held: _Hold, part: Part, windows: list[_Window], now_ns: int) -> bool:
        with self._writing:
            if self._untouched == part.day:
                return False
            part = part.day if held.store.exists(part.day) else part
            try:
                held.store.append(part, to_table(windows, windows[0][1].model))
            except Exception as error:  # whatever it is, streams go on
                self._fail(f"vectors cannot be written: {short(error)}", now_ns)
                if held.store.damaged(part):  # upkeep is to rescue it now
                    held.upkeep.doubt()
                    self._upkeep_due_ns = 0
                return False
            self._fresh += len(windows)
        for stream, count in Counter(embedding.stream for _, embedding in windows).items():
            held.journal.tally(stream).stored += count
            held.journal.note(stream)
        return True

    def _fail(self, trouble: str, now_ns: int) -> None:
        self._trouble = trouble
        self._flush_due_ns = now_ns + max(self._flush_ns, round(RETRY_S * 1e9))

    def _leave_alone(self, day: Part | None) -> None:
        """Write nothing that is of this day until called again; what is being written is over."""
        with self._writing:
            self._untouched = day

    def tidy(self, now_ns: int) -> None:
        """The upkeep, here and now; see `bindstream.history.upkeep`."""
        if (held := self._open) is None:
            return
        try:
            held.upkeep.tidy(now_ns)
            with self._writing:
                self._totals, self._fresh = held.upkeep.totals(), 0
            self._upkeep_trouble = held.upkeep.trouble
        except Exception as error:  # upkeep comes again
            self._upkeep_trouble = f"upkeep: {short(error)}"

    def health(self, now_ns: int) -> WriterHealth:
        """What it can say of itself; any thread may ask."""
        tallies = dict(self._tallies)
        return WriterHealth(
            folder=str(self._folder),
            vectors=self._totals.vectors + self._fresh,
            bytes=self._totals.bytes,
            oldest_ns=self._totals.oldest_ns,
            waiting=len(self._pending) + len(self._unopened),
            flushed_s=None if self._flushed_ns is None else (now_ns - self._flushed_ns) / 1e9,
            stored={stream: t.stored for stream, t in tallies.items()},
            lost={stream: t.lost for stream, t in tallies.items() if t.lost} | dict(self._unkept),
            missed={stream: t.missed for stream, t in tallies.items() if t.missed},
            duplicates=self._duplicates,
            trouble=self._trouble or self._upkeep_trouble,
            notes=(*self._notes, *map(str, self._rescued)),
        )

    def close(self, now_ns: int) -> None:
        """Write what is left and let go of the history. What cannot be written is lost."""
        # A run may have ended before it came to that.
        if self._unopened and not self._opened(now_ns):
            self._unkept.update(embedding.stream for embedding in self._unopened)
            self._unopened.clear()
        if (held := self._open) is None:
            return
        self.flush(now_ns)  # first of all: whoever waits for us may lose patience
        held.upkeep.stop()
        if self._tidying is not None:
            self._tidying.join()
        self.flush(now_ns)
        while self._pending:
            self._let_go(held, self._pending.popleft())
        held.journal.close()
        held.lock.release()
        self._open = None


def writer_for(config: HistoryConfig, run_ns: int) -> Writer:
    """The writer that a configuration asks for, not opened yet."""
    c = config
    return Writer(c.path, run_ns, keep_days=c.keep_days, keep_bytes=c.keep_bytes, flush_s=c.flush_s)


def _bytes(embedding: Embedding) -> int:
    return int(embedding.vector.nbytes) + ROW_BYTES


def _each(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} of {stream}" for stream, count in counts.items())
