"""Where sections keep what they keep: whether that can be written to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bindstream.config.problem import Severity
from bindstream.config.section import Section

Problem = tuple[tuple[str, ...], str, str, Severity]
"""Where, what, the way out, and how bad it is."""


def place_problems(
    data: dict[str, Any], folder: Path, key: str, section: type[Section], why: Callable[[Path], str]
) -> Iterator[Problem]:
    """What is wrong with the `path` of a section, beside its values.

    Args:
        folder: that of the file, from which a relative path starts.
        why: why nothing can be kept at a path; "" if it can.
    """
    given = data.get(key)
    if given is None:
        if key in data:
            yield (key,), "is empty: nothing is kept", f"Write `{key}: {{}}`.", "warning"
        return
    try:
        path: Path = section.model_validate(given).path  # type: ignore[attr-defined]
        place = folder.resolve() / path.expanduser()
    except (ValidationError, RuntimeError):
        return  # which is said elsewhere
    if said := why(place):
        yield (key, "path"), said, "Choose one that you may write to.", "error"


def unusable_folder(path: Path) -> str:
    """Why nothing can be kept in a folder; "" if it can."""
    there = path
    while not there.exists() and there != there.parent:
        there = there.parent
    if not there.is_dir():
        return f"{there} is a file"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"{there} cannot be written to"


def unusable_file(path: Path) -> str:
    """Why nothing can be kept in a file; "" if it can."""
    if path.is_dir():
        return f"{path} is a folder"
    if path.exists():
        return "" if os.access(path, os.R_OK | os.W_OK) else f"{path} cannot be written to"
    return unusable_folder(path.parent)
