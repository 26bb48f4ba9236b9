"""What every actor of a run is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bindstream.clocks.host import Clock
from bindstream.replay.transcript import TranscriptFile

MATCH = "match"
"""The match actor's name, by which streams find it."""


@dataclass(frozen=True)
class Wiring:
    """One run: its clock, where its ledgers lie, its bus, as every node can reach it, and the names
    of its streams: vectors of others are none of this run's.

    `time` is where other hosts ask for the run's time (see `bindstream.clocks.exchange`).

    `lined_up` says that all are recordings, whose windows are judged in one order (see
    `bindstream.lineup`); `transcript` is where this is written down, if anywhere.
    """

    clock: Clock
    folder: Path
    inbound: str
    address: str
    keys: Path | None
    streams: frozenset[str]
    lined_up: bool = False
    transcript: TranscriptFile | None = None
    time: str = ""

    def ledger(self, stream: str) -> Path:
        return self.folder / f"{stream}.ledger"

    @property
    def alerts_lock(self) -> Path:
        """Held by the process that announces alerts."""
        return self.folder / "alerts.lock"
