"""Buffers that hold a stream's readings until the windows over them are cut.

One buffer a layout of the modality table: `SignalBuffer` (audio), `ReadingsBuffer` (imu),
`FramesBuffer` (vision, thermal, depth). All are pure: what `cut` returns depends on the readings
put in and their capture times, not on how they were chunked nor (within the lateness) on their
order.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bindstream.modalities import Modality
from bindstream.records import Sample

Span = tuple[int, int]


@dataclass(frozen=True)
class Cut:
    """The readings of one interval; `coverage` in [0, 1], `gaps` in ns, oldest first."""

    data: NDArray[Any]
    times_ns: NDArray[np.int64] | None
    coverage: float
    gaps: tuple[Span, ...]


class Buffer(Protocol):
    """Holds readings; `counts` tallies what was refused: "late", "duplicate", "invalid"."""

    counts: Counter[str]

    def put(self, sample: Sample) -> None: ...

    def cut(self, start_ns: int, end_ns: int) -> Cut | None:
        """The interval's readings, or None when there are none at all."""

    def first_ns(self, from_ns: int) -> int | None:
        """Capture time of the first reading at or after `from_ns`, or None."""

    def forget(self, before_ns: int) -> None:
        """Let go of readings that no window from `before_ns` on can need."""


def buffer_for(modality: Modality, window_ns: int, hop_ns: int) -> Buffer:
    if modality.layout == "signal":
        return SignalBuffer(modality.rate_hz, window_ns, modality.max_gap_s)
    if modality.layout == "readings":
        return ReadingsBuffer(modality.max_gap_s)
    return FramesBuffer(modality.frames, modality.max_gap_s, window_ns, hop_ns)


class _Run:
    """Consecutive evenly spaced readings; only the first one's time counts (`anchor_ns`)."""

    def __init__(self, anchor_ns: int, rate_hz: float) -> None:
        self.anchor_ns = anchor_ns
        self._rate_hz = rate_hz
        self._chunks: list[NDArray[np.float32]] = []
        self._skipped = 0
        self._count = 0

    @property
    def start_ns(self) -> int:
        return self.anchor_ns + round(self._skipped * 1e9 / self._rate_hz)

    @property
    def end_ns(self) -> int:
        return self.anchor_ns + round((self._skipped + self._count) * 1e9 / self._rate_hz)

    def append(self, chunk: NDArray[np.float32]) -> None:
        self._chunks.append(chunk)
        self._count += len(chunk)

    def copy_into(self, out: NDArray[np.float32], seen: NDArray[np.bool_], start_ns: int) -> None:
        """Lay this run's readings over a window that starts at `start_ns`."""
        first = self._skipped - round((start_ns - self.anchor_ns) * self._rate_hz / 1e9)
        for chunk in self._chunks:
            low, high = max(first, 0), min(first + len(chunk), len(out))
            if low < high:
                out[low:high] = chunk[low - first : high - first]
                seen[low:high] = True
            first += len(chunk)

    def forget(self, before_ns: int) -> None:
        while self._chunks:
            size = len(self._chunks[0])
            if self.anchor_ns + round((self._skipped + size) * 1e9 / self._rate_hz) > before_ns:
                return
            self._chunks.pop(0)
            self._skipped += size
            self._count -= size


