"""Files and folders a configuration names: resolved against its own folder, and looked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from bindstream.config.schema import Config, ModelConfig
from bindstream.models import installed_models

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
        }
    )


def missing_paths(section: BaseModel, folder: Path) -> Iterator[tuple[str, Path]]:
    """Keys of a section that name files or folders which are not there.

    Devices are not looked for: they come and go, and a reader waits for them.
    """
    for key, path in _paths(section, folder):
        if not path.exists() and Path("/dev") not in path.parents:
            yield key, path


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
        if "/" in section.name or (section.name not in installed_models() and path.is_dir()):
            yield "name", path


def resolved(section: M, folder: Path) -> M:
    """The same section with every relative path made absolute, starting from `folder`."""
    update = {
        key: str(path) if isinstance(getattr(section, key), str) else path
        for key, path in _paths(section, folder)
    }
    return section.model_copy(update=update) if update else section
