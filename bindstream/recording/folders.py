"""Where recordings lie: a folder each run, and room made by removing the oldest of their files."""

from __future__ import annotations

import contextlib
import fcntl
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_RUN = re.compile(r"\d{8}T\d{6}Z(-\d+)?")
_FILE = re.compile(r"[a-z0-9._-]+-\d{5,}\.mcap")
_SAME_SECOND = 100


class _File(NamedTuple):
    written_ns: int
    size: int
    path: Path


def run_folder(root: Path, begun_ns: int) -> Path:
    """A new folder for a run that began at a time, UTC ns; of runs that begin in the same second
    each has its own. Where it cannot be made, whoever writes to it will say so."""
    name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(begun_ns // 10**9))
    folder = root / name
    for number in range(2, _SAME_SECOND):
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            folder = root / f"{name}-{number}"
        except OSError:
            break
        else:
            break
    return folder


def make_room(root: Path, keep_bytes: int) -> int:
    """Remove the oldest files of all recordings in `root` until they take `keep_bytes` at most.

    Only files that recorders wrote, by their names, in folders of runs: what else lies there, or
    behind links, stays and is not counted; nor does anything go that is being written. Several
    processes may do so at once. Returns how many files went.

    Raises:
        OSError: there is still too much, since a file cannot be removed.
    """
    files = sorted(_files(root))
    total, gone, failed = sum(file.size for file in files), 0, None
    for file in files:
        if total <= keep_bytes:
            return gone
        try:
            gone += _remove(file.path)
        except BlockingIOError:
            continue  # it is being written
        except OSError as error:
            failed = error
            continue
        total -= file.size
    if failed is not None and total > keep_bytes:
        raise failed
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


def _files(root: Path) -> Iterator[_File]:
    if not root.is_dir():
        return
    for run in root.iterdir():
        if _RUN.fullmatch(run.name) is None or run.is_symlink():
            continue
        with contextlib.suppress(OSError):  # gone meanwhile, or not ours to read
            for path in run.iterdir():
                there = path.lstat()
                if _FILE.fullmatch(path.name) and stat.S_ISREG(there.st_mode):
                    yield _File(there.st_mtime_ns, there.st_size, path)


def _remove(path: Path) -> bool:
    """Whether it went now; False if another process was faster.

    Raises:
        BlockingIOError: it is being written.
        OSError: it cannot be removed.
    """
    try:
        with path.open("rb") as file:
            # Shared: who else makes room does not stand in the way, who writes does.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            path.unlink()
    except FileNotFoundError:
        return False
    with contextlib.suppress(OSError):
        path.parent.rmdir()  # unless there is more in it
    return True