class SignalBuffer:
    """Evenly sampled readings, laid on the window's own grid; missing ones are zero and marked.

    A chunk that starts within `max_gap_s` of where an earlier one ended continues it, reading by
    reading: small errors of the reported times move nothing. A larger step starts a new run at its
    own time.
    """

    def __init__(self, rate_hz: float, window_ns: int, max_gap_s: float) -> None:
        self.counts: Counter[str] = Counter()
        self._rate_hz = rate_hz
        self._size = round(window_ns * rate_hz / 1e9)
        self._tolerance_ns = round(max_gap_s * 1e9)
        self._runs: list[_Run] = []
        self._marks: list[int] = []

    def put(self, sample: Sample) -> None:
        chunk = np.asarray(sample.data, np.float32)
        finite = np.isfinite(chunk)
        if not finite.all():
            self.counts["invalid"] += int((~finite).sum())
            chunk = np.where(finite, chunk, np.float32(0))
        if sample.gap:
            self._marks.append(sample.start_ns)
        for run in self._runs:
            inside = run.start_ns - self._tolerance_ns <= sample.start_ns
            if inside and sample.end_ns <= run.end_ns + 1 and len(chunk):
                self.counts["duplicate"] += len(chunk)
                return
        continued = None if sample.gap else self._continued(sample)
        if continued is None:
            continued = _Run(sample.start_ns, self._rate_hz)
            self._runs.append(continued)
        continued.append(chunk)

    def _continued(self, sample: Sample) -> _Run | None:
        steps = [(abs(sample.start_ns - run.end_ns), run) for run in self._runs]
        near = min(steps, key=lambda s: s[0], default=None)
        return near[1] if near is not None and near[0] <= self._tolerance_ns else None

    def cut(self, start_ns: int, end_ns: int) -> Cut | None:
        data = np.zeros(self._size, np.float32)
        seen = np.zeros(self._size, np.bool_)
        for run in self._runs:
            run.copy_into(data, seen, start_ns)
        if not seen.any():
            return None
        edges = np.flatnonzero(np.diff(np.concatenate(([1], seen, [1])))).reshape(-1, 2)
        gaps = [
            (start_ns + round(a * 1e9 / self._rate_hz), start_ns + round(b * 1e9 / self._rate_hz))
            for a, b in edges.tolist()
        ]
        gaps += [(m, m) for m in self._marks if start_ns < m < end_ns and not _in_any(m, gaps)]
        return Cut(data, None, float(seen.mean()), tuple(sorted(gaps)))

    def first_ns(self, from_ns: int) -> int | None:
        starts = [max(r.start_ns, from_ns) for r in self._runs if r.end_ns > from_ns]
        return min(starts, default=None)

    def forget(self, before_ns: int) -> None:
        for run in self._runs:
            run.forget(before_ns)
        newest = self._runs[-1:]  # kept while empty: the next chunk may continue it
        self._runs = [r for r in self._runs if r.end_ns > before_ns or r in newest]
        self._marks = [m for m in self._marks if m >= before_ns]


class ReadingsBuffer:
    """Rows with times of their own, kept in order of capture.

    A cut holds the rows of the interval and, at either edge, the nearest row beyond it if that is
    less than `max_gap_s` away, so that values at the edges can be interpolated.
    """

    def __init__(self, max_gap_s: float) -> None:
        self.counts: Counter[str] = Counter()
        self._max_gap_ns = round(max_gap_s * 1e9)
        self._times = np.zeros(0, np.int64)
        self._rows = np.zeros((0, 0), np.float32)
        self._marks: list[int] = []

    def put(self, sample: Sample) -> None:
        rows = np.asarray(sample.data, np.float32)
        times = np.asarray(sample.times_ns, np.int64)
        finite = np.isfinite(rows).all(axis=1)
        if not finite.all():
            self.counts["invalid"] += int((~finite).sum())
            rows, times = rows[finite], times[finite]
        if sample.gap and len(times):
            self._marks.append(int(times[0]))
        if not len(self._times):
            self._rows = np.zeros((0, rows.shape[1]), np.float32)
        all_times = np.concatenate((self._times, times))
        all_rows = np.concatenate((self._rows, rows))
        self._times, first = np.unique(all_times, return_index=True)
        self._rows = all_rows[first]
        self.counts["duplicate"] += len(all_times) - len(self._times)

    def cut(self, start_ns: int, end_ns: int) -> Cut | None:
        low, high = np.searchsorted(self._times, (start_ns, end_ns))
        if low == high:
            return None
        if low > 0 and start_ns - self._times[low - 1] < self._max_gap_ns:
            low -= 1
        if high < len(self._times) and self._times[high] - end_ns < self._max_gap_ns:
            high += 1
        times = self._times[low:high].copy()
        coverage, gaps = observed(times, start_ns, end_ns, self._max_gap_ns)
        gaps += [(m, m) for m in self._marks if start_ns < m < end_ns and not _in_any(m, gaps)]
        return Cut(self._rows[low:high].copy(), times, coverage, tuple(sorted(gaps)))

    def first_ns(self, from_ns: int) -> int | None:
        first = int(np.searchsorted(self._times, from_ns))
        return int(self._times[first]) if first < len(self._times) else None

    def forget(self, before_ns: int) -> None:
        keep = max(int(np.searchsorted(self._times, before_ns)) - 1, 0)
        self._times, self._rows = self._times[keep:], self._rows[keep:]
        self._marks = [m for m in self._marks if m >= before_ns]


