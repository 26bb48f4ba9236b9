"""Flames as a field of intensity that licks upwards, for pictures and for heat alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bindstream.scene.room import Room
from bindstream.scene.script import Event
from bindstream.scene.seeds import rng_for

Array = NDArray[np.float32]
_TEXTURE = 128


class Flame:
    """The fire of one event: somewhere on the floor, growing at first and dying down at the end."""

    def __init__(self, event: Event, room: Room, seed: int) -> None:
        self.event = event
        rng = rng_for(seed, event.kind, round(event.start_s * 1000), "flame")
        near, far = room.aisle
        self.z = float(rng.uniform(near, far))
        self.x = room.x_at(self.z, rng.uniform(-0.7, 0.7))
        self.width = float(rng.uniform(0.45, 1.1))
        self.height = self.width * float(rng.uniform(0.9, 1.6))
        self.temperature_c = float(rng.uniform(350, 800))
        self._speed = float(rng.uniform(1.2, 2.2))
        self._texture = _smooth_noise(rng)
        self._room = room

    def strength(self, t_s: float) -> float:
        """0 while the event is not on, else how far the fire has grown, with flicker (0..1.1)."""
        if not self.event.start_s <= t_s < self.event.end_s:
            return 0.0
        grown = 0.35 + 0.65 * min((t_s - self.event.start_s) / 1.5, 1.0)
        dying = min(0.3 + (self.event.end_s - t_s) / 0.6, 1.0)
        flicker = 0.06 * np.sin(2 * np.pi * 7.3 * t_s) + 0.05 * np.sin(2 * np.pi * 11.9 * t_s + 1)
        return float(grown * dying + flicker * grown)

    def field(
        self, t_s: float, height: int, width: int
    ) -> tuple[tuple[slice, slice], Array] | None:
        """Which part of a height x width picture burns at `t_s`, and how brightly (0..1)."""
        strength = self.strength(t_s)
        u, v, depth = self._room.project((self.x, 0.0, self.z))
        scale = width / 2 / (depth * self._room.half_width)
        centre, foot = (u + 1) * width / 2, v * width / 2 + height / 2
        half, tall = self.width * scale * 0.75, self.height * scale * max(strength, 0.05) * 1.25
        left, right = max(int(centre - half), 0), min(int(centre + half) + 1, width)
        top, bottom = max(int(foot - tall), 0), min(int(foot) + 2, height)
        if strength <= 0 or right - left < 2 or bottom - top < 2:
            return None
        a = (np.arange(left, right, dtype=np.float32) + 0.5 - centre)[None] / half
        b = np.clip((foot - np.arange(top, bottom, dtype=np.float32) - 0.5)[:, None] / tall, 0, 1)
        rise = self._speed * t_s
        sway = self._sample(b * 40 - rise * 45, np.float32(17)) - 0.5
        a = a + 0.9 * b * sway
        coarse = self._sample(b * 45 - rise * 60, a * 26)
        fine = self._sample(b * 90 - rise * 110, a * 60 + 50)
        body = 1 - np.abs(a) / (0.12 + 0.75 * (1 - b) ** 0.7)
        tongues = (coarse - 0.5) * (0.5 + 2.3 * b) + (fine - 0.5) * (0.3 + 1.0 * b)
        glow = body * 1.5 + tongues - 0.75 * b**1.5
        burning = np.clip(glow, 0, 1).astype(np.float32)
        return (slice(top, bottom), slice(left, right)), burning

    def _sample(self, row: Array, column: Array | np.float32) -> Array:
        rows = np.asarray(row).astype(np.int32) % _TEXTURE
        columns = np.asarray(column).astype(np.int32) % _TEXTURE
        return self._texture[rows, columns]


def _smooth_noise(rng: np.random.Generator) -> Array:
    """(_TEXTURE, _TEXTURE) periodic noise in 0..1 of two sizes."""
    freq = np.fft.fftfreq(_TEXTURE)
    radius = np.hypot(freq[:, None], freq[None])
    spectrum = np.fft.fft2(rng.standard_normal((_TEXTURE, _TEXTURE)))
    noise = np.fft.ifft2(spectrum * np.exp(-((radius * 14) ** 2))).real
    return np.asarray(np.clip(0.5 + noise / (4 * noise.std()), 0, 1), np.float32)
