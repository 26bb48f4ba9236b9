"""The state of a watch, as a configuration states it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from bindstream.config.history import HistoryConfig, unusable
from bindstream.config.problem import Severity
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


def state_problems(
    data: dict[str, Any], folder: Path
) -> Iterator[tuple[tuple[str, ...], str, str, Severity]]:
    """What is wrong with the section's place beside its values: where, what, the way out, and how
    bad it is.

    Args:
        folder: that of the file, from which a relative path starts.
    """
    section = data.get("state")
    if section is None:
        if "state" in data:
            yield ("state",), "is empty: nothing is kept", "Write `state: {}`.", "warning"
        return
    try:
        path = folder.resolve() / StateConfig.model_validate(section).path.expanduser()
    except (ValidationError, RuntimeError):
        return  # which is said elsewhere
    if why := _unusable(path):
        yield ("state", "path"), why, "Choose a file that you may write to.", "error"


def _unusable(path: Path) -> str:
    """Why no state can be kept there; "" if it can."""
    if path.is_dir():
        return f"{path} is a folder"
    if path.exists():
        return "" if os.access(path, os.R_OK | os.W_OK) else f"{path} cannot be written to"
    return unusable(path.parent)
