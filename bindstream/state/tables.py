"""The tables of a state's file."""

from __future__ import annotations

FORMAT = 2  # of the file; raised when older versions could not read it
TABLES = """
CREATE TABLE query (
    id TEXT PRIMARY KEY, config TEXT, sent TEXT NOT NULL, filed TEXT NOT NULL,
    paused INTEGER NOT NULL, removed INTEGER NOT NULL
);
CREATE TABLE alert (
    id TEXT PRIMARY KEY, query TEXT NOT NULL, stream TEXT NOT NULL, state TEXT NOT NULL,
    start_ns INTEGER NOT NULL, end_ns INTEGER NOT NULL, record TEXT NOT NULL,
    vector BLOB, usual REAL NOT NULL DEFAULT 0,
    verdict TEXT NOT NULL DEFAULT '', judged_ns INTEGER NOT NULL DEFAULT 0,
    note TEXT NOT NULL DEFAULT '',
    open TEXT, share REAL
);
CREATE INDEX alert_start ON alert (start_ns);
CREATE INDEX alert_query ON alert (query, stream, end_ns);
CREATE INDEX alert_open ON alert (state) WHERE state = 'started';
"""
OUTBOX = """
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, state TEXT NOT NULL,
    record TEXT NOT NULL, UNIQUE (id, state)
)
"""
"""Announcements that were written and that not everybody was told of yet, in their order. Since
format 2."""
POST = "INSERT OR IGNORE INTO outbox (id, state, record) VALUES (?, ?, ?)"
KEEP = """
INSERT INTO alert (id, query, stream, state, start_ns, end_ns, record, vector, usual)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, end_ns = excluded.end_ns,
    record = excluded.record, vector = coalesce(excluded.vector, vector),
    usual = iif(excluded.vector IS NULL, usual, excluded.usual)
"""
FORGET = """
DELETE FROM alert WHERE verdict = '' AND state = 'ended' AND start_ns < (
    SELECT start_ns FROM alert ORDER BY start_ns DESC LIMIT 1 OFFSET ?
)
"""
ALERT = "SELECT record, vector, usual, verdict, judged_ns, note FROM alert"
LAST_ENDED = "SELECT record, max(end_ns) FROM alert WHERE state = 'ended'"
