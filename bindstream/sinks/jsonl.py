"""Alerts as JSON lines in a file, each written at once, and none twice."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from io import FileIO
from pathlib import Path

import msgspec

from bindstream.errors import ConfigError
from bindstream.latency import AGAIN
from bindstream.records import Alert

LOOKED_BACK = 4 << 20
"""Bytes of the file's end in which announcements of an earlier process are looked for: more than a
thousand of them, which is more than can be in doubt when one dies."""


class JsonlSink:
    """Appends one JSON object an announcement.

    What an earlier process of the run may have announced already is looked for in the file, and
    written only if it is not there. A last line that was never finished is taken back.

    Args:
        again: a process before this one had it open: where that cannot be now it is tried with each
            announcement.

    Raises:
        ConfigError: the file cannot be opened.
    """

    def __init__(self, path: Path, *, again: bool = False) -> None:
        self._path = path
        self._opened: FileIO | None = None
        self._unended = b""
        try:
            self._file  # noqa: B018 - opens it
        except OSError as error:
            if again:
                return
            raise ConfigError(
                f"cannot append to {path}: {error.strerror}.",
                where="sink jsonl",
                fix="Choose a path you may write to.",
            ) from None

    @property
    def _file(self) -> FileIO:
        """The file, opened with the first use that succeeds.

        Raises:
            OSError: it cannot be.
        """
        if self._opened is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._opened = self._path.open("ab", buffering=0)
            self._unended = self._mend()
        return self._opened

    def accept(self, alert: Alert) -> None:
        """Write the line at once.

        Raises:
            OSError: the disk is full; half a line is taken back.
        """
        if AGAIN in alert.stages and (alert.id, alert.state) in self._there():
            return
        before = os.fstat(self._file.fileno()).st_size
        line = self._unended + msgspec.json.encode(alert) + b"\n"
        written = self._file.write(line)
        if written < len(line):
            os.ftruncate(self._file.fileno(), before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._unended = b""

    def _mend(self) -> bytes:
        """Of a line that a process or the power left unfinished nothing stays.

        Returns:
            What has to be written before the next line.
        """
        *_, last = self._end().split(b"\n")
        if not last:
            return b""
        try:
            msgspec.json.decode(last)
        except msgspec.MsgspecError:
            os.ftruncate(self._file.fileno(), os.fstat(self._file.fileno()).st_size - len(last))
            return b""
        return b"\n"

    def _there(self) -> set[tuple[str, str]]:
        """The last announcements of the file, by id and state."""
        found = set()
        for line in self._end().split(b"\n"):
            with contextlib.suppress(msgspec.MsgspecError):
                said = msgspec.json.decode(line, type=_Announced)
                found.add((said.id, said.state))
        return found

    def _end(self) -> bytes:
        """The end of the file; nothing of what is no file, such as a pipe."""
        about = os.fstat(self._file.fileno())
        if not stat.S_ISREG(about.st_mode):
            return b""
        with self._path.open("rb") as file:
            file.seek(max(about.st_size - LOOKED_BACK, 0))
            return file.read()

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()


class _Announced(msgspec.Struct):
    """What an announcement is told by."""

    id: str
    state: str
