"""What a history's writer says of itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class WriterHealth:
    """What a history's writer says of itself.

    `vectors`, `bytes` and `oldest_ns` (start of the oldest hour or day, UTC ns) are what is kept,
    `waiting` windows that are not on disk yet, `flushed_s` the age of the last flush. Of this run's
    windows, by stream: `stored`; `lost`, which came and could not be kept; `missed`, whose numbers
    never came: dropped before they were published, or lost on the way. `duplicates` came twice,
    or far too late. `trouble` is what is wrong now, `notes` what a person should have read once.
    """

    folder: str
    vectors: int
    bytes: int
    oldest_ns: int | None
    waiting: int
    flushed_s: float | None
    stored: dict[str, int]
    lost: dict[str, int]
    missed: dict[str, int]
    duplicates: int
    trouble: str
    notes: tuple[str, ...]
