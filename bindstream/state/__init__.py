"""What a watch remembers: queries and rules given while it ran, its alerts, and what was said of
them."""

from __future__ import annotations

from bindstream.state.kept import Kept, KeptAlert, Verdict
from bindstream.state.memory import Memory
from bindstream.state.notebook import Notebook
from bindstream.state.opening import open_memory, open_state
from bindstream.state.store import State

__all__ = [
    "Kept",
    "KeptAlert",
    "Memory",
    "Notebook",
    "State",
    "Verdict",
    "open_memory",
    "open_state",
]
