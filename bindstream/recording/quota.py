"""Room for recordings: the oldest files go, never those that are being written."""

from __future__ import annotations

import contextlib
import fcntl
from pathlib import Path


def make_room(root: Path, keep_bytes: int) -> int:
    """Remove the oldest files of all recordings in `root` until they take `keep_bytes` at most.

    Several processes may do so at once. Returns how many files went.
    """
    files: list[tuple[int, int, Path]] = []
    for path in root.glob("*/*.mcap"):
        with contextlib.suppress(OSError):  # gone meanwhile
            there = path.stat()
            files.append((there.st_mtime_ns, there.st_size, path))
    total, gone = sum(size for _, size, _ in files), 0
    for _, size, path in sorted(files):
        if total <= keep_bytes:
            break
        if _removed(path):
            total -= size
            gone += 1
    return gone


def is_being_written(path: Path) -> bool:
    """Whether a process writes this file now."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _removed(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # unless there is more in it
    except OSError:
        return False
    return True
