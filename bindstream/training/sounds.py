"""Sounds to learn from: mel frames of whole recordings, cut, mixed and distorted on the fly.

Energies of sounds add, so gain, mixing and colouring are done on the mel frames themselves; that
is a hundred times cheaper than on the waveform and differs from it by phase alone.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bindstream.errors import DataError, MissingPackageError
from bindstream.features.audio import BINS, FRAMES, MEAN, RATE_HZ, STD, filterbank
from bindstream.scene.tones import coloured_noise

Mel = NDArray[np.float32]
Labels = frozenset[str]

WINDOW = 198  # frames that 2 s give; the rest of the 204 is padding
HOP = 160  # samples a frame
FLOOR = float(np.log(np.finfo(np.float32).eps))  # Kaldi's log of nothing
AS_RECORDED = 0.35
"""Share of windows of recordings that nothing is mixed into."""
LOWEST_HZ = 50.0
"""Below it brown noise is as loud as at it."""
LOUD = 0.2
"""A window shows a sound if it holds a sample of this share of the loudest one's power."""
DB = float(np.log(10) / 10)  # one decibel in the natural logarithm of power


@dataclass(frozen=True)
class Piece:
    """Mel frames (T, 128) float16, natural log of power; `labels` hold where `active` is true.

    With `at`, the window that begins at this frame is cut and no other: what it is paired with was
    recorded at the same time.
    """

    mel: NDArray[np.float16]
    active: NDArray[np.bool_]
    labels: Labels
    at: int | None = None


def read_sound(path: Path) -> NDArray[np.float32]:
    """A whole sound file, (n,) float32 mono at 16 kHz.

    Raises:
        DataError: it cannot be read, or has another rate.
    """
    try:
        import soundfile
    except ImportError as error:
        raise MissingPackageError(
            "Sound files need soundfile, which is not installed.",
            fix="Run: pip install 'bindstream[train]'.",
        ) from error
    wave, rate_hz = soundfile.read(path, dtype="float32")
    if rate_hz != RATE_HZ:
        raise DataError(f"The sound has {rate_hz} Hz, {RATE_HZ} Hz is needed.", where=str(path))
    return np.asarray(wave if wave.ndim == 1 else wave.mean(1), np.float32)


