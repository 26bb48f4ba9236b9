"""Where sections keep what they keep: whether that can be written to."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bindstream.config.problem import Severity
from bindstream.config.section import Section

Problem = tuple[tuple[str | int, ...], str, str, Severity]
"""Where, what, the way out, and how bad it is."""
NAME_MOST = 255
"""Bytes of a file's name: what Linux's file systems take."""


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


def sink_problems(data: dict[str, Any], folder: Path) -> Iterator[Problem]:
    """What keeps sinks from writing their files."""
    sinks = data.get("sinks")
    for i, sink in enumerate(sinks if isinstance(sinks, list) else ()):
        given = sink.get("path") if isinstance(sink, dict) else None
        if isinstance(given, str) and given:
            try:
                said = unusable_file(folder.resolve() / Path(given).expanduser())
            except RuntimeError as error:  # a home that nobody has
                said = str(error)
            if said:
                yield ("sinks", i, "path"), said, "Choose one that you may write to.", "error"


def unusable_folder(path: Path) -> str:
    """Why nothing can be kept in a folder; "" if it can. It is tried in the folder that is there,
    or where it would be made, by a file without a name."""
    there = path
    while not os.path.exists(there) and there != there.parent:
        there = there.parent
    if not os.path.isdir(there):
        return f"{there} is a file"
    for name in path.parts[len(there.parts) :]:
        if not _is_name(name):
            return f"{name[:40]!r} cannot be a name in {there}"
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        return f"{there} cannot be written to ({error.strerror})"
    return ""


def unusable_file(path: Path) -> str:
    """Why nothing can be kept in a file; "" if it can."""
    if os.path.isdir(path):
        return f"{path} is a folder"
    if os.path.exists(path):
        return "" if os.access(path, os.R_OK | os.W_OK) else f"{path} cannot be written to"
    return unusable_folder(path)


def _is_name(name: str) -> bool:
    try:
        return "\0" not in name and len(os.fsencode(name)) <= NAME_MOST
    except UnicodeEncodeError:  # half of a letter
        return False
