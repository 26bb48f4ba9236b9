"""Alerts as JSON lines in a file, each on disk before the next is taken."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import msgspec

from bindstream.errors import ConfigError
from bindstream.records import Alert


class JsonlSink:
    """Appends one JSON object an announcement.

    Raises:
        ConfigError: the file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise ConfigError(
                f"cannot append to {path}: {error.strerror}.",
                where="sink jsonl",
                fix="Choose a path you may write to.",
            ) from None

    def accept(self, alert: Alert) -> None:
        """Write the line at once.

        Raises:
            OSError: the disk is full; half a line is taken back.
        """
        line = msgspec.json.encode(alert) + b"\n"
        before = os.fstat(self._file.fileno()).st_size
        written = self._file.write(line)
        if written < len(line):
            os.ftruncate(self._file.fileno(), before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        self._file.close()
