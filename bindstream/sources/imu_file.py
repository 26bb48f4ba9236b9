"""Recorded IMU readings: CSV with a time column, or NPZ."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import SourceError
from bindstream.records import Sample
from bindstream.sources import EndOfStream, SourceContext
from bindstream.sources.frames import WAIT_S, lost
from bindstream.sources.imu_columns import ColumnsOptions
from bindstream.sources.imu_reading import MOST
from bindstream.sources.imu_text import TextParser
from bindstream.sources.playback import Playback

CHUNK_NS = 100_000_000
"""Readings of so long make one sample."""
SILENT_NS = 500_000_000
"""A silence so long within a recording is marked."""


class ImuFile:
    """Plays a recording. Each reading was captured at its own time, counted from the first."""

    recorded = True

    def __init__(self, context: SourceContext, path: Path, options: ColumnsOptions) -> None:
        self._context = context
        self._path = path.expanduser()
        self._options = options
        self._playback = Playback(context, options.speed)
        self._counts: Counter[str] = Counter()
        self._times = np.zeros(0, np.int64)
        self._rows = np.zeros((0, 6), np.float32)
        self._next = 0
        self._round_ns = 0  # where this round of the file begins

    def open(self) -> None:
        """Reads the whole file.

        Raises:
            SourceError: it is not there, cannot be read, or holds no readings with times.
        """
        if not self._path.is_file():
            raise lost(self._context, f"there is no file {self._path}.", "Correct `file`.")
        npz = self._path.suffix.lower() == ".npz"
        try:
            times, rows = self._read_npz() if npz else self._read_text()
        except OSError as error:
            raise self._refused(f"cannot be read ({error.strerror or error})", "") from None
        back = np.flatnonzero(np.diff(times) < 0)
        if len(back):
            raise self._refused(
                f"goes back in time at reading {back[0] + 2}",
                "Cut it there, or set time.wrap_bits if its counter starts again.",
            )
        sound = np.isfinite(rows).all(axis=1) & (np.abs(rows) <= MOST).all(axis=1)
        if len(rows) > sound.sum():
            self._counts["implausible"] += int(len(rows) - sound.sum())
        self._times, self._rows = times[sound], rows[sound]
        if not len(self._times):
            raise self._refused("holds no readings", "Give one that does.")
        self._times = self._times - self._times[0]
        self._next = self._round_ns = 0

    def read(self) -> list[Sample]:
        """The next 0.1 s of readings, when they are due.

        Raises:
            EndOfStream: the recording is over.
        """
        if self._next >= len(self._times):
            if not self._options.loop:
                raise EndOfStream
            period_ns = max(int(self._times[-1]) // max(len(self._times) - 1, 1), 1)
            self._round_ns += int(self._times[-1]) + period_ns
            self._next = 0
        first = self._next
        last = int(np.searchsorted(self._times, self._times[first] + CHUNK_NS))
        last_s = (self._round_ns + int(self._times[last - 1])) / 1e9
        if not self._playback.wait_until_due(last_s, at_most_s=WAIT_S):
            return []
        self._next = last
        times_ns = self._playback.capture_ns(0) + self._round_ns + self._times[first:last]
        silent_ns = int(self._times[first] - self._times[first - 1]) if first else 0
        return [
            Sample(
                stream=self._context.stream,
                modality=self._context.modality,
                data=self._rows[first:last].copy(),
                start_ns=int(times_ns[0]),
                end_ns=int(times_ns[-1]),
                receive_ns=self._context.clock.now_ns(),
                clock=self._context.clock.id,
                times_ns=times_ns,
                gap=f"silent for {silent_ns / 1e9:.2f} s" if silent_ns > SILENT_NS else "",
            )
        ]

    def close(self) -> None:
        self._playback.stop()

    def notes(self) -> dict[str, int]:
        return dict(self._counts)

    def _read_text(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        parser = TextParser(self._options, whole=True)
        readings = parser.push(self._path.read_bytes() + b"\n")
        self._counts = parser.counts
        if not readings:
            problem = parser.problem or "no line of six channels among its text"
            raise self._refused(f"holds no readings: {problem}", "Set `columns` or `header`.")
        times = [reading.time_ns for reading in readings if reading.time_ns is not None]
        if len(times) < len(readings):
            raise self._refused(
                "has no time column",
                "Head it time_s, time_ms, time_us or time_ns (or name it in a configuration: "
                "time: {column: NAME, unit: ms}).",
            )
        rows = np.array([reading.values for reading in readings], np.float32)
        return np.array(times, np.int64), rows

    def _read_npz(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        try:
            with np.load(self._path, allow_pickle=False) as arrays:
                held = {n: arrays[n] for n in ("time_ns", "time_ms", "acc_gyro") if n in arrays}
        except OSError:
            raise
        except Exception as error:  # a broken file fails in many ways, each with its own exception
            raise self._refused(f"is not a whole NPZ file ({error})", "Copy it again.") from None
        name = next((n for n in ("time_ns", "time_ms") if n in held), None)
        rows = held.get("acc_gyro")
        if name is None or rows is None:
            raise self._refused(
                f"holds {', '.join(held) or 'neither'} of time_ms (or time_ns) and acc_gyro",
                "Save times (N,) int and acc_gyro (N, 6) float, in m/s² and rad/s.",
            )
        times = held[name]
        numbers = rows.dtype.kind in "fiu" and times.dtype.kind in "iu"
        if not numbers or rows.ndim != 2 or rows.shape[1:] != (6,) or times.shape != rows.shape[:1]:
            raise self._refused(
                f"holds acc_gyro {rows.dtype} {rows.shape} and {name} {times.dtype} {times.shape}",
                "acc_gyro has to be (N, 6) float, accelerometer then gyroscope; times (N,) int.",
            )
        unit_ns = 1 if name == "time_ns" else 1_000_000
        return times.astype(np.int64) * unit_ns, rows.astype(np.float32)

    def _refused(self, what: str, fix: str) -> SourceError:
        return lost(self._context, f"{self._path} {what}.", fix)
