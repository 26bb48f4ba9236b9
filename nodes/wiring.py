"""What every actor of a run is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bindstream.clock import Clock


@dataclass(frozen=True)
class Wiring:
    """One run: its clock, where its ledgers lie, its bus, as every node can reach it, and the names
    of its streams: vectors of others are none of this run's."""

    clock: Clock
    folder: Path
    inbound: str
    address: str
    keys: Path | None
    streams: frozenset[str]

    def ledger(self, stream: str) -> Path:
        return self.folder / f"{stream}.ledger"
