"""The history's writer: embeddings in, rows on disk every few seconds, and accounts of both.

Nothing it meets stops whoever pushes: a disk that is full, a folder that another process writes,
tables that are damaged. It says so in `health`, holds on to what fits its memory, tries again, and
counts what it had to let go of.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from pathlib import Path

from bindstream.config import HistoryConfig
from bindstream.errors import BindstreamError
from bindstream.history.journal import Journal, Lock, Tally
from bindstream.history.numbers import Numbers
from bindstream.history.parts import Part, hour_of, key_of
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


@dataclass(frozen=True)
class WriterHealth:
    """What a history's writer says of itself.

    `vectors`, `bytes` and `oldest_ns` (start of the oldest hour or day, UTC ns) are what is kept,
    `waiting` windows that are not on disk yet, `flushed_s` the age of the last flush. Of this run's
    windows, by stream: `stored`; `lost`, which came and could not be kept; `missed`, whose numbers
    never came: dropped before they were published, or lost on the way. `duplicates` came twice.
    `trouble` is what is wrong now, `notes` what a person should have read once.
    """

    folder: str
    vectors: int
    bytes: int
    oldest_ns: int | None
    waiting: int
    flushed_s: float | None
    stored: dict[str, int]
    lost: dict[str, int]
    missed: dict[str, int]
    duplicates: int
    trouble: str
    notes: tuple[str, ...]


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
        self._pending: deque[tuple[int, Embedding]] = deque()
        self._held_bytes = 0
        self._dims: dict[str, int] = {}
        self._duplicates = 0
        self._lock_file: Lock | None = None
        self._journal: Journal | None = None
        self._tallies: dict[str, Tally] = {}
        self._store: Store | None = None
        self._numbers: Numbers | None = None
        self._upkeep: Upkeep | None = None
        self._tidying: threading.Thread | None = None
        self._writing = threading.Lock()
        self._held: Part | None = None
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
        if self._journal is not None:
            return
        store = Store(self._folder)
        lock = Lock(self._folder)
        try:
            self._journal = Journal(self._folder, self._run_ns)
        except BaseException:
            lock.release()
            raise
        self._lock_file, self._store, self._numbers = lock, store, Numbers(store)
        self._upkeep = Upkeep(store, self._keep_days, self._keep_bytes, self._hold)
        if self._journal.unclean:
            self._upkeep.doubt()
        if died_with := self._journal.died_with:
            each = ", ".join(f"{count} of {stream}" for stream, count in died_with.items())
            self._notes.append(
                f"its last writer died before it could close: up to {sum(died_with.values())} "
                f"windows are missing ({each})"
            )
        self._tallies = self._journal.tallies
        waiting, self._unopened, self._held_bytes = self._unopened, deque(), 0
        for embedding in waiting:
            self._take(embedding)
        for stream, count in self._unkept.items():  # whose numbers seemed to be missed
            tally = self._journal.tally(stream)
            tally.taken += count
            tally.lost += count
            tally.missed = max(tally.missed - count, 0)
        self._unkept.clear()

    def push(self, embedding: Embedding) -> None:
        """Take a window in; takes microseconds, and never fails."""
        if self._journal is not None:
            self._take(embedding)
            return
        self._unopened.append(embedding)
        self._held_bytes += _bytes(embedding)
        while self._held_bytes > WAITING_BYTES_MOST:
            dropped = self._unopened.popleft()
            self._held_bytes -= _bytes(dropped)
            self._unkept[dropped.stream] += 1

    def _take(self, embedding: Embedding) -> None:
        assert self._journal is not None
        assert self._numbers is not None
        stream = embedding.stream
        tally = self._journal.tally(stream)
        if not self._numbers.take(tally, embedding):
            self._duplicates += 1
            return
        tally.taken += 1
        self._pending.append((tally.numbered_ns, embedding))
        self._held_bytes += _bytes(embedding)
        if self._dims.setdefault(embedding.model, len(embedding.vector)) != len(embedding.vector):
            self._let_go(self._pending.pop())  # no fingerprint has two dimensions
        while self._held_bytes > WAITING_BYTES_MOST:
            self._let_go(self._pending.popleft())
        self._journal.note(stream)

    def _let_go(self, window: tuple[int, Embedding]) -> None:
        """Give a window up that there is no room for."""
        assert self._journal is not None
        embedding = window[1]
        self._held_bytes -= _bytes(embedding)
        self._journal.tally(embedding.stream).lost += 1
        self._journal.note(embedding.stream)

    def due(self, now_ns: int) -> None:
        """Do what its time has come for: open, flush, upkeep. Blocks for the disk, milliseconds."""
        if now_ns < self._flush_due_ns:
            return
        self._flush_due_ns = now_ns + self._flush_ns
        try:
            self.open()
        except BindstreamError as error:
            self._fail(str(error), now_ns)
            return
        self.flush(now_ns)
        if now_ns >= self._upkeep_due_ns and not (self._tidying and self._tidying.is_alive()):
            self._upkeep_due_ns = now_ns + round(UPKEEP_S * 1e9)
            self._tidying = threading.Thread(
                target=self.tidy, args=(now_ns,), name="upkeep", daemon=True
            )
            self._tidying.start()

    def flush(self, now_ns: int) -> None:
        """Write what came. What cannot be written now waits."""
        groups: dict[Part, list[tuple[int, Embedding]]] = {}
        for window in self._pending:
            part = hour_of(key_of(window[1].model), window[1].start_ns)
            groups.setdefault(part, []).append(window)
        self._trouble = ""
        self._pending = deque(
            window
            for part, windows in groups.items()
            if not self._append(part, windows, now_ns)
            for window in windows
        )
        self._held_bytes = sum(_bytes(embedding) for _, embedding in self._pending)
        if not self._trouble:
            self._flushed_ns = now_ns

    def _append(self, part: Part, windows: list[tuple[int, Embedding]], now_ns: int) -> bool:
        assert self._store is not None
        assert self._journal is not None
        with self._writing:
            if self._held == part.day:
                return False
            part = part.day if self._store.exists(part.day) else part
            try:
                self._store.append(part, to_table(windows, windows[0][1].model))
            except Exception as error:  # whatever it is, streams go on
                self._fail(f"vectors cannot be written: {short(error)}", now_ns)
                self._doubt(part)
                return False
            self._fresh += len(windows)
        for stream, count in Counter(embedding.stream for _, embedding in windows).items():
            self._journal.tally(stream).stored += count
            self._journal.note(stream)
        return True

    def _fail(self, trouble: str, now_ns: int) -> None:
        self._trouble = trouble
        self._flush_due_ns = now_ns + max(self._flush_ns, round(RETRY_S * 1e9))

    def _doubt(self, part: Part) -> None:
        """A table that does not open is damaged: upkeep is to rescue it, now."""
        assert self._store is not None
        assert self._upkeep is not None
        try:
            self._store.open(part).count_rows()
        except Exception:
            self._upkeep.doubt()
            self._upkeep_due_ns = 0

    def _hold(self, day: Part | None) -> None:
        with self._writing:  # wait for what is being written
            self._held = day

    def tidy(self, now_ns: int) -> None:
        """The upkeep, here and now; see `bindstream.history.upkeep`."""
        if self._upkeep is None:
            return
        try:
            self._upkeep.tidy(now_ns)
            with self._writing:
                self._totals, self._fresh = self._upkeep.totals(), 0
            self._upkeep_trouble = self._upkeep.trouble
        except Exception as error:  # upkeep comes again
            self._upkeep_trouble = f"upkeep: {short(error)}"

    def health(self, now_ns: int) -> WriterHealth:
        rescued = self._upkeep.rescued if self._upkeep else []
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
            notes=(*self._notes, *map(str, rescued)),
        )

    def close(self, now_ns: int) -> None:
        """Write what is left and let go of the history. What cannot be written is lost."""
        if self._upkeep is not None:
            self._upkeep.stop()
        if self._tidying is not None:
            self._tidying.join()
        if self._journal is None and self._unopened:
            try:
                self.open()  # a run that ended before it came to that
            except BindstreamError as error:
                self._trouble = str(error)
                self._unkept.update(embedding.stream for embedding in self._unopened)
                self._unopened.clear()
        if self._journal is None:
            return
        self.flush(now_ns)
        while self._pending:
            self._let_go(self._pending.popleft())
        self._journal.close()
        self._journal = None
        if self._lock_file is not None:
            self._lock_file.release()


def writer_for(config: HistoryConfig, run_ns: int) -> Writer:
    """The writer that a configuration asks for, not opened yet."""
    return Writer(
        config.path,
        run_ns,
        keep_days=config.keep_days,
        keep_bytes=config.keep_bytes,
        flush_s=config.flush_s,
    )


def _bytes(embedding: Embedding) -> int:
    return int(embedding.vector.nbytes) + ROW_BYTES
