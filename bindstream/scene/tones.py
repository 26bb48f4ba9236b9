"""Building blocks of sounds: noise of a colour, tones that glide, fades and mixing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_HZ = 16000

Samples = NDArray[np.float32]
Response = Callable[[NDArray[Any]], NDArray[Any]]
"""The amplitude response of a filter: frequencies in Hz -> gain."""


def fft_size(n: int) -> int:
    """The least power of two, or three times one, from `n` on: lengths that transform fast."""
    power = 1 << max(n - 1, 1).bit_length()
    return 3 * power // 4 if 3 * power // 4 >= n else power


def coloured_noise(n: int, rng: np.random.Generator, gain: Response) -> Samples:
    """Noise of unit rms whose spectrum follows `gain`."""
    size = fft_size(n)
    spectrum = np.fft.rfft(rng.standard_normal(size))
    spectrum *= gain(np.fft.rfftfreq(size, 1 / RATE_HZ))
    noise = np.fft.irfft(spectrum, size)[:n]
    return np.asarray(noise / (np.sqrt(np.mean(noise**2)) + 1e-12), np.float32)


def band(low_hz: float, high_hz: float) -> Response:
    """A band with soft edges, for `coloured_noise` and `shape`."""

    def gain(f: NDArray[Any]) -> NDArray[Any]:
        edges = (1 + (low_hz / np.maximum(f, 1)) ** 4) * (1 + (f / high_hz) ** 4)
        return np.asarray(1 / np.sqrt(edges))

    return gain


def shape(x: Samples, gain: Response) -> Samples:
    """`x` through a filter that shifts no phase."""
    size = fft_size(len(x))
    spectrum = np.fft.rfft(x, size) * gain(np.fft.rfftfreq(size, 1 / RATE_HZ))
    return np.fft.irfft(spectrum, size)[: len(x)].astype(np.float32)


def seconds(length_s: float) -> NDArray[np.float64]:
    """The times (s) of the samples of a sound so long."""
    return np.arange(max(1, round(length_s * RATE_HZ))) / RATE_HZ


def tone(freq_hz: NDArray[np.float64] | float, n: int, harmonics: list[float]) -> Samples:
    """A tone that follows `freq_hz`; harmonics above the Nyquist frequency are left out."""
    freq = np.broadcast_to(np.asarray(freq_hz, np.float64), (n,))
    phase = 2 * np.pi * np.cumsum(freq) / RATE_HZ
    out = np.zeros(n)
    for k, level in enumerate(harmonics, start=1):
        if level:
            out += level * np.sin(k * phase) * (k * freq < 0.48 * RATE_HZ)
    return out.astype(np.float32)


def fade(n: int, attack_s: float, release_s: float) -> Samples:
    """(n,) gains: up from 0 to 1 within the attack, down to 0 again over the release."""
    t = np.arange(n) / RATE_HZ
    left = np.clip(t / attack_s, 0, 1)
    right = np.clip((n / RATE_HZ - t) / release_s, 0, 1)
    return (np.minimum(left, right)).astype(np.float32)


def add(out: Samples, at_s: float, sound: Samples) -> None:
    """Mixes `sound` into `out` from `at_s` on; what hangs over the end is cut."""
    at = round(at_s * RATE_HZ)
    n = min(len(sound), len(out) - at)
    if at >= 0 and n > 0:
        out[at : at + n] += sound[:n]
