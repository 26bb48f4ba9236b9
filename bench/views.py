"""Bodies and views for `streams.py`: what a worn motion sensor feels and a camera sees, for hours.

Each is given what happens and when, and adds what is there anyway: someone standing about, people
walking and sitting down, a room whose light drifts over tens of minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rooms import Array, Happening, Inputs, drift

from bindstream.features.imu import resample
from bindstream.features.vision import clip
from bindstream.scene.catalogue import CATALOGUE
from bindstream.scene.motion import Motion
from bindstream.scene.pictures import HEIGHT, WIDTH, Pictures
from bindstream.scene.script import Event
from bindstream.scene.seeds import rng_for
from bindstream.training.starter.activities import read_motion

SESSION_S = 1800  # a wearing of the sensor, and what a house's camera is given at a time
IMU_HZ = 100
BLEND_S = 0.3  # from one movement to the next


class Body:
    """A worn motion sensor, rendered: put on anew every half hour, standing about in between."""

    def __init__(self, happenings: Sequence[Happening], seconds: int, seed: int) -> None:
        self._happenings, self._seed = happenings, seed
        self._session = lru_cache(maxsize=3)(self._worn)

    def minute(self, start_s: int, seconds: int) -> Inputs:
        """(seconds, 6, 2000): the windows of 5 s that begin at each second from `start_s`."""
        times_s = np.arange(start_s * IMU_HZ, (start_s + seconds + 5) * IMU_HZ) / IMU_HZ
        return _windows(times_s, self._rows(times_s), seconds)

    def _rows(self, times_s: NDArray[np.float64]) -> Array:
        session = (times_s // SESSION_S).astype(int)
        parts = [self._session(k).render(times_s[session == k]) for k in np.unique(session)]
        return np.concatenate(parts)

    def _worn(self, session: int) -> Motion:
        begin, end = session * SESSION_S, (session + 1) * SESSION_S
        inside = [_event(h) for h in self._happenings if begin <= h.start_s < end]
        return Motion(inside, self._seed + session)


class People:
    """Recordings of people one after the other, among which rendered movements are put.

    Args:
        recordings: (start_s, file), in order: what is recorded from when on.
    """

    def __init__(
        self,
        happenings: Sequence[Happening],
        seconds: int,
        seed: int,
        recordings: Sequence[tuple[float, Path]],
    ) -> None:
        rng = rng_for(seed, "people")
        count = (seconds + 120) * IMU_HZ
        self._all = np.zeros((count, 6), np.float32)
        for start_s, path in recordings:
            self._put(start_s, _at_100_hz(path))
        for index, one in enumerate(h for h in happenings if not h.source):
            motion = Motion([_event(one)], seed + 1000 + index)
            times_s = np.arange(one.start_s, one.end_s, 1 / IMU_HZ)
            self._put(one.start_s, motion.render(times_s))
        self._all += rng.normal(0, 0.01, self._all.shape).astype(np.float32)

    def _put(self, start_s: float, rows: Array) -> None:
        at = round(start_s * IMU_HZ)
        here = self._all[at : at + len(rows)]
        rows = rows[: len(here)]
        blend = np.clip(np.arange(len(rows)) / (BLEND_S * IMU_HZ), 0, 1)[:, None]
        blend = np.where(here.any(1, keepdims=True), np.minimum(blend, blend[::-1]), 1)
        here += (rows - here) * blend.astype(np.float32)

    def minute(self, start_s: int, seconds: int) -> Inputs:
        """(seconds, 6, 2000): the windows of 5 s that begin at each second from `start_s`."""
        places = np.arange(start_s * IMU_HZ, (start_s + seconds + 5) * IMU_HZ)
        return _windows(places / IMU_HZ, self._all[places], seconds)


def _at_100_hz(path: Path) -> Array:
    times, rows, _ = read_motion(path)
    grid = np.arange(0, int(times[-1]), 10_000_000)
    return np.stack([np.interp(grid, times, axis) for axis in rows.T], 1).astype(np.float32)


def _windows(times_s: NDArray[np.float64], rows: Array, seconds: int) -> Inputs:
    times_ns = np.round(times_s * 1e9).astype(np.int64)
    found = []
    for k in range(seconds):
        part = slice(k * IMU_HZ, (k + 5) * IMU_HZ)
        start = int(times_ns[part.start])
        found.append(resample(times_ns[part], rows[part], start, start + 5_000_000_000))
    return np.stack(found)


class Camera:
    """A rendered room whose light drifts. What has a source is a picture held before the lens."""

    def __init__(
        self, happenings: Sequence[Happening], seconds: int, seed: int, house: int
    ) -> None:
        rng = rng_for(seed, "camera room")
        self._seed, self._house = seed, house
        self._shown = [h for h in happenings if h.source]
        self._played = [h for h in happenings if not h.source]
        self._light = np.exp(0.25 * drift(rng, seconds, 25))
        self._warmth = 0.06 * drift(rng, seconds, 40)
        self._grain = rng.normal(0, 2, (HEIGHT, WIDTH, 3)).astype(np.float32)
        self._session = lru_cache(maxsize=2)(self._scene)
        self._held = lru_cache(maxsize=8)(_covering)

    def minute(self, start_s: int, seconds: int) -> Inputs:
        """(seconds, 3, 2, 224, 224): the windows of 2 s that begin at each second."""
        frames = [self.frame(start_s + k) for k in range(seconds + 2)]
        return np.stack([clip(np.stack(frames[k : k + 3 : 2])) for k in range(seconds)])

    def frame(self, second: int) -> NDArray[np.uint8]:
        """(240, 320, 3) uint8 at this second."""
        held = [h for h in self._shown if h.start_s <= second < h.end_s]
        if held:
            image = self._held(held[0].source)
            rng = rng_for(self._seed, "hand", second)
            top = int(rng.integers(image.shape[0] - HEIGHT + 1))
            left = int(rng.integers(image.shape[1] - WIDTH + 1))
            seen = image[top : top + HEIGHT, left : left + WIDTH].astype(np.float32)
            seen += np.roll(self._grain, int(rng.integers(self._grain.size)))
        else:
            seen = self._session(second // SESSION_S).render(second + 0.03).astype(np.float32)
        tint = np.array([1 + self._warmth[second], 1, 1 - self._warmth[second]], np.float32)
        return np.clip(seen * np.float32(self._light[second]) * tint, 0, 255).astype(np.uint8)

    def _scene(self, session: int) -> Pictures:
        begin, end = session * SESSION_S, (session + 1) * SESSION_S
        inside = [_event(h) for h in self._played if h.end_s > begin and h.start_s < end]
        return Pictures(inside, self._house)


def _covering(source: str) -> NDArray[np.uint8]:
    """A picture that covers the frame with a tenth to spare, its middle where it was."""
    with Image.open(source) as image:
        colour = image.convert("RGB")
    scale = 1.06 * max(HEIGHT / colour.height, WIDTH / colour.width)
    # The tower sees the middle square: a tall picture is fitted into it by its width.
    if colour.height > colour.width:
        scale = 1.06 * HEIGHT / colour.width
    size = round(colour.width * scale), round(colour.height * scale)
    bigger = np.asarray(colour.resize(size, Image.Resampling.BILINEAR))
    if bigger.shape[1] < WIDTH + 8:
        wide = (WIDTH + 8 - bigger.shape[1] + 1) // 2
        bigger = np.pad(bigger, ((0, 0), (wide, wide), (0, 0)), mode="edge")
    top = max((bigger.shape[0] - HEIGHT) // 2 - 7, 0)
    left = max((bigger.shape[1] - WIDTH) // 2 - 7, 0)
    return bigger[top : top + HEIGHT + 14, left : left + WIDTH + 14]


def _event(one: Happening) -> Event:
    (kind,) = (c for c in one.concepts if c in CATALOGUE)
    return Event(kind=kind, start_s=one.start_s, end_s=one.end_s)
