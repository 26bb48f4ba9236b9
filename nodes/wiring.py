"""What every actor of a run is told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bindstream.clock import Clock


@dataclass(frozen=True)
class Wiring:
    """One run: its clock, where its ledgers lie, and its bus, as every node can reach it."""

    clock: Clock
    folder: Path
    inbound: str
    address: str
    keys: Path | None

    def ledger(self, stream: str) -> Path:
        return self.folder / f"{stream}.ledger"
