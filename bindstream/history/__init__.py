"""The history: every vector that was published, kept in LanceDB, and searched.

    from bindstream.history import History

    history = History("history")
    for block in history.read(model.fingerprint, "door", since_ns=yesterday_ns):
        ...  # starts_ns, ends_ns (n,) int64; vectors (n, dim) float16; coverage, reused (n,)

A folder with one table for each model and hour (`parts`), in which a row is a window (`rows`,
`store`). One process writes (`writer`, which keeps its own accounts in `journal` and has `upkeep`
tidy behind it), any number read meanwhile (`reader`, `search`). Importing this is cheap: LanceDB is
imported where a history is opened.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bindstream.history.reader import Block, History
    from bindstream.history.writer import Writer

__all__ = ["Block", "History", "Writer"]

_HOMES = {"Block": "reader", "History": "reader", "Writer": "writer"}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'bindstream.history' has no attribute {name!r}")
    return getattr(import_module(f"bindstream.history.{_HOMES[name]}"), name)
