"""An alert and what its sensor gave, as a folder of files: whole, or not there at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import uuid
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import msgspec
import numpy as np

from bindstream.evidence.drawing import FAINT, INK, RED, Curve, Panel, charts, png
from bindstream.evidence.media import Files
from bindstream.records import Alert

ALERT_FILE = "alert.json"
SCORES_FILE = "scores.png"


class Told(msgspec.Struct, frozen=True):
    """What `alert.json` holds.

    `kept_start_ns` to `kept_end_ns` is the capture time that the files cover (both 0 if nothing was
    left to keep), `hop_s` the seconds from one score to the next, `files` those beside it, `note`
    what is missing and why ("" if nothing is).
    """

    alert: Alert
    kept_start_ns: int
    kept_end_ns: int
    hop_s: float
    files: tuple[str, ...]
    note: str = ""


def folder_of(root: Path, query: str, stream: str, start_ns: int) -> Path:
    """Where an alert's evidence lies: <query>/<stream>-<UTC time of its start>."""
    return root / query / f"{stream}-{time_text(start_ns)}"


def time_text(ns: int) -> str:
    """UTC ns as in "20261122T031502.250Z": to the millisecond, in the order of time."""
    seconds, rest_ns = divmod(ns, 10**9)
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y%m%dT%H%M%S}.{rest_ns // 1_000_000:03d}Z"


def save(root: Path, folder: Path, told: Told, files: Files) -> None:
    """Write it beside, then put it in its place, where an older one goes. Blocks for the disk.

    Raises:
        OSError: it cannot be written; nothing half is left, and an older one stays.
    """
    beside = root / f".{uuid.uuid4().hex}"
    try:
        beside.mkdir(parents=True)
        told = msgspec.structs.replace(told, files=(*files, SCORES_FILE))
        _write(beside, {**files, SCORES_FILE: scores_picture(told), ALERT_FILE: _encoded(told)})
        folder.parent.mkdir(parents=True, exist_ok=True)
        if folder.exists():
            older = root / f".{uuid.uuid4().hex}"
            folder.rename(older)
            try:
                beside.rename(folder)
            except OSError:
                older.rename(folder)
                raise
            shutil.rmtree(older, ignore_errors=True)
        else:
            beside.rename(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def tell_anew(folder: Path, told: Told) -> None:
    """Say anew what is told of an alert whose readings are saved already. Blocks for the disk.

    Raises:
        OSError: it cannot be written; what was there stays.
    """
    for name, content in ((SCORES_FILE, scores_picture(told)), (ALERT_FILE, _encoded(told))):
        beside = folder / f".{name}"
        try:
            beside.write_bytes(content)
            os.replace(beside, folder / name)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def _encoded(told: Told) -> bytes:
    return msgspec.json.format(msgspec.json.encode(told), indent=2)


def scores_picture(told: Told) -> bytes:
    """An alert's z (or whatever it measures), window by window up to its end, against the levels
    that were in force."""
    alert = told.alert
    values = np.array(alert.scores, np.float64)
    last_s = (alert.end_ns - alert.start_ns) / 1e9
    seconds = last_s - told.hop_s * np.arange(len(values))[::-1]
    levels = [("starts at", alert.on, RED), ("ends below", alert.off, FAINT)]
    title = f"{alert.query} on {alert.stream}, {time_text(alert.start_ns)}: {alert.measure}"
    panel = Panel(title, [Curve(alert.measure, seconds, values, INK)], levels)
    return png(charts([panel], "s after its start"))
