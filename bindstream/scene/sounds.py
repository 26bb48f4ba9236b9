"""What the house's microphone hears: room tone that never stops, and events on top of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.scene.script import Event
from bindstream.scene.seeds import rng_for
from bindstream.scene.tones import RATE_HZ, Samples, band, coloured_noise, fft_size
from bindstream.scene.voices import VOICES

_BLOCK = RATE_HZ
"""Room tone is made of blocks of noise two of these long, each fading into the next."""
_TAIL_S = 0.5
"""How long an event may ring on in the room after it has ended."""


class Sounds:
    """The sound of a scene, sample by sample: `render(start, n)` is the same however it is cut.

    Level, colour and hum of the room, its reverberation, and level, pitch and tempo of every event
    follow from `seed`. Not thread-safe.
    """

    def __init__(self, events: Sequence[Event], seed: int) -> None:
        self._seed = seed
        self._events = sorted(events, key=lambda e: e.start_s)
        self._rendered: dict[int, Samples] = {}
        self._blocks: OrderedDict[int, Samples] = OrderedDict()
        rng = rng_for(seed, "room tone")
        self._tone_rms = float(10 ** rng.uniform(-3.4, -2.2))
        self._slope = float(rng.uniform(0.2, 1.1))
        self._corner_hz = float(rng.uniform(60, 1500))
        self._top_hz = float(rng.uniform(2500, 8000))
        self._hum_hz = float(rng.choice([50, 60]) * rng.uniform(0.999, 1.001))
        self._hum = rng.uniform(0, 1, 5) * rng.choice([0.0, 0.3, 1.2]) / np.arange(1, 6)
        self._clutter = float(rng.choice([0.0, 0.0, 0.3, 1.2]))
        self._rt60_s = float(rng.uniform(0.15, 0.6))
        self._wet = float(rng.uniform(0.05, 0.45))

    def render(self, start: int, n: int) -> Samples:
        """(n,) float32 in [-1, 1]: samples `start` to `start + n` at 16 kHz, 0 = scene's start."""
        out = np.zeros(n, np.float32)
        for index in range((start // _BLOCK), (start + n - 1) // _BLOCK + 1):
            _overlay(out, start, self._tone(index), index * _BLOCK)
        for i, event in enumerate(self._events):
            at = round(event.start_s * RATE_HZ)
            if at < start + n and event.end_s + _TAIL_S > start / RATE_HZ:
                if i not in self._rendered:
                    self._rendered[i] = self._event(event)
                _overlay(out, start, self._rendered[i], at)
            else:
                self._rendered.pop(i, None)
        return np.clip(out, -1, 1)

    def _event(self, event: Event) -> Samples:
        rng = rng_for(self._seed, event.kind, round(event.start_s * 1000), "sound")
        dry = VOICES[event.kind](event.end_s - event.start_s, rng)
        dry = np.concatenate([dry, np.zeros(round(_TAIL_S * RATE_HZ), np.float32)])
        wet = self._reverberate(dry)
        # As loud as it likes, but at least clearly louder than the room.
        quietest = min(max(0.08, 20 * self._tone_rms), 0.4)
        peak = quietest * (0.9 / quietest) ** rng.random()
        return np.asarray(wet * (peak / (np.abs(wet).max() + 1e-9)), np.float32)

    def _reverberate(self, dry: Samples) -> Samples:
        rng = rng_for(self._seed, "reverberation")
        m = round(min(self._rt60_s, _TAIL_S) * RATE_HZ)
        t = np.arange(m) / RATE_HZ
        echo = rng.standard_normal(m) * 10 ** (-3 * t / self._rt60_s) * (t > 0.004)
        echo *= self._wet / (np.sqrt(np.sum(echo**2)) + 1e-12)
        echo[0] = 1.0
        size = fft_size(len(dry) + m)
        wet = np.fft.irfft(np.fft.rfft(dry, size) * np.fft.rfft(echo, size), size)[: len(dry)]
        wet[-800:] *= np.linspace(1, 0, 800)
        return wet.astype(np.float32)

    def _tone(self, index: int) -> Samples:
        """One second of room tone from second `index` on: two half-faded blocks, and hum."""
        if index not in self._blocks:
            fade = np.sin(np.linspace(0, np.pi / 2, _BLOCK, endpoint=False)).astype(np.float32)
            noise = (
                self._noise(index)[:_BLOCK] * fade + self._noise(index - 1)[_BLOCK:] * fade[::-1]
            )
            t = index + np.arange(_BLOCK) / RATE_HZ
            for k, level in enumerate(self._hum, start=1):
                noise = noise + level * np.sin(2 * np.pi * k * self._hum_hz * t)
            self._blocks[index] = (self._tone_rms * noise).astype(np.float32)
            while len(self._blocks) > 4:
                self._blocks.popitem(last=False)
        return self._blocks[index]

    def _noise(self, index: int) -> Samples:
        rng = rng_for(self._seed, "noise", index + 1)

        def gain(f: NDArray[Any]) -> NDArray[Any]:
            soft = 1 / (1 + f / self._corner_hz) ** self._slope
            return np.asarray(soft / np.sqrt(1 + (f / self._top_hz) ** 8))

        noise = coloured_noise(2 * _BLOCK, rng, gain)
        if self._clutter:  # steps, clicks and thumps from elsewhere in the house
            for _ in range(rng.poisson(self._clutter)):
                n = int(rng.integers(200, 2500))
                low_hz = rng.uniform(40, 600)
                thump = coloured_noise(n, rng, band(low_hz, low_hz * rng.uniform(2, 8)))
                thump *= np.exp(-np.linspace(0, 6, n)) * rng.uniform(1, 5)
                at = int(rng.integers(0, _BLOCK))
                noise[at : at + n] += thump
        return noise


def _overlay(out: Samples, start: int, sound: Samples, at: int) -> None:
    """Adds to `out` (whose first sample is `start`) the part of `sound` (from `at`) it covers."""
    first, last = max(start, at), min(start + len(out), at + len(sound))
    if first < last:
        out[first - start : last - start] += sound[first - at : last - at]
