"""Evidence on the disk: read, found by its alert, and let go of when it is old or too much."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bindstream.errors import DataError
from bindstream.evidence.saving import ALERT_FILE, Told, folder_of, time_text
from bindstream.json_text import read_json

DAY_NS = 86_400 * 10**9
LEFT_BEHIND_S = 600.0
"""A half-written folder of a process that died goes after so long."""


@dataclass(frozen=True)
class Evidence:
    """A folder of evidence and what its `alert.json` tells."""

    folder: Path
    told: Told

    @property
    def files(self) -> list[Path]:
        """Its files, in order; the many of a film's frames are one folder."""
        return sorted({self.folder / Path(name).parts[0] for name in self.told.files})


def read_evidence(folder: Path) -> Evidence:
    """What a folder of evidence tells.

    Raises:
        DataError: it is none, or damaged.
    """
    try:
        content = (folder / ALERT_FILE).read_bytes()
        return Evidence(folder, read_json(content, Told))
    except OSError as error:
        why = f"there is no evidence: {error.strerror or error}."
    except (msgspec.MsgspecError, ValueError) as error:
        why = f"its {ALERT_FILE} cannot be read: {error}."
    raise DataError(why, where=str(folder), fix="Is it the folder that the alert names?")


def find_evidence(root: Path, alert_id: str) -> Evidence:
    """The evidence of an alert: by its id, by a beginning of it that only one has, or "last".

    Raises:
        DataError: there is none, or several begin so.
    """
    query, _, rest = alert_id.partition("/")
    stream, _, start = rest.partition("/")
    if start.isdecimal():
        folder = folder_of(root, query, stream, int(start))
        if folder.is_dir():
            return read_evidence(folder)
    every = sorted(folders(root), key=_written)
    if alert_id == "last" and every:
        return read_evidence(every[-1])
    known = list(_readable(every))
    found = [one for one in known if one.told.alert.id.startswith(alert_id)]
    if len(found) == 1:
        return found[0]
    latest = ", ".join(one.told.alert.id for one in (found or known)[-3:])
    raise DataError(
        f"{len(found) or 'no'} alerts kept there are named {alert_id!r}.",
        where=f"evidence {root}",
        fix=f"The latest are: {latest}."
        if latest
        else "Put `evidence: {}` into the "
        "configuration; what sensors gave is kept from the next run on.",
    )


def _readable(every: Iterable[Path]) -> Iterator[Evidence]:
    for folder in every:
        with contextlib.suppress(DataError):  # one that is damaged hides no other
            yield read_evidence(folder)


def folders(root: Path) -> Iterator[Path]:
    """Every folder of evidence under `root`, in no order; what is not ours is left alone."""
    for found in root.glob(f"*/*/{ALERT_FILE}"):
        if not found.parent.parent.name.startswith("."):
            yield found.parent


def _written(folder: Path) -> tuple[str, str]:
    """In the order of the alerts' starts: names end in their time."""
    return folder.name.rpartition("-")[2], str(folder)


def make_room(root: Path, keep_days: float, keep_bytes: int, now_ns: int, but: Path | None) -> int:
    """Let go of what is older than `keep_days`, then of the oldest until `keep_bytes` are left.

    Args:
        but: a folder that stays: the one just written, if one was.

    Returns:
        How many folders went. Blocks for the disk. Other processes may be at it too.
    """
    sized = [(folder, _bytes(folder)) for folder in sorted(folders(root), key=_written)]
    total = sum(size for _, size in sized)
    oldest = time_text(now_ns - round(keep_days * DAY_NS))
    gone = 0
    for folder, size in sized:
        if folder == but or not (total > keep_bytes or _written(folder)[0] < oldest):
            continue
        shutil.rmtree(folder, ignore_errors=True)
        total -= size
        gone += 1
    _sweep(root)
    return gone


def _sweep(root: Path) -> None:
    """Half-written folders of processes that died."""
    for left in root.glob(".*"):
        try:
            if len(left.name) == 33 and time.time() - left.stat().st_mtime > LEFT_BEHIND_S:
                shutil.rmtree(left, ignore_errors=True)
        except OSError:
            continue


def _bytes(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # another process let go of it
            continue
    return total
