"""The file of a watch's state: SQLite, so that what was written stays written, come what may."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from pydantic import ValidationError

from bindstream.errors import StateError
from bindstream.json_text import read_json
from bindstream.lock import Lock
from bindstream.records import Alert
from bindstream.rules import Open
from bindstream.state.kept import ASKED, Kept, KeptAlert, Verdict
from bindstream.state.tables import ALERT, FORGET, FORMAT, KEEP, LAST_ENDED, OUTBOX, POST, TABLES

Announcement = tuple[str, str]
"""An alert's id and its state, "started" or "ended": each is announced once."""
ALERTS_MOST = 100_000
"""Alerts kept that nobody said anything of, the latest ones: about 200 MB."""
FORGET_EVERY = 1000
"""After so many more the oldest of too many go."""
BUSY_S = 2.0
"""How long to wait while another process of the same run writes."""


class State:
    """One file, made as needed. Every method blocks for the disk and raises StateError.

    Args:
        alone: refuse to share it with another run. Processes of the same run do not ask for that.

    Raises:
        StateError: it is damaged, cannot be read or written, or belongs to another run.
    """

    def __init__(self, path: Path, *, alone: bool = False) -> None:
        self.path = path
        self._guard = threading.RLock()
        self._since_forgot = 0
        with contextlib.suppress(OSError):  # which the lock or SQLite will say
            path.parent.mkdir(parents=True, exist_ok=True)
        self._lock: Lock | None = None
        if alone:
            fix = "Stop that one, or give this run a state of its own: state: {path: ...}."
            lock = path.with_name(path.name + ".lock")
            self._lock = Lock(lock, f"state {path}", fix, StateError)
        try:
            with self._said():
                self._db = sqlite3.connect(
                    path, timeout=BUSY_S, isolation_level=None, check_same_thread=False
                )
                self._open()
        except StateError:
            self._release()
            raise

    def _open(self) -> None:
        if self._db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            raise sqlite3.DatabaseError("its pages do not fit together")
        (found,) = self._db.execute("PRAGMA user_version").fetchone()
        if found > FORMAT:
            raise StateError(
                f"it is of a later version ({found}) than this program reads ({FORMAT}).",
                where=f"state {self.path}",
                fix="Update bindstream, or name another file.",
            )
        self._db.execute("PRAGMA synchronous = FULL")
        if found < FORMAT:
            self._make()
        self._db.execute("PRAGMA journal_mode = WAL")
        # On a full disk it can be used all the same, and what is too much goes later.
        with contextlib.suppress(sqlite3.OperationalError):
            self._db.execute(FORGET, (ALERTS_MOST,))

    def _make(self) -> None:
        """The tables, as far as they are not there."""
        with self._transaction():
            # Within: another process of the run may have made it meanwhile.
            (found,) = self._db.execute("PRAGMA user_version").fetchone()
            if not found:
                if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    whose, fix = "it is another program's.", "Name another file."
                    raise StateError(whose, where=f"state {self.path}", fix=fix)
                for statement in TABLES.split(";"):
                    self._db.execute(statement)
            if found < FORMAT:
                self._db.execute(OUTBOX)
                self._db.execute(f"PRAGMA user_version = {FORMAT}")

    def close(self) -> None:
        with self._guard:
            self._db.close()
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()

    @contextlib.contextmanager
    def _said(self) -> Iterator[None]:
        """What SQLite says, with the file and the way out."""
        try:
            with self._guard:
                yield
        except (sqlite3.Error, msgspec.MsgspecError, ValueError, TypeError) as error:
            # The latter two are of text that is none, and of values of another type than kept.
            what, fix = str(error), "Make room, or choose a place that you may write to."
            if "locked" in what:
                fix = "Another program holds it: end that one."
            elif not isinstance(error, sqlite3.OperationalError):
                fix = "It is damaged: move it away, and a new one is made."
            raise StateError(f"{what}.", where=f"state {self.path}", fix=fix) from None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):  # a full disk has rolled back already
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def kept(self) -> list[Kept]:
        """What was said of queries and rules, oldest first; what this version cannot read is left
        out."""
        with self._said():
            rows = self._db.execute(
                "SELECT id, config, sent, filed, paused, removed FROM query ORDER BY rowid"
            ).fetchall()
        found = []
        for name, config, sent, filed, paused, removed in rows:
            with contextlib.suppress(ValidationError):
                found.append(
                    Kept(
                        id=name,
                        config=None if config is None else ASKED.validate_json(config),
                        sent=json.loads(sent),
                        filed=filed,
                        paused=bool(paused),
                        removed=bool(removed),
                    )
                )
        return found

    def keep(self, kept: Kept) -> None:
        """On disk when this returns, in place of what was said of the same id before."""
        config = kept.config.model_dump_json(exclude_defaults=True) if kept.config else None
        with self._said(), self._transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO query VALUES (?, ?, ?, ?, ?, ?)",
                (kept.id, config, json.dumps(kept.sent), kept.filed, kept.paused, kept.removed),
            )

    def forget(self, name: str) -> None:
        """Nothing was said of the query or rule of this id."""
        with self._said(), self._transaction():
            self._db.execute("DELETE FROM query WHERE id = ?", (name,))

    def keep_alerts(self, kept: Sequence[KeptAlert], told: Collection[Announcement] = ()) -> None:
        """On disk when this returns; verdicts that are there stay.

        Args:
            told: those of them that everybody was told of already; the others wait in the outbox.
        """
        records = [msgspec.json.encode(each.alert).decode() for each in kept]
        rows = [
            (
                each.alert.id,
                each.alert.query,
                each.alert.stream,
                each.alert.state,
                each.alert.start_ns,
                each.alert.end_ns,
                record,
                None if each.vector is None else each.vector.astype("<f2").tobytes(),
                each.usual,
            )
            for each, record in zip(kept, records, strict=True)
        ]
        posted = [
            (each.alert.id, each.alert.state, record)
            for each, record in zip(kept, records, strict=True)
            if (each.alert.id, each.alert.state) not in told
        ]
        with self._said(), self._transaction():
            self._db.executemany(KEEP, rows)
            self._db.executemany(POST, posted)
            self._since_forgot += len(rows)
            if self._since_forgot >= FORGET_EVERY:
                self._db.execute(FORGET, (ALERTS_MOST,))
                self._since_forgot = 0

    def untold(self) -> list[Alert]:
        """Announcements in the outbox, in their order."""
        with self._said():
            rows = self._db.execute("SELECT record FROM outbox ORDER BY number")
            return [read_json(record, Alert) for (record,) in rows]

    def told(self, announcements: Iterable[Announcement]) -> None:
        """Everybody was told: they leave the outbox. Safe from `kill -9` at once, from a power cut
        soon; one that is not is told again."""
        with self._said(), self._soon(), self._transaction():
            self._db.executemany("DELETE FROM outbox WHERE id = ? AND state = ?", announcements)

    @contextlib.contextmanager
    def _soon(self) -> Iterator[None]:
        """What is written within need not wait for the disk."""
        self._db.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            self._db.execute("PRAGMA synchronous = FULL")

    def note(self, events: Sequence[Open]) -> None:
        """How far open events have come: safe from `kill -9` at once, from a power cut soon."""
        rows = [
            (msgspec.json.encode(each.alert).decode(), each.share, each.alert.id) for each in events
        ]
        with self._said(), self._soon(), self._transaction():
            self._db.executemany(
                "UPDATE alert SET open = ?, share = ? WHERE id = ? AND state = 'started'", rows
            )

    def open(self) -> list[Open]:
        """Events that were announced and did not end, as far as they were noted."""
        with self._said():
            rows = self._db.execute(
                "SELECT coalesce(open, record), coalesce(share, 0) FROM alert "
                "WHERE state = 'started' ORDER BY start_ns"
            ).fetchall()
            return [Open(read_json(record, Alert), share) for record, share in rows]

    def last_ended(self, query: str | None = None) -> list[Alert]:
        """The last event of a query, or of every query, on every stream that had one."""
        which, wanted = ("", ()) if query is None else (" AND query = ?", (query,))
        with self._said():
            rows = self._db.execute(f"{LAST_ENDED}{which} GROUP BY query, stream", wanted)
            return [read_json(record, Alert) for record, _ in rows]

    def judged(self) -> set[str]:
        """Ids of the queries and rules of whose alerts somebody said something."""
        with self._said():
            rows = self._db.execute("SELECT DISTINCT query FROM alert WHERE verdict != ''")
            return {query for (query,) in rows}

    def alerts(
        self,
        *,
        since_ns: int | None = None,
        query: str | None = None,
        stream: str | None = None,
        judged: bool = False,
        most: int = 1000,
    ) -> list[KeptAlert]:
        """The latest `most` alerts that began at `since_ns` or later, newest first.

        Args:
            judged: only those of which somebody said something.
        """
        asked = {"start_ns >= ?": since_ns, "query = ?": query, "stream = ?": stream}
        wanted = {what: value for what, value in asked.items() if value is not None}
        where = [*wanted, *(["verdict != ''"] if judged else [])]
        conditions = f" WHERE {' AND '.join(where)}" if where else ""
        with self._said():
            rows = self._db.execute(
                f"{ALERT}{conditions} ORDER BY start_ns DESC, rowid DESC LIMIT ?",
                (*wanted.values(), most),
            ).fetchall()
            return [_alert(row) for row in rows]

    def find(self, name: str) -> KeptAlert:
        """The alert of an id, of the only id that begins so, or the `last` one.

        Raises:
            StateError: there is none, or there are several.
        """
        if name == "last":
            found = self.alerts(most=1)
        elif not name:
            found = []
        else:
            with self._said():
                rows = self._db.execute(
                    f"{ALERT} WHERE substr(id, 1, ?) = ? ORDER BY id != ?, start_ns DESC LIMIT 3",
                    (len(name), name, name),
                ).fetchall()
                found = [_alert(row) for row in rows]
        exact = [each for each in found if each.alert.id == name]
        if len(exact or found) != 1:
            several = ", ".join(each.alert.id for each in found)
            raise StateError(
                f"several alerts begin with {name!r}: {several}."
                if found
                else f"there is no alert {name!r}.",
                where=f"state {self.path}",
                fix="`bindstream alerts` lists them.",
            )
        return (exact or found)[0]

    def judge(self, name: str, verdict: Verdict, note: str, now_ns: int) -> KeptAlert:
        """Keeps what was said of an alert (see `find`), in place of what was said before."""
        found = self.find(name)
        with self._said(), self._transaction():
            self._db.execute(
                "UPDATE alert SET verdict = ?, judged_ns = ?, note = ? WHERE id = ?",
                (verdict, now_ns, note, found.alert.id),
            )
        return self.find(found.alert.id)


def _alert(row: tuple[Any, ...]) -> KeptAlert:
    record, vector, *said = row
    alert = read_json(record, Alert)
    unit = None if vector is None else np.frombuffer(vector, "<f2").astype(np.float32)
    return KeptAlert(alert, unit, *said)
