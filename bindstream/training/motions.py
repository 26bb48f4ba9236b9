"""Motions to learn from: recorded and rendered IMU windows, turned at random."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bindstream.features.imu import STEPS, resample
from bindstream.scene.catalogue import kinds_of
from bindstream.scene.examples import example
from bindstream.scene.seeds import rng_for
from bindstream.training.manifest import Entry
from bindstream.training.phrases import BACKGROUND_OF

Labels = frozenset[str]
Window = NDArray[np.float32]

WINDOW_NS = 5_000_000_000
# The recordings' labels -> concepts.
RECORDED = {
    "seated": "sitting_still",
    "standing_up": "standing_up",
    "walking": "walking",
    "turning": "turning",
    "sitting_down": "sitting_down",
}
STILL = BACKGROUND_OF["imu"]


def recorded(
    entries: Sequence[Entry], starts: int, rng: np.random.Generator
) -> list[tuple[Window, Labels]]:
    """Windows of 5 s from each recording, and stretches of single activities made 5 s long."""
    found = []
    for entry in entries:
        with np.load(entry.path) as file:
            times = (file["time_ms"] - file["time_ms"][0]) * 1_000_000
            rows, labels = file["acc_gyro"], file["label"]
        keep = np.concatenate([[True], np.diff(times) > 0])
        times, rows, labels = times[keep], rows[keep], labels[keep]
        last = int(times[-1]) - WINDOW_NS
        for start in rng.uniform(0, max(last, 1), starts).astype(np.int64):
            inside = (times >= start) & (times < start + WINDOW_NS)
            if inside.sum() < 300 or np.diff(times[inside]).max() > 200_000_000:
                continue
            shown = majority(labels[inside])
            window = resample(times[inside], rows[inside], int(start), int(start) + WINDOW_NS)
            found.append((window, shown))
        found += [
            (_lengthened(rows[stretch]), frozenset({RECORDED[str(labels[stretch.start])]}))
            for stretch in _stretches(times, labels)
        ]
    return found


def majority(labels: NDArray[np.str_]) -> Labels:
    """The concepts of a window that crosses activities: what fills it, and what happens in it."""
    names, counts = np.unique(labels, return_counts=True)
    share = dict(zip(names.tolist(), counts / counts.sum(), strict=True))
    shown = {max(share, key=lambda name: share[name])}
    shown |= {name for name in ("walking",) if share.get(name, 0) > 0.35}
    shown |= {n for n in ("standing_up", "sitting_down", "turning") if share.get(n, 0) > 0.2}
    return frozenset(RECORDED[name] for name in shown)


def _stretches(times: NDArray[np.int64], labels: NDArray[np.str_]) -> list[slice]:
    """Runs of one lasting activity (seated, walking) of at least 0.9 s."""
    edges = np.flatnonzero(labels[1:] != labels[:-1]) + 1
    bounds = [0, *edges.tolist(), len(labels)]
    return [
        slice(a, b)
        for a, b in pairwise(bounds)
        if str(labels[a]) in ("seated", "walking") and times[b - 1] - times[a] > 900_000_000
    ]


def _lengthened(rows: NDArray[np.float32]) -> Window:
    """A short stretch at about 100 Hz played to and fro until 5 s are full: (6, 2000)."""
    there_and_back = np.concatenate([rows, rows[-2:0:-1]])
    rows = np.take(there_and_back, np.arange(502), axis=0, mode="wrap")
    times = np.arange(502) * 10_000_000
    return resample(times, rows.astype(np.float32), 0, WINDOW_NS)


def rendered(count: int, part: str) -> list[tuple[Window, Labels]]:
    """`count` windows of each rendered motion and of standing about."""
    found = []
    for kind in (*kinds_of("imu"), None):
        for index in range(count):
            rng = rng_for(index, part, kind or "nothing", "motion")
            times, rows = example("imu", kind, rng)
            start = 20_000_000_000  # `example` cuts its window 20 s into the scene
            window = resample(times, rows, start, start + WINDOW_NS)
            found.append((window, frozenset({kind or STILL})))
    return found


class MotionBatches:
    """Random training windows of motion; `batch` gives inputs and what they show."""

    def __init__(
        self, real: Sequence[tuple[Window, Labels]], scenes: Sequence[tuple[Window, Labels]]
    ) -> None:
        self._real, self._scenes = _by_label(real), _by_label(scenes)

    def batch(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[Labels]]:
        """(n, 6, 2000) float32 model inputs, and the concepts that each shows."""
        out = np.empty((n, 6, STEPS), np.float32)
        labels: list[Labels] = []
        for row in range(n):
            is_real = bool(self._real) and rng.random() < 0.35
            source = self._real if is_real else self._scenes
            names = list(source)
            name = names[int(rng.integers(len(names)))]
            if not is_real and rng.random() < 0.15:
                name = STILL
            window, shown = source[name][int(rng.integers(len(source[name])))]
            out[row] = _turned(window, rng, 3.2 if is_real or rng.random() < 0.2 else 0.15)
            labels.append(shown)
        return out, labels


def _by_label(
    windows: Sequence[tuple[Window, Labels]],
) -> dict[str, list[tuple[Window, Labels]]]:
    found: dict[str, list[tuple[Window, Labels]]] = {}
    for window, labels in windows:
        for name in labels:
            found.setdefault(name, []).append((window, labels))
    return found


def _turned(window: Window, rng: np.random.Generator, most_rad: float) -> Window:
    """The same motion by a sensor worn otherwise: turned about any axis, with bias and noise."""
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    angle = rng.uniform(-most_rad, most_rad)
    cross = np.cross(np.eye(3), axis)
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    out = np.concatenate([turn @ window[:3], turn @ window[3:]]).astype(np.float32)
    out *= np.float32(rng.uniform(0.95, 1.05))
    out += np.repeat([rng.normal(0, 0.08), rng.normal(0, 0.01)], 3)[:, None]
    out += rng.standard_normal(out.shape, np.float32) * np.float32(rng.uniform(0, 0.03))
    return out
