"""Small sounds to teach from, the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

RATE_HZ = 16000


def beeps(seed: int, length_s: float = 2.0) -> np.ndarray:
    """An appliance that beeps three times a second near 2 kHz, in a little noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    tone = np.sin(2 * np.pi * (2000 + rng.uniform(-60, 60)) * t) * (t * 3 % 1 < 0.5)
    return (0.3 * tone + rng.normal(0, 0.004, len(t))).astype(np.float32)


def hum(seed: int, length_s: float = 2.0) -> np.ndarray:
    """A motor near 110 Hz and its overtones."""
    rng = np.random.default_rng(1000 + seed)
    t = np.arange(round(length_s * RATE_HZ)) / RATE_HZ
    base_hz = 110 + rng.uniform(-5, 5)
    wave = sum(np.sin(2 * np.pi * base_hz * k * t + k) / k for k in range(1, 8))
    return (0.15 * wave + rng.normal(0, 0.01, len(t))).astype(np.float32)


def noise(seed: int, length_s: float = 2.0, loudness: float = 0.02) -> np.ndarray:
    """A room in which nothing happens."""
    rng = np.random.default_rng(2000 + seed)
    return rng.normal(0, loudness, round(length_s * RATE_HZ)).astype(np.float32)


def write(path: Path, wave: np.ndarray) -> Path:
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(path, wave, RATE_HZ, subtype="FLOAT")
    return path
