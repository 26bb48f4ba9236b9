"""A history's tables by name: one for each model and hour, later one for each model and day.

`3f2a9c-20261121T14` holds the windows of model 3f2a9c that started in that hour of UTC,
`3f2a9c-20261121` those of the whole day. A day's table stands in for its hours as soon as it is
there, so that the change from one to the other is a single step. What lies in which table follows
from capture times alone: a search over a period opens only those that can hold it, and what is too
old goes a whole table at a time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS

_NAME = re.compile(r"(\w+)-(\d{8})(?:T(\d\d))?")
_PLAIN = re.compile(r"(?!sha256_)\w{1,64}", re.ASCII)
_EPOCH = datetime(1970, 1, 1)


@dataclass(frozen=True, order=True)
class Part:
    """One table: windows of the model `key` that started in [since_ns, until_ns), UTC ns."""

    since_ns: int
    until_ns: int
    key: str

    @property
    def name(self) -> str:
        when = _EPOCH + timedelta(hours=self.since_ns // HOUR_NS)
        return f"{self.key}-{when:%Y%m%dT%H}" if self.is_hour else f"{self.key}-{when:%Y%m%d}"

    @property
    def is_hour(self) -> bool:
        return self.until_ns - self.since_ns == HOUR_NS

    @property
    def day(self) -> Part:
        """The whole day that it is of."""
        return _part(self.key, self.since_ns, DAY_NS)

    def __str__(self) -> str:
        when = _EPOCH + timedelta(hours=self.since_ns // HOUR_NS)
        return f"{when:%Y-%m-%d %H} h UTC" if self.is_hour else f"{when:%Y-%m-%d}"


def hour_of(key: str, start_ns: int) -> Part:
    """The hour of a window that started then."""
    return _part(key, start_ns, HOUR_NS)


def _part(key: str, time_ns: int, length_ns: int) -> Part:
    since_ns = time_ns // length_ns * length_ns
    return Part(since_ns, since_ns + length_ns, key)


def part_named(name: str) -> Part | None:
    """The part of this name; None if it is no name of one."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    key, day, hour = found.groups()
    try:
        began = datetime.strptime(f"{day}{hour or '00'}", "%Y%m%d%H")
    except ValueError:
        return None
    hours = (began - _EPOCH) // timedelta(hours=1)
    return _part(key, hours * HOUR_NS, HOUR_NS if hour else DAY_NS)


def live(parts: Iterable[Part]) -> list[Part]:
    """Those that hold the history, oldest first: hours whose day is there count no more."""
    there = set(parts)
    return sorted(part for part in there if not (part.is_hour and part.day in there))


def key_of(model: str) -> str:
    """A model's fingerprint as part of a table's name; strange ones by their SHA-256."""
    if _PLAIN.fullmatch(model):
        return model
    return "sha256_" + hashlib.sha256(model.encode(errors="surrogatepass")).hexdigest()[:24]
