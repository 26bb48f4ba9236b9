"""One summand as people write it: `a dog`, `0.5*sounds/rex.wav`, `kitchen/1795000000000000000`."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bindstream.errors import ConfigError

VECTOR = ".npy"
"""Suffix of files that hold a vector."""
_WEIGHTED = re.compile(
    r"([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?(?:nan|inf|infinity))\*(.+)",
    re.DOTALL | re.IGNORECASE,
)
_WINDOW = re.compile(r"(?:[^/]+/)?(?P<stream>[a-z0-9_-]+)/(?P<start>\d{16,19})")
_FILE = re.compile(r"(?:\.{0,2}|~[^/\s]*)/.*|.+\.[a-z][a-z0-9]{1,4}", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True)
class Term:
    """One part of a sum: what it is, and how much it counts (negative: away from it)."""

    kind: Literal["words", "file", "window"]
    what: str
    weight: float = 1.0

    @property
    def name(self) -> str:
        """What people call it: of a file its name alone."""
        return Path(self.what).stem or self.what if self.kind == "file" else self.what


def term(text: str, sign: float = 1.0) -> Term:
    """What is meant by `text`: the id of a window or an alert, a file, or words; `0.5*` before it
    is its weight.

    A file is what is named like one: it ends in .wav or the like, or begins with /, ./, ../ or ~/.
    What other names mean depends on where one stands; `placed` settles that.

    Raises:
        ConfigError: its weight cannot be, see `weight_fault`.
    """
    if fault := weight_fault(text):
        raise ConfigError(f"{fault}.", fix="What is to be taken off goes under `minus`.")
    weight, what = _parted(text)
    if _WINDOW.fullmatch(what):
        return Term("window", what, sign * weight)
    return Term("file" if _FILE.fullmatch(what) else "words", what, sign * weight)


def weight_fault(text: str) -> str:
    """What is wrong with the weight of a summand; "" if nothing is."""
    weight, what = _parted(text)
    if weight > 0 and math.isfinite(weight):
        return ""
    given = text.partition("*")[0].strip()
    return f"the weight of {what[:60]!r} is {given}: it must be a number above 0"


def terms(like: Iterable[str], plus: Iterable[str], minus: Iterable[str]) -> tuple[Term, ...]:
    """What is added and taken off, in this order."""
    added = (term(text) for some in (like, plus) for text in some)
    return (*added, *(term(text, -1.0) for text in minus))


def placed(text: str, folder: Path) -> str:
    """The same with the whole path of what is a file, or is named like one, beside `folder`."""
    weight, what = _parted(text)
    if weight_fault(text):
        return text  # which is said where it is read
    try:
        path = folder.absolute() / Path(what).expanduser()
        there = path.is_file()
    except (RuntimeError, OSError, ValueError):  # a home that nobody has, too long to be a name
        return text
    if not there and term(what).kind != "file":
        return text
    return str(path) if weight == 1 else f"{weight:g}*{path}"


def _parted(text: str) -> tuple[float, str]:
    weighted = _WEIGHTED.fullmatch(text)
    return (float(weighted[1]), weighted[2].strip()) if weighted else (1.0, text)


def window_named(window_id: str) -> tuple[str, int]:
    """Stream and start (UTC ns) in the id of a window (stream/start_ns) or an alert
    (query/stream/start_ns).

    Raises:
        ConfigError: it is neither.
    """
    found = _WINDOW.fullmatch(window_id)
    if found is None:
        raise ConfigError(
            f"{window_id!r} names no window.",
            fix="Give the id of a hit (STREAM/START_NS) or of an alert (QUERY/STREAM/START_NS).",
        )
    return found["stream"], int(found["start"])
