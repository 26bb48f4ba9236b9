"""Which keys and kinds may stand at a place in a configuration."""

from __future__ import annotations

import difflib
from typing import Any, get_args

from pydantic import BaseModel

from bindstream.config.rule import RULE_KINDS
from bindstream.config.schema import Config, Where
from bindstream.config.sinks import SinkConfig
from bindstream.sources.registry import KINDS


def _sink_kinds() -> dict[str, type[BaseModel]]:
    """Sink sections by their `kind`."""
    classes: tuple[type[BaseModel], ...] = get_args(get_args(SinkConfig)[0])
    return {get_args(c.model_fields["kind"].annotation)[0]: c for c in classes}


_KINDS: dict[str, dict[str, type[BaseModel]]] = {
    "source": {name: kind.options for name, kind in KINDS.items()},
    "sinks": _sink_kinds(),
    "rules": RULE_KINDS,
}


def place_in(data: Any, loc: Where, *, absent: bool) -> Where:
    """An error's place in the data, less the names of union members that pydantic puts in between.

    Args:
        absent: the error says that the last part of `loc` is missing from the data.
    """
    where: list[str | int] = []
    for i, part in enumerate(loc):
        if isinstance(data, list):
            held = isinstance(part, int) and part < len(data)
        else:  # a lone phrase stands for a list of them: its index leads nowhere
            held = isinstance(data, dict) and part in data
        if held:
            where.append(part)
            data = data[part]
        elif absent and i == len(loc) - 1:
            where.append(part)
    return tuple(where)


def kinds_at(where: Where) -> str:
    """Kinds that may stand at a source or a sink, in words."""
    return ", ".join(_KINDS[_section(where)])


def suggestion(key: str, loc: Where, root: type[BaseModel] = Config) -> str:
    """The way out of an unknown key at `loc`, the place of the section that holds it in `root`."""
    known = _keys_at(loc, root)
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Known keys: {', '.join(known)}."


def _section(where: Where) -> str:
    return next((part for part in reversed(where) if isinstance(part, str)), "")


def _keys_at(loc: Where, section: type[BaseModel]) -> list[str]:
    name = ""
    for part in loc:
        if isinstance(part, int):
            continue
        if name in _KINDS and part in _KINDS[name]:
            section = _KINDS[name][part]
        elif part in section.model_fields:
            inner = _sections_in(section.model_fields[part].annotation)
            section = inner[0] if inner else section
        name = part
    return list(section.model_fields)


def _sections_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [section for part in get_args(annotation) for section in _sections_in(part)]
