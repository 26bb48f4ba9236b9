"""The recorded activities of people with a phone or a watch, cut into windows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bindstream.features.imu import resample
from bindstream.training.motions import WINDOW_NS, Labels, Window
from bindstream.training.starter.recordings import Entry

# The recordings' labels -> concepts.
RECORDED = {
    "seated": "sitting_still",
    "standing_up": "standing_up",
    "walking": "walking",
    "turning": "turning",
    "sitting_down": "sitting_down",
}
_READINGS = 502  # of 5 s at about 100 Hz


def recorded(
    entries: Sequence[Entry], starts: int, rng: np.random.Generator
) -> list[tuple[Window, Labels]]:
    """Windows of 5 s at random places of each recording, and around and of each activity in it."""
    found = []
    for entry in entries:
        times, rows, labels = read_motion(entry.path)
        last = int(times[-1]) - WINDOW_NS
        for start in rng.uniform(0, max(last, 1), starts).astype(np.int64):
            whole = window_at(times, rows, int(start))
            if whole is not None:
                inside = (times >= start) & (times < start + WINDOW_NS)
                found.append((whole, shown(labels[inside])))
        for stretch in stretches(times, labels):
            label = str(labels[stretch.start])
            for shift_s in rng.uniform(-0.4, 0.4, 3):
                middle = around(times, rows, stretch, shift_s)
                if middle is not None:
                    found.append((middle, frozenset({RECORDED[label]})))
            found += [(one, frozenset({RECORDED[label]})) for one in alone(rows[stretch])]
    return found


def read_motion(
    path: Path,
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.str_]]:
    """Times (n,) in ns from 0, readings (n, 6) and labels (n,) of a recording, times increasing."""
    with np.load(path) as file:
        times = (file["time_ms"] - file["time_ms"][0]) * 1_000_000
        rows, labels = file["acc_gyro"], file["label"]
    keep = np.concatenate([[True], np.diff(times) > 0])
    return times[keep], rows[keep], labels[keep]


def shown(labels: NDArray[np.str_]) -> Labels:
    """The concepts of a window that crosses activities: its middle's, and what fills it."""
    names, counts = np.unique(labels, return_counts=True)
    share = dict(zip(names.tolist(), counts / counts.sum(), strict=True))
    found = {str(labels[len(labels) // 2])}
    found |= {name for name in ("walking",) if share.get(name, 0) > 0.5}
    found |= {n for n in ("standing_up", "sitting_down", "turning") if share.get(n, 0) > 0.25}
    return frozenset(RECORDED[name] for name in found)


def stretches(times: NDArray[np.int64], labels: NDArray[np.str_]) -> list[slice]:
    """Runs of one activity of at least 0.5 s."""
    edges = np.flatnonzero(labels[1:] != labels[:-1]) + 1
    bounds = [0, *edges.tolist(), len(labels)]
    return [slice(a, b) for a, b in pairwise(bounds) if times[b - 1] - times[a] > 500_000_000]


def window_at(times: NDArray[np.int64], rows: NDArray[np.float32], start: int) -> Window | None:
    """The 5 s from `start` (ns), (6, 2000); None where the sensor was silent for over 0.2 s."""
    inside = (times >= start) & (times < start + WINDOW_NS)
    silent = np.diff([start, *times[inside], start + WINDOW_NS])
    if silent.max() > 200_000_000:
        return None
    return resample(times[inside], rows[inside], start, start + WINDOW_NS)


def around(
    times: NDArray[np.int64], rows: NDArray[np.float32], stretch: slice, shift_s: float = 0.0
) -> Window | None:
    """The 5 s around a run (`shift_s` later), (6, 2000); None where the sensor was silent.

    Where the recording ends the first or last reading holds.
    """
    middle = int(times[stretch.start] + times[stretch.stop - 1]) // 2
    start = middle + int(shift_s * 1e9) - WINDOW_NS // 2
    inside = times[(times >= start) & (times < start + WINDOW_NS)]
    if len(inside) < 2 or np.diff(inside).max() > 200_000_000:
        return None
    grid = np.arange(start, start + WINDOW_NS, 10_000_000)
    held = np.stack([np.interp(grid, times, axis) for axis in rows.T], 1).astype(np.float32)
    return resample(grid, held, start, start + WINDOW_NS)


def repeated(rows: NDArray[np.float32]) -> Window:
    """A run of readings again and again until 5 s are full, (6, 2000)."""
    return _resampled(np.take(rows, np.arange(_READINGS), axis=0, mode="wrap"))


def alone(rows: NDArray[np.float32]) -> list[Window]:
    """A run of readings made 5 s long in each way that people do it, each (6, 2000).

    Played again and again, to and fro, held at both ends, and stretched.
    """
    there_and_back = np.concatenate([rows, rows[-2:0:-1]])
    before = max(_READINGS - len(rows), 0) // 2
    held = np.clip(np.arange(_READINGS) - before, 0, len(rows) - 1)
    places = np.round(np.linspace(0, len(rows) - 1, _READINGS)).astype(int)
    to_and_fro = np.take(there_and_back, np.arange(_READINGS), axis=0, mode="wrap")
    others = (to_and_fro, rows[held], rows[places])
    return [repeated(rows), *(_resampled(way) for way in others)]


def _resampled(rows: NDArray[np.float32]) -> Window:
    times = np.arange(len(rows)) * 10_000_000
    return resample(times, rows.astype(np.float32), 0, WINDOW_NS)
