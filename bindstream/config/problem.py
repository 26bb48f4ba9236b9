"""One thing wrong with a configuration, and how it reads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

_CREDENTIALS = re.compile(r"(?<=://)[^'\"\s]+@|(?<=\?)[^'\"\s]+")
"""User and password of an address, and its query: cameras take passwords in either."""
_LONGEST = 80

Severity = Literal["error", "warning"]


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a configuration.

    `line` starts at 1; `path` is dotted, like streams[0].source.url; `value` is what was found
    there (None if nothing, or a whole section); `fix` is the way out ("" if it is plain).
    """

    file: str
    line: int
    path: str
    value: Any
    what: str
    fix: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        found = "" if self.value is None else f" (found {self.shown()})"
        place = f"{self.path}: " if self.path else ""
        warning = "warning: " if self.severity == "warning" else ""
        fix = f" {self.fix}" if self.fix else ""
        return f"{self.file}:{self.line}: {warning}{place}{self.what}{found}.{fix}"

    def shown(self) -> str:
        """The value as text: not too long, and without the credentials of addresses."""
        text = repr(self.value)
        if "://" in text:
            text = _CREDENTIALS.sub(lambda found: "***@" if found[0][-1] == "@" else "***", text)
        return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
