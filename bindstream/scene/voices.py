"""The sounds of events, dry and loud: one function a kind, each (length_s, rng) -> samples.

All are at `RATE_HZ`, float32, of any peak (the caller sets the level), synthesised from scratch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.scene.tones import (
    RATE_HZ,
    Samples,
    add,
    band,
    coloured_noise,
    fade,
    seconds,
    shape,
    tone,
)

Voice = Callable[[float, np.random.Generator], Samples]


def _beeps(
    length_s: float, rng: np.random.Generator, freq_hz: float, pattern: list[tuple[float, float]]
) -> Samples:
    """Beeps that repeat a pattern of (on, off) seconds."""
    out = np.zeros_like(seconds(length_s), np.float32)
    harmonics = [1.0, rng.uniform(0, 0.3), rng.uniform(0, 0.4)]
    t_s, step = 0.0, 0
    while t_s < length_s:
        on_s, off_s = pattern[step % len(pattern)]
        n = round(on_s * RATE_HZ)
        add(out, t_s, tone(freq_hz, n, harmonics) * fade(n, 0.005, 0.01))
        t_s += on_s + off_s
        step += 1
    return out


def smoke_alarm(length_s: float, rng: np.random.Generator) -> Samples:
    """Three half-second beeps near 3 kHz and a pause (the T3 pattern of ISO 8201)."""
    tempo = rng.uniform(0.9, 1.1)
    on_s, off_s = 0.5 * tempo, 0.5 * tempo * rng.uniform(0.7, 1.1)
    pattern = [(on_s, off_s), (on_s, off_s), (on_s, off_s + 1.0 * tempo)]
    return _beeps(length_s, rng, rng.uniform(2800, 3500), pattern)


def beeping(length_s: float, rng: np.random.Generator) -> Samples:
    """Short, lower beeps of an appliance, evenly repeated or in pairs."""
    on_s = rng.uniform(0.08, 0.2)
    gap_s = rng.uniform(0.25, 0.6)
    pattern = [(on_s, gap_s)]
    if rng.random() < 0.4:
        pattern = [(on_s, 0.1), (on_s, gap_s + 0.2)]
    return _beeps(length_s, rng, rng.uniform(900, 2100), pattern)


def siren(length_s: float, rng: np.random.Generator) -> Samples:
    """A wail, a yelp or a two-tone horn between some 500 and 1,600 Hz, far or near."""
    t = seconds(length_s)
    low, high = rng.uniform(450, 700), rng.uniform(1100, 1600)
    style = rng.choice(["wail", "yelp", "two-tone"], p=[0.5, 0.25, 0.25])
    if style == "two-tone":
        period_s = rng.uniform(0.9, 1.3)
        ratio = rng.uniform(1.25, 1.4)
        high_now = (t / period_s + rng.random()) % 1 < 0.5
        freq = np.where(high_now, low * ratio, low)
    else:
        period_s = rng.uniform(2.5, 5.0) if style == "wail" else rng.uniform(0.25, 0.45)
        swing = 0.5 - 0.5 * np.cos(2 * np.pi * (t / period_s + rng.random()))
        freq = low * (high / low) ** swing
    freq = freq * (1 - rng.uniform(-0.04, 0.04) * np.tanh((t - length_s / 2) * 1.5))
    level = 0.6 + 0.4 * np.sin(np.pi * t / length_s)
    wail = tone(freq, len(t), [1, 0.5, rng.uniform(0.2, 0.5), 0.2, 0.12, 0.08])
    return (wail * level).astype(np.float32) * fade(len(t), 0.15, 0.3)


def knocking(length_s: float, rng: np.random.Generator) -> Samples:
    """Groups of knuckle knocks on wood: a click and low, quickly dying resonances."""
    out = np.zeros_like(seconds(length_s), np.float32)
    modes = rng.uniform([90, 180, 330, 600], [170, 320, 560, 1100])
    decays = rng.uniform([25, 35, 50, 80], [45, 70, 100, 160])
    spacing_s, group = rng.uniform(0.14, 0.3), int(rng.integers(3, 6))
    t_s, count = 0.02, 0
    t = seconds(0.25)
    while t_s < length_s - 0.1:
        knock = sum(
            rng.uniform(0.5, 1)
            * np.sin(2 * np.pi * f * rng.uniform(0.97, 1.03) * t)
            * np.exp(-d * t)
            for f, d in zip(modes, decays, strict=True)
        )
        knock = knock + 0.7 * rng.standard_normal(len(t)) * np.exp(-500 * t)
        add(out, t_s, (rng.uniform(0.7, 1) * knock).astype(np.float32))
        count += 1
        t_s += spacing_s * rng.uniform(0.9, 1.1)
        if count % group == 0:
            t_s += rng.uniform(0.3, 0.7)
    return out


def doorbell(length_s: float, rng: np.random.Generator) -> Samples:
    """Ding, dong: two struck bars a third or a fourth apart, ringing out."""
    out = np.zeros_like(seconds(length_s), np.float32)
    high = rng.uniform(560, 900)
    low = high / rng.choice([1.189, 1.26, 1.335])
    t = seconds(1.8)
    rest_s = rng.uniform(0.45, 0.75)
    t_s = 0.02
    while t_s < length_s - 0.3:
        for k, f in enumerate((high, low)):
            ring = np.zeros(len(t))
            for ratio, level, decay in ((1, 1, 2.5), (2, 0.35, 4), (2.76, 0.3, 6), (5.4, 0.15, 12)):
                if ratio * f < 7600:
                    ring += level * np.sin(2 * np.pi * ratio * f * t) * np.exp(-decay * t)
            add(out, t_s + k * rest_s, ring.astype(np.float32) * fade(len(t), 0.002, 0.05))
        t_s += 2 * rest_s + rng.uniform(0.5, 1.0)
    return out


def glass_breaking(length_s: float, rng: np.random.Generator) -> Samples:
    """A crash of broadband noise, then shards that ring high and inharmonic as they land."""
    out = np.zeros_like(seconds(length_s), np.float32)
    t = seconds(min(length_s, 0.5))
    crash = coloured_noise(len(t), rng, band(800, 7500)) * np.exp(-rng.uniform(9, 16) * t)
    add(out, 0.01, (1.3 * crash).astype(np.float32))
    ring_t = seconds(0.35)
    for _ in range(int(rng.integers(35, 70))):
        at_s = 0.01 + rng.exponential(0.22)
        ring = sum(
            rng.uniform(0.3, 1)
            * np.sin(2 * np.pi * rng.uniform(2000, 7600) * ring_t + rng.uniform(0, 6.28))
            for _ in range(3)
        )
        ring = ring * np.exp(-rng.uniform(15, 70) * ring_t)
        add(out, at_s, (rng.uniform(0.1, 0.5) * np.exp(-at_s) * ring).astype(np.float32))
    return out


def dog(length_s: float, rng: np.random.Generator) -> Samples:
    """Barks: a rough voice that rises and falls within a fifth of a second, in bursts."""
    out = np.zeros_like(seconds(length_s), np.float32)
    pitch, size = rng.uniform(250, 650), rng.uniform(0.8, 1.3)
    formants = (700 / size, 1500 / size, 2700 / size)
    t_s = rng.uniform(0.02, 0.15)
    while t_s < length_s - 0.15:
        n = round(rng.uniform(0.13, 0.26) * RATE_HZ)
        u = np.arange(n) / n
        contour = pitch * rng.uniform(0.9, 1.1) * (0.75 + 0.5 * np.sin(np.pi * u**0.6))
        contour = contour * (1 + 0.03 * rng.standard_normal() + 0.04 * np.sin(2 * np.pi * 70 * u))
        voice = tone(contour, n, [1 / k**0.6 for k in range(1, 14)])
        voice = voice + 0.9 * rng.standard_normal(n).astype(np.float32)
        bark = _formed(voice, formants, 250) * np.sin(np.pi * u**0.45) ** 1.3
        add(out, t_s, (rng.uniform(0.75, 1) * bark).astype(np.float32))
        t_s += n / RATE_HZ + rng.choice([rng.uniform(0.12, 0.3), rng.uniform(0.35, 0.7)])
    return out


def baby_crying(length_s: float, rng: np.random.Generator) -> Samples:
    """Long cries near 450 Hz that bend up and down, each followed by a short intake of breath."""
    out = np.zeros_like(seconds(length_s), np.float32)
    pitch = rng.uniform(380, 560)
    t_s = 0.03
    while t_s < length_s - 0.3:
        n = round(rng.uniform(0.6, 1.3) * RATE_HZ)
        u, t = np.arange(n) / n, np.arange(n) / RATE_HZ
        contour = pitch * rng.uniform(0.92, 1.1) * (0.82 + 0.3 * np.sin(np.pi * u**0.7))
        contour = contour * (1 + 0.02 * np.sin(2 * np.pi * rng.uniform(5, 9) * t))
        voice = tone(contour, n, [1 / k**0.5 for k in range(1, 16)])
        voice = voice + 0.15 * rng.standard_normal(n).astype(np.float32)
        cry = _formed(voice, (1100, 2300, 3600), 350) * fade(n, 0.06, 0.15)
        add(out, t_s, cry)
        t_s += n / RATE_HZ
        m = round(rng.uniform(0.12, 0.22) * RATE_HZ)
        add(out, t_s + 0.05, 0.12 * coloured_noise(m, rng, band(900, 4000)) * fade(m, 0.05, 0.05))
        t_s += m / RATE_HZ + rng.uniform(0.1, 0.3)
    return out


def _formed(voice: Samples, formants: tuple[float, ...], width_hz: float) -> Samples:
    """A voice through resonances at `formants` Hz, scaled to a peak of 1."""

    def gain(f: NDArray[Any]) -> NDArray[Any]:
        peaks = [
            1 / (1 + ((f - c) / (width_hz * (1 + 0.3 * i))) ** 2) for i, c in enumerate(formants)
        ]
        return np.asarray(sum(peaks)) + 0.02

    formed = shape(voice, gain)
    return np.asarray(formed / (np.abs(formed).max() + 1e-9), np.float32)


def running_water(length_s: float, rng: np.random.Generator) -> Samples:
    """A tap: bright steady hiss, with bubbles blipping between 400 and 2,500 Hz."""
    t = seconds(length_s)
    hiss = coloured_noise(len(t), rng, band(rng.uniform(300, 900), rng.uniform(4500, 7500)))
    slow = coloured_noise(len(t), rng, band(0.5, 8))
    out = (hiss * (1 + 0.15 * np.clip(slow, -2, 2))).astype(np.float32)
    blip_t = seconds(0.05)
    for _ in range(int(length_s * rng.uniform(15, 60))):
        f = rng.uniform(400, 2500)
        blip = np.sin(2 * np.pi * f * (1 + 4 * blip_t) * blip_t) * np.exp(-80 * blip_t)
        add(out, rng.uniform(0, length_s), (rng.uniform(0.5, 2.2) * blip).astype(np.float32))
    return out * fade(len(t), 0.1, 0.2)


def fire(length_s: float, rng: np.random.Generator) -> Samples:
    """Crackle: sharp pops of every size at random moments over a low, breathing roar."""
    t = seconds(length_s)
    roar = coloured_noise(len(t), rng, band(40, rng.uniform(250, 600)))
    breath = 1 + 0.4 * np.clip(coloured_noise(len(t), rng, band(0.5, 4)), -2, 2)
    out = (rng.uniform(0.03, 0.1) * roar * breath).astype(np.float32)
    for _ in range(int(length_s * rng.uniform(14, 40))):
        n = int(rng.uniform(0.002, 0.02) * RATE_HZ)
        pop = coloured_noise(n, rng, band(rng.uniform(600, 2500), 7500))
        pop = pop * np.exp(-np.arange(n) / n * rng.uniform(4, 9))
        add(out, rng.uniform(0, length_s), (0.12 * rng.pareto(2.0) + 0.05) * pop.astype(np.float32))
    return np.clip(out, -1, 1) * fade(len(t), 0.3, 0.4)


def kettle(length_s: float, rng: np.random.Generator) -> Samples:
    """A whistle that swells and rises to a steady, slightly wavering 2 to 3.2 kHz, over boiling."""
    t = seconds(length_s)
    top = rng.uniform(2000, 3200)
    rise = 1 - 0.25 * np.exp(-t / 0.6)
    waver = (
        1 + 0.006 * np.sin(2 * np.pi * rng.uniform(4, 9) * t) + 0.01 * np.sin(2 * np.pi * 0.7 * t)
    )
    whistle = tone(top * rise * waver, len(t), [1, rng.uniform(0.1, 0.4), 0.1])
    steam = coloured_noise(len(t), rng, band(1500, 7000))
    boil = coloured_noise(len(t), rng, band(150, 900))
    out = whistle * (1 - 0.7 * np.exp(-t / 0.8)) + rng.uniform(0.1, 0.3) * steam + 0.15 * boil
    return np.asarray(out * fade(len(t), 0.2, 0.3), np.float32)


VOICES: dict[str, Voice] = {
    "smoke_alarm": smoke_alarm,
    "beeping": beeping,
    "siren": siren,
    "knocking": knocking,
    "doorbell": doorbell,
    "glass_breaking": glass_breaking,
    "dog": dog,
    "baby_crying": baby_crying,
    "running_water": running_water,
    "fire": fire,
    "kettle": kettle,
}
