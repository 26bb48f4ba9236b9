"""The history actor: subscribes to the bus like anyone else, and keeps every vector."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass

from bindstream.bus import Subscriber
from bindstream.config import HistoryConfig
from bindstream.history.health import WriterHealth
from bindstream.history.writer import writer_for
from bindstream.keys import client_keys
from bindstream.records import Embedding, on_run_clock
from nodes.wiring import Wiring

WORK_MOST_S = 120.0
"""Opening a history, or one flush, may take this long: a slow disk, or many streams to look up."""
QUIET_S = 0.3
"""When nothing came for so long, what was in flight has arrived."""


@dataclass(frozen=True)
class HistoryHealth:
    """What the history actor says of itself.

    `refused` counts messages that could not be read, `beat_s` is the age of its loop's last turn,
    0 while it is at the disk, `notes` are the writer's.
    """

    pid: int
    kept: WriterHealth
    refused: int
    beat_s: float
    notes: tuple[str, ...]
    error: str


class HistoryNode:
    """Writes what is on the bus to the history.

    Args:
        run_ns: names the run; a restarted process gets the same, and goes on where this one died.
    """

    def __init__(self, wiring: Wiring, config: HistoryConfig, run_ns: int) -> None:
        self._clock = wiring.clock.here()
        keys = client_keys(wiring.keys) if wiring.keys else None
        self._subscriber = Subscriber(wiring.address, ["emb."], keys, wiring.streams)
        self._writer = writer_for(config, run_ns)
        self._stopping = threading.Event()
        self._closed = threading.Event()
        self._beat_s = self._heard_s = time.monotonic()
        self._work_began_s: float | None = None
        self._error = ""
        threading.Thread(target=self._run, name="history", daemon=True).start()

    def health(self) -> HistoryHealth:
        kept = self._writer.health(self._clock.now_ns())
        return HistoryHealth(
            pid=os.getpid(),
            kept=kept,
            refused=self._subscriber.refused,
            beat_s=self._stood_still_s(),
            notes=tuple(f"history: {note}" for note in kept.notes),
            error=self._error,
        )

    def drain(self, timeout_s: float) -> HistoryHealth:
        """Wait until the bus is quiet, write what is left, let go of the history, and report."""
        until_s = time.monotonic() + timeout_s
        while time.monotonic() < until_s and time.monotonic() - self._heard_s < QUIET_S:
            time.sleep(0.05)
        self._stopping.set()
        self._closed.wait(timeout_s)
        return self.health()

    def _stood_still_s(self) -> float:
        now_s, began_s = time.monotonic(), self._work_began_s
        at_work = began_s is not None and now_s - began_s < WORK_MOST_S
        return 0.0 if at_work else now_s - self._beat_s

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._beat_s = time.monotonic()
            record = self._subscriber.receive(0.2)
            try:
                if isinstance(record, Embedding):
                    self._heard_s = time.monotonic()
                    self._writer.push(on_run_clock(record))
                self._work_began_s = time.monotonic()
                self._writer.due(self._clock.now_ns())
            except Exception as error:  # one bad record must not end the history; health says it
                self._error = f"{type(error).__name__}: {error}"
            self._work_began_s = None
        try:
            self._writer.close(self._clock.now_ns())
        finally:
            self._closed.set()
