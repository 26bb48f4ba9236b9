"""A file that one process at a time may hold."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

from bindstream.errors import BindstreamError


class Lock:
    """Held from now on; the system lets go of it when the process dies.

    Args:
        path: the lock's file, made as needed.
        of: what it guards, as errors name it.
        fix: the way out for who comes second.
        error: what is raised.

    Raises:
        BindstreamError: another process holds it, or the file cannot be written.
    """

    def __init__(self, path: Path, of: str, fix: str, error: type[BindstreamError]) -> None:
        try:
            file = path.open("a+")
        except OSError as failed:
            raise error(
                f"it cannot be written: {failed.strerror or failed}.",
                where=str(path),
                fix="Make room, or choose a folder that you may write to.",
            ) from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read(20).strip() or "?"
            file.close()
            raise error(f"another process (pid {holder}) writes it.", where=of, fix=fix) from None
        self._file: IO[str] | None = file
        try:
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        except OSError:  # a full disk: the number is for people
            pass

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
