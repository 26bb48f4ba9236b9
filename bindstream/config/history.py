"""The history of vectors, as a configuration states it."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from bindstream.config.problem import Severity
from bindstream.config.section import Section


class HistoryConfig(Section):
    """Keep every vector that is published, to search it later; nothing is kept without this
    section, `history: {}` takes the defaults."""

    path: Path = Field(default=Path("history"), description="the folder, made as needed")
    keep_days: float = Field(
        default=30, ge=0.05, le=36500, description="what is older goes, by the hour or the day"
    )
    keep_bytes: int = Field(
        default=10_000_000_000,
        ge=10_000_000,
        description="what is too much goes, the oldest first; four streams of 1024 dimensions "
        "take about 0.75 GB a day",
    )
    flush_s: float = Field(
        default=2,
        ge=0.1,
        le=60,
        description="how often vectors are written, seconds: what a kill may cost; a power cut "
        "costs what the system had not put on the disk yet, too",
    )


def history_problems(
    data: dict[str, Any], folder: Path
) -> Iterator[tuple[tuple[str, ...], str, str, Severity]]:
    """What is wrong with the section's place beside its values: where, what, the way out, and how
    bad it is.

    Args:
        folder: that of the file, from which a relative path starts.
    """
    section = data.get("history")
    if section is None:
        if "history" in data:
            yield ("history",), "is empty: nothing is kept", "Write `history: {}`.", "warning"
        return
    try:
        path = HistoryConfig.model_validate(section).path
    except ValidationError:
        return  # which is said elsewhere
    if why := unusable(folder.resolve() / path.expanduser()):
        yield ("history", "path"), why, "Choose a folder that you may write to.", "error"
    if importlib.util.find_spec("lancedb") is None:
        fix = "Run: pip install 'bindstream[history]'."
        yield ("history",), "needs lancedb, which is not installed", fix, "warning"


def unusable(path: Path) -> str:
    """Why nothing can be kept there; "" if it can."""
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        return f"{there} is a file"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"{there} cannot be written to"
