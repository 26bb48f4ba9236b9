"""The state of a watch, as a configuration states it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from bindstream.config.history import HistoryConfig
from bindstream.config.section import Section

NAME = "state.db"


class StateConfig(Section):
    """Remember across restarts: queries given while running, alerts, and what was said of them.

    Where there is a `history` it is kept in that folder without this section, since who keeps one
    wants runs to go on where the last one ended; without either, nothing is written.
    """

    path: Path = Field(default=Path(NAME), description="the file, made as needed")


def state_path(state: StateConfig | None, history: HistoryConfig | None) -> Path | None:
    """Where a run's state is kept; None if it keeps none."""
    if state is not None:
        return state.path
    return history.path / NAME if history is not None else None
