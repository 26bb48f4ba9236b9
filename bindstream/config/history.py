"""The history of vectors, as a configuration states it."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from bindstream.config.places import Problem, place_problems, unusable_folder
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


def history_problems(data: dict[str, Any], folder: Path) -> Iterator[Problem]:
    """What is wrong with the section beside its values: see `place_problems`."""
    yield from place_problems(data, folder, "history", HistoryConfig, unusable_folder)
    if data.get("history") is not None and importlib.util.find_spec("lancedb") is None:
        fix = "Run: pip install 'bindstream[history]'."
        yield ("history",), "needs lancedb, which is not installed", fix, "warning"
