"""The files of one recorder, one after another; a disk that is full is tried again."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from bindstream.config.record import RecordConfig
from bindstream.recording.channels import Channel, Key
from bindstream.recording.folders import make_room
from bindstream.recording.segment import Segment
from bindstream.records import Sample

RETRY_S = 5.0
"""How long after a failure the next file is tried."""
LOOK_S = 10.0
"""How often the room that all recordings take is looked at."""


@dataclass
class Total:
    """What one file holds of one stream; times are capture times on the run's clock, UTC ns."""

    samples: int = 0
    start_ns: int = 0
    end_ns: int = 0
    gaps: int = 0
    lost: int = 0

    def add(self, sample: Sample, lost: int) -> None:
        by_ns = sample.offset_ns
        gaps = int(bool(sample.gap))
        self.merge(Total(1, sample.start_ns + by_ns, sample.end_ns + by_ns, gaps, lost))

    def add_said(self, about: Mapping[str, Any]) -> None:
        """A Sample by what is said of it in a file."""
        by_ns, start_ns, end_ns, lost = (
            int(about.get(key, 0)) for key in ("offset_ns", "start_ns", "end_ns", "lost")
        )
        gaps = int(bool(about.get("gap")))
        self.merge(Total(1, start_ns + by_ns, end_ns + by_ns, gaps, lost))

    def merge(self, other: Total) -> None:
        if other.samples:
            first = not self.samples
            self.start_ns = other.start_ns if first else min(self.start_ns, other.start_ns)
            self.end_ns = other.end_ns if first else max(self.end_ns, other.end_ns)
        self.samples += other.samples
        self.gaps += other.gaps
        self.lost += other.lost


class Series:
    """Writes `NAME-00001.mcap` and on in a folder. For one thread; what goes wrong with them is
    told, not raised.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        config: RecordConfig,
        channels: Iterable[Channel],
        facts: Mapping[str, str],
    ) -> None:
        self.folder, self._name, self._config = folder, name, config
        self._channels, self._facts = tuple(channels), facts
        self._segment: Segment | None = None
        self._totals: dict[str, Total] = {}
        self._number = 0
        self._begun_s = self._retry_s = 0.0
        self._look_s = float("-inf")
        self._closed_bytes = 0
        self.files = self.gone = 0
        self._fault = self._crowded = ""

    @property
    def trouble(self) -> str:
        """Why nothing is written now, or no room can be made ("" if all is well)."""
        return self._fault or self._crowded

    @property
    def disk_bytes(self) -> int:
        """On disk, of this recorder."""
        return self._closed_bytes + (self._segment.whole_bytes if self._segment else 0)

    @property
    def waiting_bytes(self) -> int:
        return self._segment.waiting_bytes if self._segment else 0

    def open(self) -> bool:
        """Whether there is a file to add to; begins one if it is time to try."""
        if self._segment is not None:
            return True
        now_s = time.monotonic()
        if now_s < self._retry_s:
            return False
        self._look(now_s)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._number = max([self._number, *self._there()]) + 1
            path = self.folder / f"{self._name}-{self._number:05d}.mcap"
            facts = {**self._facts, "name": self._name, "number": str(self._number)}
            self._segment = Segment(path, self._channels, facts)
        except Exception as error:  # whatever it is, sensors go on
            self._fail(error)
            return False
        self._begun_s, self._totals, self._fault = now_s, {}, ""
        self.files += 1
        return True

    def _there(self) -> list[int]:
        """Numbers of files of this name: another process may have begun the series."""
        found = self.folder.glob(f"{self._name}-*.mcap")
        numbers = (path.stem.removeprefix(f"{self._name}-") for path in found)
        return [int(number) for number in numbers if number.isdigit()]

    def add(self, messages: Sequence[tuple[Key, int, bytes]], published_ns: int) -> int:
        """Messages that are to stay together, with their log times; returns their bytes.

        Raises:
            KeyError: there is no such channel.
        """
        assert self._segment is not None
        add = self._segment.add
        return sum(add(key, log_ns, published_ns, data) for key, log_ns, data in messages)

    def count(self, sample: Sample, lost: int) -> None:
        """A Sample is in the open chunk, and so many before it are nowhere."""
        self._totals.setdefault(sample.stream, Total()).add(sample, lost)

    def flush(self) -> bool:
        """Close the open chunk; False if what it held could not be written. Begins no new file."""
        segment = self._segment
        if segment is None:
            return True
        try:
            segment.flush()
        except Exception as error:
            segment.abandon()
            self._let_go(segment)
            self._fail(error)
            return False
        now_s, config = time.monotonic(), self._config
        full = segment.whole_bytes >= config.segment_bytes
        if full or now_s - self._begun_s >= config.segment_s:
            self.close()
        if now_s - self._look_s >= LOOK_S:
            self._look(now_s)
        return True

    def close(self) -> None:
        """Close the open file; what was flushed is in it even if it cannot be closed well."""
        if (segment := self._segment) is None:
            return
        totals = {
            stream: msgspec.json.encode(asdict(total)).decode()
            for stream, total in self._totals.items()
        }
        try:
            segment.close(totals)
        except Exception as error:
            self._fail(error)
        self._let_go(segment)

    def _let_go(self, segment: Segment) -> None:
        try:
            self._closed_bytes += segment.path.stat().st_size
        except OSError:  # nothing of it was whole
            self.files -= 1
        self._segment = None

    def _look(self, now_s: float) -> None:
        self._look_s = now_s
        try:
            self.gone += make_room(self.folder.parent, self._config.keep_bytes)
            self._crowded = ""
        except OSError as error:
            self._crowded = (
                f"recordings in {self.folder.parent} take more than keep_bytes, and the oldest "
                f"cannot be removed: {error.strerror or error}"
            )

    def _fail(self, error: Exception) -> None:
        self._retry_s = time.monotonic() + RETRY_S
        why = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        self._fault = f"nothing is recorded in {self.folder}: {why}; it is tried again"
