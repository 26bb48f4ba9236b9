"""Recordings into a history, as if the stream had been heard then."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bindstream.config import HistoryConfig
from bindstream.errors import ConfigError, HistoryError
from bindstream.history.journal import Lock
from bindstream.history.parts import DAY_NS
from bindstream.history.reader import EVER_NS, History, period
from bindstream.history.rows import numbers_of
from bindstream.history.writer import writer_for
from bindstream.playback import Recording, Span

FLUSH = 1000
"""Windows after which they are written: far fewer than a writer holds on to."""


def occupied(folder: Path | None, model: str, stream: str) -> tuple[list[Span], set[str]]:
    """When a stream was heard, oldest first and each stretch once, and the names of the clocks of
    its windows. Nothing where there is no history. Blocks for the disk."""
    if folder is None or not folder.is_dir():
        return [], set()
    history, spans, clocks = History(folder), list[Span](), set[str]()
    for part, from_ns in history.parts(model, -EVER_NS, EVER_NS):
        where = period([stream], from_ns, EVER_NS)
        for batch in history.scan(part, ("start_ns", "end_ns", "clock"), where):
            spans += _stretches(numbers_of(batch, "start_ns"), numbers_of(batch, "end_ns"))
            clocks.update(batch.column(2).unique().to_pylist())
    starts, ends = (np.array([span[i] for span in spans], np.int64) for i in (0, 1))
    return _stretches(starts, ends), clocks


def _stretches(starts: np.ndarray, ends: np.ndarray) -> list[Span]:
    """Windows, in any order, as stretches without a gap."""
    if not len(starts):
        return []
    order = np.argsort(starts, kind="stable")
    starts, reach = starts[order], np.maximum.accumulate(ends[order])
    cuts = np.flatnonzero(starts[1:] > reach[:-1])
    firsts, lasts = np.append(0, cuts + 1), np.append(cuts, len(starts) - 1)
    return list(zip(starts[firsts].tolist(), reach[lasts].tolist(), strict=True))


def check_free(folder: Path) -> None:
    """Before anything is computed for it.

    Raises:
        HistoryError: another process writes this history, or nothing can be written there.
    """
    if folder.is_dir():
        Lock(folder).release()


def add(config: HistoryConfig, recordings: Sequence[Recording], now_ns: int) -> None:
    """Keep recordings that were placed. Blocks for the disk.

    Raises:
        ConfigError: they would be dropped at once, as older than what is kept.
        HistoryError: another process writes this history, or not all could be written.
    """
    oldest_ns = min(recording.span[0] for recording in recordings)
    if oldest_ns < now_ns - config.keep_days * DAY_NS:
        days = (now_ns - oldest_ns) / DAY_NS
        raise ConfigError(
            f"the recordings would reach back {days:.2g} days, of which {config.keep_days:g} are "
            "kept.",
            where="history.keep_days",
            fix="Give shorter recordings, or keep more.",
        )
    writer = writer_for(config, now_ns)
    writer.open()
    try:
        for recording in recordings:
            for place, window in enumerate(recording.windows):
                writer.push(window)
                if place % FLUSH == FLUSH - 1:
                    writer.flush(now_ns)
    finally:
        writer.close(now_ns)
    health = writer.health(now_ns)
    if lost := sum(health.lost.values()) + health.duplicates:
        raise HistoryError(
            f"{lost} windows could not be written: {health.trouble}", where=str(config.path)
        )
