"""The state that a run opens, if it keeps one, and what its watch remembers of it."""

from __future__ import annotations

from pathlib import Path

from bindstream.config import Config
from bindstream.errors import StateError
from bindstream.state.memory import Memory
from bindstream.state.store import State


def open_state(config: Config) -> tuple[State | None, list[str]]:
    """The run's state, for it alone, and what is to be said of it.

    One that nobody asked for, beside a history, stops no run: it goes on without, and says so.

    Raises:
        StateError: the one that was asked for cannot be used.
    """
    where = config.state_path
    if where is None:
        return None, []
    try:
        return State(where.absolute(), alone=True), []
    except StateError as error:
        if config.state is not None:
            raise
        return None, [f"nothing is remembered of queries and alerts: {error}"]


def open_memory(path: Path | None) -> Memory:
    """What a watch remembers, in the file that its run holds; nothing without one.

    A file that cannot be used any more ends no watch, which may be a later one of the same run: it
    remembers nothing, and says so.
    """
    if path is None:
        return Memory(None)
    try:
        return Memory(State(path))
    except StateError as error:
        return Memory(None, f"nothing is remembered until the run is started again: {error}")