def mel_frames(wave: NDArray[np.float32]) -> Mel:
    """Log-mel frames (T, 128) of a sound of any length, by the product's own filterbank."""
    found = []
    for start in range(0, max(1, len(wave) - 400), WINDOW * HOP):
        part = wave[start : start + 2 * RATE_HZ]
        if len(part) < 400:
            break
        count = min(WINDOW, 1 + (len(part) - 400) // HOP)
        found.append(filterbank(part)[0, :, :count].T * np.float32(STD) + np.float32(MEAN))
    return np.concatenate(found) if found else np.full((1, BINS), FLOOR, np.float32)


def read_piece(path: Path, labels: Labels) -> Piece:
    """A recording; active is what lies within 30 dB of its loudest frames."""
    mel = mel_frames(read_sound(path))
    return Piece(mel.astype(np.float16), active(mel), labels)


def active(mel: Mel) -> NDArray[np.bool_]:
    """Which frames lie within 30 dB of the loudest, (T,)."""
    energy = loudness(mel)
    return np.asarray(energy > np.percentile(energy, 98) - 30 * DB)


def loudness(mel: Mel) -> NDArray[np.float32]:
    """Natural log of a frame's power, (T,)."""
    return np.asarray(torch.logsumexp(torch.from_numpy(np.ascontiguousarray(mel)), 1).numpy())


def in_a_room(wave: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Windows (n, 1, 128, 204) of a sound that is heard in a room, as a microphone would hear it.

    A second of the room comes before and after, with its steady noise 20 to 50 dB below the
    sound's loudest 25 ms and brown half of the time; near or far away. Windows without anything
    loud in them are left out.
    """
    room = np.pad(wave, RATE_HZ)
    loudest = np.sqrt(np.convolve(wave**2, np.ones(400) / 400, "valid").max()) + 1e-6
    falls = float(rng.random() < 0.5)  # brown noise loses 6 dB an octave
    noise = coloured_noise(len(room), rng, lambda f: np.maximum(f, LOWEST_HZ) ** -falls)
    room = room + np.float32(loudest * 10 ** (-rng.uniform(20, 50) / 20)) * noise
    room *= np.float32(10 ** (rng.uniform(-20, 6) / 20))
    length, loud = 2 * RATE_HZ, LOUD * np.square(room).max()
    first = int(rng.integers(min(RATE_HZ, len(room) - length) + 1))
    heard = [room[at : at + length] for at in range(first, len(room) - length + 1, RATE_HZ)]
    return np.stack([filterbank(h) for h in heard if np.square(h).max() > loud])


class SoundBatches:
    """Random training windows of sound; `batch` gives inputs and what they show.

    `nothing` is what rooms show; without it no window shows a room alone.
    """

    def __init__(
        self,
        real: Sequence[Piece],
        scenes: Sequence[Piece] = (),
        nothing: Labels = frozenset(),
        finer: Collection[str] = (),
    ) -> None:
        self._nothing = nothing
        self._real = _by_label([p for p in real if p.labels != nothing], finer)
        # A concept with few recordings comes up less often, so that it is not learned by heart.
        weights = np.array([min(len(found), 25) ** 0.9 for found in self._real.values()])
        self._real_share = weights / weights.sum()
        self._scenes = _by_label([p for p in scenes if p.labels != nothing], finer)
        self._rooms = [p for p in (*real, *scenes) if p.labels == nothing]

    def batch(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float32], list[Labels]]:
        """(n, 1, 128, 204) float32 model inputs, and the concepts that each shows."""
        out = np.zeros((n, 1, BINS, FRAMES), np.float32)
        out[..., WINDOW:] = -MEAN / STD  # the padding of 0, normalised
        labels: list[Labels] = []
        for row in range(n):
            mel, shown = self._window(rng)
            mel = _distorted(np.asarray(mel, np.float32), rng)
            mel -= np.float32(MEAN)
            mel *= np.float32(1 / STD)
            out[row, 0, :, :WINDOW] = mel.T
            labels.append(shown)
        return out, labels

    def _window(self, rng: np.random.Generator) -> tuple[Mel, Labels]:
        room = self._room(rng)
        draw = rng.random()
        if draw < 0.15 and self._nothing:
            return room, self._nothing
        if draw < 0.35 and self._scenes:  # rendered scenes bring their own room
            names = list(self._scenes)
            found = self._scenes[names[int(rng.integers(len(names)))]]
            piece = found[int(rng.integers(len(found)))]
            if rng.random() < 0.12:  # before the event, in the same room
                return piece.mel[_repeat(149, rng)].astype(np.float32), self._nothing
            mel = _crop(piece, rng)
            if rng.random() < 0.3:
                mel = _sum(mel, room - rng.uniform(0, 15) * DB)
            return mel + rng.uniform(-12, 6) * DB, piece.labels
        first = self._recording(rng)
        if rng.random() < AS_RECORDED:
            return _crop(first, rng) + rng.uniform(-12, 12) * DB, first.labels
        mel, shown = self._event(first, rng), first.labels
        if rng.random() < 0.2:  # two things at once
            other = self._recording(rng)
            mel = _sum(mel, self._event(other, rng) + rng.uniform(-6, 0) * DB)
            shown = shown | other.labels
        gap = float(loudness(mel).max() - np.median(loudness(room)))
        above = rng.uniform(-3, 35) * DB
        return _sum(mel + rng.uniform(-30, 0) * DB, room + min(gap - above, 60) - 15 * DB), shown

    def _recording(self, rng: np.random.Generator) -> Piece:
        found = list(self._real.values())[int(rng.choice(len(self._real), p=self._real_share))]
        return found[int(rng.integers(len(found)))]

    def _event(self, piece: Piece, rng: np.random.Generator) -> Mel:
        mel = _crop(piece, rng)
        return mel - float(loudness(mel).max()) + np.float32(5.0)

    def _room(self, rng: np.random.Generator) -> Mel:
        if rng.random() < 0.5 and self._rooms:
            piece = self._rooms[int(rng.integers(len(self._rooms)))]
            return _crop(piece, rng) + rng.uniform(-15, 15) * DB
        return noise(rng)


def _sum(a: Mel, b: Mel) -> Mel:
    """Both sounds at once. torch's logaddexp is many times faster than NumPy's."""
    one, other = (torch.from_numpy(np.ascontiguousarray(x, np.float32)) for x in (a, b))
    return np.asarray(torch.logaddexp(one, other).numpy())


@cache
def _ripples() -> list[NDArray[np.float32]]:
    """How the mel energies of steady noise fluctuate: wide bins average more of the spectrum."""
    rng = np.random.default_rng(0)
    freedom = np.linspace(1.2, 8.0, BINS)
    draws = (rng.gamma(freedom, size=(WINDOW, BINS)) / freedom for _ in range(128))
    return [np.log(draw).astype(np.float32) for draw in draws]


def noise(rng: np.random.Generator) -> Mel:
    """Steady noise of random colour and level, (198, 128): a room, a fan, a cheap microphone."""
    knots = np.interp(np.arange(BINS), np.linspace(0, BINS - 1, 6), rng.normal(0, 2.0, 6))
    tilt = -rng.uniform(0, 6) * np.linspace(0, 1, BINS)
    level = rng.uniform(-14, -2)
    ripple = np.roll(_ripples()[int(rng.integers(128))], int(rng.integers(WINDOW)), axis=0)
    drift = np.interp(np.arange(WINDOW), [0, 66, 132, WINDOW], rng.normal(0, 0.3, 4))
    return ripple + (level + knots + tilt).astype(np.float32) + drift[:, None].astype(np.float32)


def _by_label(pieces: Sequence[Piece], finer: Collection[str]) -> dict[str, list[Piece]]:
    found: dict[str, list[Piece]] = {}
    for piece in pieces:
        for name in piece.labels - {*finer}:
            found.setdefault(name, []).append(piece)
    return found


def _repeat(length: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Frame numbers that go to and fro over a short stretch, 198 of them."""
    back_and_forth = np.concatenate([np.arange(length), np.arange(length)[::-1]])
    start = int(rng.integers(len(back_and_forth)))
    return np.take(back_and_forth, np.arange(start, start + WINDOW), mode="wrap")


def _crop(piece: Piece, rng: np.random.Generator) -> Mel:
    """198 frames around an active one, at another speed at times; silence past the edges."""
    if piece.at is not None:
        return _frames(piece.mel, piece.at + np.arange(WINDOW))
    speed = rng.uniform(0.85, 1.18) if rng.random() < 0.5 else 1.0
    span = int(WINDOW * speed)
    centre = int(rng.choice(np.flatnonzero(piece.active)))
    start = centre - int(rng.uniform(0.1, 0.9) * span)
    length = len(piece.mel)
    if length > span:  # stay inside a long recording, but for events at its edges
        start = int(np.clip(start, -span // 4, length - span + span // 4))
    return _frames(piece.mel, start + (np.arange(WINDOW) * (span / WINDOW)).astype(np.intp))


def _frames(mel: NDArray[np.float16], frames: NDArray[np.intp]) -> Mel:
    found = mel[np.clip(frames, 0, len(mel) - 1)].astype(np.float32)
    found[(frames < 0) | (frames >= len(mel))] = FLOOR
    return found


def _distorted(mel: Mel, rng: np.random.Generator) -> Mel:
    """Another microphone (colour), another pitch, parts masked; never below Kaldi's floor."""
    shift = int(rng.integers(-4, 5))
    if shift and rng.random() < 0.5:
        mel = np.roll(mel, shift, axis=1)
        edge = slice(0, shift) if shift > 0 else slice(shift, None)
        mel[:, edge] = mel[:, [shift if shift > 0 else shift - 1]]
    colour = np.interp(np.arange(BINS), np.linspace(0, BINS - 1, 5), rng.normal(0, 0.7, 5))
    mel = mel + colour.astype(np.float32)
    if rng.random() < 0.3:  # a microphone without highs
        cut = int(rng.integers(70, BINS))
        mel[:, cut:] -= np.linspace(0, rng.uniform(1, 6), BINS - cut, dtype=np.float32)
    if rng.random() < 0.4:
        first, width = int(rng.integers(BINS)), int(rng.integers(4, 20))
        mel[:, first : first + width] = mel.mean()
    if rng.random() < 0.3:
        first, width = int(rng.integers(WINDOW)), int(rng.integers(5, 30))
        mel[first : first + width] = mel.mean()
    # 16-bit recordings have a floor of their own, far above that of silence in floating point.
    hiss = rng.uniform(-15.9, -10) if rng.random() < 0.5 else FLOOR
    return np.maximum(mel, np.float32(max(hiss, FLOOR)))