class FramesBuffer:
    """Frames, of which only those that some window will pick are held.

    With `count` 2 a cut holds the first and the last frame of the interval (the same one twice if
    it is alone), with `count` 1 the last.
    """

    def __init__(self, count: int, max_gap_s: float, window_ns: int, hop_ns: int) -> None:
        self.counts: Counter[str] = Counter()
        self._count = count
        self._max_gap_ns = round(max_gap_s * 1e9)
        self._window_ns, self._hop_ns = window_ns, hop_ns
        self._times: list[int] = []
        self._frames: dict[int, NDArray[Any]] = {}
        self._marks: list[int] = []
        self._floor_ns: int | None = None

    def put(self, sample: Sample) -> None:
        time_ns = sample.start_ns
        if time_ns in self._times:
            self.counts["duplicate"] += 1
            return
        if sample.gap:
            self._marks.append(time_ns)
        self._times.append(time_ns)
        if len(self._times) > 1 and time_ns < self._times[-2]:
            self._times.sort()
        self._frames[time_ns] = sample.data
        self._prune()

    def _prune(self) -> None:
        """Keep the frames that open windows would pick if they closed now."""
        floor = self._times[0] if self._floor_ns is None else self._floor_ns
        start = -(-floor // self._hop_ns) * self._hop_ns
        picked: set[int] = {self._times[-1]}
        while start <= self._times[-1]:
            inside = self._inside(start, start + self._window_ns)
            picked.update(inside[:1] + inside[-1:])
            if not inside:  # on to the first window that holds the next frame, however far
                until = next(t for t in self._times if t >= start) - self._window_ns
                start = max(start, until // self._hop_ns * self._hop_ns)
            start += self._hop_ns
        self._frames = {t: f for t, f in self._frames.items() if t in picked}

    def _inside(self, start_ns: int, end_ns: int) -> list[int]:
        return [t for t in self._times if start_ns <= t < end_ns]

    def cut(self, start_ns: int, end_ns: int) -> Cut | None:
        inside = self._inside(start_ns, end_ns)
        if not inside:
            return None
        picked = ([inside[0], inside[-1]] if self._count == 2 else [])[:2] or [inside[-1]]
        frames = [self._frames[t] for t in picked]
        if len({f.shape for f in frames}) > 1:  # the camera changed its size: a clip of the newest
            frames = [frames[-1]] * len(frames)
        coverage, gaps = observed(
            np.asarray(self._times, np.int64), start_ns, end_ns, self._max_gap_ns
        )
        gaps += [(m, m) for m in self._marks if start_ns < m < end_ns and not _in_any(m, gaps)]
        times = np.asarray(picked, np.int64)
        return Cut(np.stack(frames), times, coverage, tuple(sorted(gaps)))

    def first_ns(self, from_ns: int) -> int | None:
        return next((t for t in self._times if t >= from_ns), None)

    def forget(self, before_ns: int) -> None:
        self._floor_ns = before_ns
        older = [t for t in self._times if t < before_ns]
        self._times = older[-1:] + self._times[len(older) :]  # one before, for coverage
        self._frames = {t: f for t, f in self._frames.items() if t >= before_ns}
        self._marks = [m for m in self._marks if m >= before_ns]


def observed(
    times_ns: NDArray[np.int64], start_ns: int, end_ns: int, max_gap_ns: int
) -> tuple[float, list[Span]]:
    """Share of [start_ns, end_ns) that readings at the sorted `times_ns` observed, and the rest.

    The time between two readings is observed if it is at most `max_gap_ns`; so is an edge that is
    at most half of that from a reading. Readings beyond the edges count for what they bound.
    """
    gaps: list[Span] = []
    edge_ns = max_gap_ns // 2
    bounds = np.concatenate(([start_ns - edge_ns], times_ns, [end_ns + edge_ns]))
    if len(times_ns) and times_ns[0] <= start_ns:
        bounds[0] = times_ns[0]
    if len(times_ns) and times_ns[-1] >= end_ns:
        bounds[-1] = times_ns[-1]
    for i in np.flatnonzero(np.diff(bounds) > max_gap_ns).tolist():
        low, high = max(int(bounds[i]), start_ns), min(int(bounds[i + 1]), end_ns)
        if low < high:
            gaps.append((low, high))
    missing = sum(b - a for a, b in gaps)
    return 1 - missing / (end_ns - start_ns), gaps


def _in_any(time_ns: int, spans: list[Span]) -> bool:
    return any(a <= time_ns <= b for a, b in spans)
