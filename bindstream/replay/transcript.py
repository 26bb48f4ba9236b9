"""What came of a replay, line by line: the same bytes whenever the same is replayed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import msgspec

from bindstream.lineup import Stood
from bindstream.records import Alert

PASSING = ("stages", "evidence")
"""Fields of an alert that belong to one run: when that passed what, and where its files lie."""


def alert_line(alert: Alert) -> dict[str, Any]:
    """An announcement as a line says it: all of it but `PASSING`."""
    said: dict[str, Any] = msgspec.to_builtins(alert)
    return {"kind": "alert", **{key: said[key] for key in said if key not in PASSING}}


def window_line(stood: Stood) -> dict[str, Any]:
    """A window as a line says it; `vector` is the SHA-256 of the float32s, little-endian, and null
    where there is none."""
    place, embedding = stood.place, stood.embedding
    said: dict[str, Any] = msgspec.to_builtins(place)
    vector = None
    if embedding is not None:
        vector = hashlib.sha256(embedding.vector.astype("<f4").tobytes()).hexdigest()
    return {"kind": "window", **said, "vector": vector}


class Transcript:
    """Writes JSON lines with sorted keys into a file that is open; NaN and infinity are null.

    Args:
        windows: windows, too; alerts alone if not.
    """

    def __init__(self, file: BinaryIO, *, windows: bool = False) -> None:
        self._file = file
        self._windows = windows

    def window(self, stood: Stood) -> None:
        """A window whose turn it was."""
        if self._windows:
            self._write(window_line(stood))

    def alert(self, alert: Alert) -> None:
        """An announcement."""
        self._write(alert_line(alert))

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(msgspec.json.encode(line, order="sorted") + b"\n")

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()

    def __enter__(self) -> Transcript:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


@dataclass(frozen=True)
class TranscriptFile:
    """Where a transcript goes, as one process tells another."""

    path: Path
    windows: bool = False

    def open(self) -> Transcript:
        """Goes on at the file's end.

        Raises:
            OSError: it cannot be written.
        """
        return Transcript(self.path.open("ab"), windows=self.windows)
