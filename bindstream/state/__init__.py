"""What a watch remembers: queries given while it ran, its alerts, and what was said of them."""

from __future__ import annotations

from bindstream.state.kept import KeptAlert, KeptQuery, Verdict
from bindstream.state.memory import Memory
from bindstream.state.notebook import Notebook
from bindstream.state.store import State

__all__ = ["KeptAlert", "KeptQuery", "Memory", "Notebook", "State", "Verdict"]
