"""Rooms for `streams.py` as a microphone hears them, hour after hour.

A room is given what happens in it and when, and adds what is there anyway: noise whose level and
colour drift over tens of minutes, and noise that passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bindstream.features.audio import FRAMES, MEAN, RATE_HZ, STD
from bindstream.scene.seeds import rng_for
from bindstream.scene.sounds import Sounds
from bindstream.scene.tones import coloured_noise
from bindstream.scene.voices import VOICES
from bindstream.training.sounds import WINDOW, mel_frames, read_sound

Array = NDArray[np.float32]
Inputs = NDArray[np.float32]

LONGEST_CLIP_S = 8.0
AMBIENT_S = 90.0  # what happens for longer is heard again and again
LOOP_S = (61, 53)  # of the dark and the bright part of a room's noise


@dataclass(frozen=True)
class Happening:
    """Something that happens in [start_s, end_s) of its half, what it shows and where it is from:
    the file of a recording, or "" for what is rendered."""

    start_s: float
    end_s: float
    concepts: tuple[str, ...]
    source: str = ""


def drift(rng: np.random.Generator, seconds: int, minutes: float) -> NDArray[np.float64]:
    """(seconds + 120,) a wandering value of unit variance that forgets itself in `minutes`."""
    keep = np.exp(-1 / minutes)  # a minute's step; between minutes it is a straight line
    count = seconds // 60 + 5
    steps = rng.standard_normal(count) * np.sqrt(1 - keep**2)
    walk = np.empty(count)
    walk[0] = rng.standard_normal()
    for k in range(1, count):
        walk[k] = keep * walk[k - 1] + steps[k]
    return np.interp(np.arange(seconds + 120), np.arange(count) * 60, walk)


class SoundRoom:
    """A microphone's room.

    Args:
        level_db: of the room's noise below full scale, about which it drifts by some 4 dB.
        house: seed of a rendered house whose room tone is taken; None for noise of its own.
    """

    def __init__(
        self,
        happenings: Sequence[Happening],
        seconds: int,
        seed: int,
        level_db: float,
        house: int | None = None,
    ) -> None:
        rng = rng_for(seed, "sound room")
        self._seed, self._happenings = seed, happenings
        self._gain = 10 ** ((level_db + 4 * drift(rng, seconds, 20)) / 20)
        self._bright = 1 / (1 + np.exp(-1.5 * drift(rng, seconds, 30)))
        self._passing = _passing(rng, seconds)
        self._tone = None if house is None else Sounds((), house)
        self._loops = [
            coloured_noise(s * RATE_HZ, rng, lambda f, fall=fall: np.maximum(f, 50.0) ** -fall)
            for s, fall in zip(LOOP_S, (1.0, 0.3), strict=True)
        ]
        self._clip = lru_cache(maxsize=64)(self._sound)

    def minute(self, start_s: int, seconds: int) -> Inputs:
        """(seconds, 1, 128, 204): the windows of 2 s that begin at each second from `start_s`."""
        mel = mel_frames(self.wave(start_s, seconds + 1))
        mel = (mel - np.float32(MEAN)) * np.float32(1 / STD)
        out = np.full((seconds, 1, mel.shape[1], FRAMES), np.float32(-MEAN / STD), np.float32)
        for k in range(seconds):
            out[k, 0, :, :WINDOW] = mel[100 * k : 100 * k + WINDOW].T
        return out

    def wave(self, start_s: int, seconds: int) -> Array:
        """(n,) float32 in [-1, 1] from `start_s` on."""
        out = np.concatenate([self._room(second) for second in range(start_s, start_s + seconds)])
        first, last = start_s * RATE_HZ, (start_s + seconds) * RATE_HZ
        for index, one in enumerate(self._happenings):
            at = round(one.start_s * RATE_HZ)
            stop = round(one.end_s * RATE_HZ)
            if at >= last or stop <= first:
                continue
            sound, loop = self._clip(index), one.end_s - one.start_s > AMBIENT_S
            a, b = max(first, at), min(last, stop)
            part = np.arange(a - at, b - at)
            part = part % len(sound) if loop else part[part < len(sound)]
            out[a - first : a - first + len(part)] += sound[part]
        return np.clip(out, -1, 1)

    def _room(self, second: int) -> Array:
        if self._tone is not None:
            tone = self._tone.render(second * RATE_HZ, RATE_HZ)
            return tone * np.float32(self._gain[second] / np.median(self._gain))
        dark, bright = (
            loop[np.arange(second * RATE_HZ, (second + 1) * RATE_HZ) % len(loop)]
            for loop in self._loops
        )
        share = self._bright[second]
        level = self._gain[second] * self._passing[second]
        return np.asarray(level * ((1 - share) * dark + share * bright), np.float32)

    def _sound(self, index: int) -> Array:
        """The sound of a happening as loud as it is here."""
        one = self._happenings[index]
        rng = rng_for(self._seed, "sound", index)
        if one.source:
            wave = clip_of(Path(one.source))
        else:
            wave = VOICES[one.concepts[0]](one.end_s - one.start_s, rng)
        loudest = np.sqrt(np.convolve(wave**2, np.ones(400) / 400, "same").max()) + 1e-6
        room = self._gain[int(one.start_s)]
        if one.end_s - one.start_s > AMBIENT_S:
            n = min(RATE_HZ // 4, len(wave) // 4)  # its end fades into its beginning
            fade = np.linspace(0, 1, n, dtype=np.float32)
            wave = np.concatenate([wave[-n:] * (1 - fade) + wave[:n] * fade, wave[n:-n]])
            above_db = rng.uniform(0, 15)
        else:
            above_db = rng.uniform(8, 35)
        level = min(room * 10 ** (above_db / 20), 0.5)
        return np.asarray(wave * (level / loudest), np.float32)


def _passing(rng: np.random.Generator, seconds: int) -> NDArray[np.float64]:
    """Gains of noise that swells and fades for 5 to 60 s, four times an hour."""
    gain = np.ones(seconds + 120)
    for _ in range(rng.poisson(4 * seconds / 3600)):
        at, length = int(rng.integers(seconds)), int(rng.integers(5, 60))
        swell = 1 + 10 ** (rng.uniform(0, 16) / 20) * np.hanning(length)
        part = gain[at : at + length]
        part *= swell[: len(part)]
    return gain


@lru_cache(maxsize=512)
def clip_of(path: Path) -> Array:
    """A recording from its first to its last sound within 30 dB of the loudest, at most 8 s."""
    wave = read_sound(path)
    power = np.convolve(wave**2, np.ones(400) / 400, "same")
    loud = np.flatnonzero(power > power.max() * 1e-3)
    if not len(loud):
        return wave[: round(LONGEST_CLIP_S * RATE_HZ)]
    first = max(int(loud[0]) - 160, 0)
    return wave[first : min(int(loud[-1]) + 800, first + round(LONGEST_CLIP_S * RATE_HZ))]
