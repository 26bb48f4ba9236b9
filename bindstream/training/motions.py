"""Motions to learn from: IMU windows, turned, scaled and made noisy at random."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bindstream.features.imu import STEPS

Labels = frozenset[str]
Window = NDArray[np.float32]

WINDOW_NS = 5_000_000_000


class MotionBatches:
    """Random training windows of motion; `batch` gives inputs and what they show.

    `turn_rad` is the most by which recorded windows are turned, about any axis: a whole turn where
    nobody knows how the sensor was worn.
    """

    def __init__(
        self,
        real: Sequence[tuple[Window, Labels]],
        scenes: Sequence[tuple[Window, Labels]] = (),
        nothing: str = "",
        turn_rad: float = 3.2,
    ) -> None:
        self._turn_rad = turn_rad
        self._real, self._scenes = _by_label(real), _by_label(scenes)
        self._nothing = nothing

    def batch(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[Labels]]:
        """(n, 6, 2000) float32 model inputs, and the concepts that each shows."""
        out = np.empty((n, 6, STEPS), np.float32)
        labels: list[Labels] = []
        for row in range(n):
            is_real = not self._scenes or (bool(self._real) and rng.random() < 0.45)
            source = self._real if is_real else self._scenes
            names = list(source)
            name = names[int(rng.integers(len(names)))]
            if not is_real and self._nothing and rng.random() < 0.15:
                name = self._nothing
            window, shown = source[name][int(rng.integers(len(source[name])))]
            wide = is_real or rng.random() < 0.2
            out[row] = _turned(window, rng, self._turn_rad if wide else 0.15)
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
    out *= np.float32(rng.uniform(0.93, 1.07))
    if rng.random() < 0.04:  # a sensor without a gyroscope
        out[3:] = 0
    out += np.repeat([rng.normal(0, 0.08), rng.normal(0, 0.01)], 3)[:, None]
    out += rng.standard_normal(out.shape, np.float32) * np.float32(rng.uniform(0, 0.03))
    return out
