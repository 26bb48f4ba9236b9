"""Files and folders a configuration names: resolved against its own folder, and looked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from bindstream.config.query import QueryConfig
from bindstream.config.schema import Config, ModelConfig
from bindstream.models import installed_models
from bindstream.terms.term import placed, term

M = TypeVar("M", bound=BaseModel)


def resolve_paths(config: Config, folder: Path) -> Config:
    """The same configuration with every relative path made absolute, starting from `folder`."""
    streams = tuple(
        stream.model_copy(update={"source": resolved(stream.source, folder)})
        for stream in config.streams
    )
    return config.model_copy(
        update={
            "streams": streams,
            "model": resolved(config.model, folder),
            "bus": resolved(config.bus, folder),
            "queries": tuple(resolved(query, folder) for query in config.queries),
            "sinks": tuple(resolved(sink, folder) for sink in config.sinks),
            "history": config.history and resolved(config.history, folder),
            "state": config.state and resolved(config.state, folder),
            "evidence": config.evidence and resolved(config.evidence, folder),
            "record": config.record and resolved(config.record, folder),
        }
    )


def missing_paths(section: BaseModel, folder: Path) -> Iterator[tuple[str, Path]]:
    """Keys of a section that name files or folders which are not there.

    Devices are not looked for: they come and go, and a reader waits for them. A name that is too
    long, or in a folder that one may not look into, is not there.
    """
    for key, path in _paths(section, folder):
        if not os.path.exists(path) and Path("/dev") not in path.parents:
            yield key, path
    if isinstance(section, QueryConfig):
        for key, texts in _terms(section, folder).items():
            files = (Path(each.what) for each in map(term, texts) if each.kind == "file")
            yield from ((key, path) for path in files if not os.path.isfile(path))


def expanded(path: Path) -> Path:
    """A path with ~ as a home; a name that only begins so (`~draft.wav`) stays as it is."""
    try:
        return path.expanduser()
    except RuntimeError:
        return path


def _paths(section: BaseModel, folder: Path) -> Iterator[tuple[str, Path]]:
    for key in type(section).model_fields:
        value = getattr(section, key)
        if isinstance(value, Path):
            yield key, folder.resolve() / expanded(value)
    if isinstance(section, ModelConfig):
        path = folder.resolve() / expanded(Path(section.name))
        if "/" in section.name or (section.name not in installed_models() and os.path.isdir(path)):
            yield "name", path


def resolved(section: M, folder: Path) -> M:
    """The same section with every relative path made absolute, starting from `folder`."""
    update: dict[str, Any] = {
        key: str(path) if isinstance(getattr(section, key), str) else path
        for key, path in _paths(section, folder)
    }
    if isinstance(section, QueryConfig):
        update |= _terms(section, folder)
    return section.model_copy(update=update) if update else section


def _terms(query: QueryConfig, folder: Path) -> dict[str, Any]:
    """The sums of a query with the whole paths of their files, those that it has."""
    return {
        key: tuple(placed(each, folder.resolve()) for each in getattr(query, key))
        for key in ("like", "plus", "minus")
        if getattr(query, key)
    }
