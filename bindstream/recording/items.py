"""What a recorder is given, as it waits to be written."""

from __future__ import annotations

from typing import NamedTuple

from bindstream.accounts import Accounts
from bindstream.records import Alert, Embedding, Sample

ITEM_BYTES = 500
"""What anything takes beside its data, about."""


class Readings(NamedTuple):
    """A Sample, and how many of its stream were let go of right before it."""

    sample: Sample
    lost: int


class Said(NamedTuple):
    """The accounts of a stream at a time, UTC ns."""

    stream: str
    accounts: Accounts
    at_ns: int


Item = Readings | Said | Embedding | Alert


def size_bytes(item: Item) -> int:
    """What an item takes while it waits, about."""
    if isinstance(item, Readings):
        return ITEM_BYTES + item.sample.data.nbytes
    return ITEM_BYTES + (item.vector.nbytes if isinstance(item, Embedding) else 0)
