"""Addresses of devices as they may be shown: without the credentials in them."""

from __future__ import annotations

import re

HIDDEN = "***"
_PARTS = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)?(?P<credentials>.*@)?(?P<rest>[^?#]*)(?P<query>\?)?",
    re.IGNORECASE | re.DOTALL,
)
_STATED = re.compile(
    r"((?:user|proxy)-(?:pw|id)|pass\w*?|pwd|token|secret|api_?key)(\s*=\s*)"
    r"(\"[^\"]*\"|'[^']*'|\S+)",
    re.IGNORECASE,
)
_HEADER = re.compile(r"(authorization|cookie)\b[^!]*", re.IGNORECASE)


def redacted(url: str) -> str:
    """`url` without user, password and query, for errors and logs.

    Cameras take passwords in all these places, and in their paths; what is left still says which
    camera it is. Whatever stands before the last @ goes: passwords may hold what an address may
    not.
    """
    parts = _PARTS.match(url)
    assert parts is not None  # every part of it may be empty
    who = f"{HIDDEN}@" if parts["credentials"] else ""
    query = f"?{HIDDEN}" if parts["query"] else ""
    return f"{parts['scheme'] or ''}{who}{without_stated(parts['rest'])}{query}"


def without_stated(text: str) -> str:
    """`text` without the values of `password=` and the like, as GStreamer's elements take them."""
    return _HEADER.sub(rf"\1 {HIDDEN} ", _STATED.sub(rf"\1\2{HIDDEN}", text))
