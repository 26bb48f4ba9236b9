"""Long seeded streams for `alerts.py`: what is asked for, and what happens in them when.

A stream has a half to be calibrated on and a half to be tested on, whose recordings are of other
sources and whose rendered houses, voices and bodies are of other seeds. Most of what happens is
asked for by nobody and as frequent in both halves; what is asked for is rare in the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rooms import AMBIENT_S, RATE_HZ, Happening, clip_of, drift

from bindstream.records import ModalityName
from bindstream.scene.catalogue import CATALOGUE
from bindstream.scene.seeds import rng_for
from bindstream.training.starter.phrases import related
from bindstream.training.starter.recordings import Entry

ASKED: dict[ModalityName, dict[str, str]] = {
    "audio": {
        "dog": "a dog barks",
        "baby_crying": "a baby cries",
        "glass_breaking": "breaking glass",
        "rooster": "a rooster crowing",
        "chainsaw": "a chainsaw",
        "helicopter": "a helicopter",
        "gunshot": "a gunshot",
        "sneeze": "someone sneezes",
        "church_bells": "church bells",
        "smoke_alarm": "smoke alarm",
        "siren": "police siren",
        "doorbell": "doorbell",
        "knocking": "knocking on a door",
        "kettle": "a whistling kettle",
    },
    "imu": {
        "falling": "a person falls",
        "running": "running",
        "cycling": "riding a bicycle",
        "climbing_stairs": "climbing stairs",
        "shaking": "the device is being shaken",
        "lying_still": "lying still",
    },
    "vision": {
        "fire": "flames",
        "dog": "a dog",
        "fallen_person": "a person lying on the floor",
        "package": "a package on the floor",
        "lights_out": "a dark room",
        "airplane": "an airplane",
        "helicopter": "a helicopter",
        "umbrella": "an umbrella",
        "elephant": "an elephant",
        "butterfly": "a butterfly",
        "electric_guitar": "an electric guitar",
        "sunflower": "a sunflower",
        "stop_sign": "a stop sign",
    },
}
"""Concepts and the words that ask for them."""
ASKED_PER_HOUR = {"calibration": 0.2, "test": 1.0}
"""How often each of them happens, in each stream that can show it."""
LEAST_ASKED = {"calibration": 0, "test": 2}
AMBIENT = ("rain", "wind", "sea_waves", "crickets", "clock", "hum", "birdsong")
BURST = 0.2  # of what happens comes again at once, two to five times
VOICES_ASKED = ("smoke_alarm", "siren", "doorbell", "knocking", "kettle")


@dataclass(frozen=True)
class Stream:
    """One stream's name and modality, and how often an hour something happens in it."""

    name: str
    modality: ModalityName
    per_hour: float


STREAMS = (
    Stream("hall", "audio", 30),
    Stream("street", "audio", 60),
    Stream("house", "audio", 30),
    Stream("body", "imu", 25),
    Stream("people", "imu", 0),
    Stream("room", "vision", 20),
    Stream("desk", "vision", 60),
)
LEVEL_DB = {"hall": -52.0, "street": -34.0, "house": -50.0}


@dataclass(frozen=True)
class Part:
    """One half of a stream: its length, its seed and whether its sources are held out."""

    half: str
    seconds: int
    seed: int
    held_out: bool


def parts(hours: float, seed: int, *, same_sources: bool) -> tuple[Part, Part]:
    """Both halves; with `same_sources` the recordings and houses of the first are in both."""
    seconds = round(hours * 60) * 60
    return (
        Part("calibration", seconds, seed, False),
        Part("test", seconds, seed + 1, not same_sources),
    )


@dataclass(frozen=True)
class Choice:
    """Something that can happen: its concepts, a source, and the seconds it may last."""

    concepts: tuple[str, ...]
    source: str
    length_s: tuple[float, float]


def choices(stream: Stream, entries: Sequence[Entry], held_out: bool) -> dict[str, list[Choice]]:
    """All that can happen in a stream, by its first concept, from one side of the split."""
    found: dict[str, list[Choice]] = {}
    if stream.modality == "audio" or stream.name == "desk":
        for entry in entries:
            if entry.modality == stream.modality and entry.held_out == held_out:
                concepts = tuple(sorted(entry.concepts))
                asked = [c for c in concepts if c in ASKED[stream.modality]]
                choice = Choice((*asked, *(c for c in concepts if c not in asked)),
                                str(entry.path), (4.0, 15.0))  # fmt: skip
                found.setdefault(choice.concepts[0], []).append(choice)
    rendered = {
        "audio": VOICES_ASKED,
        "imu": ("walking", "sitting_still", *ASKED["imu"]),
        "vision": ("person", "fire", "dog", "fallen_person", "package", "lights_out"),
    }[stream.modality]
    for kind in rendered if stream.name != "desk" else ():
        found[kind] = [Choice((kind,), "", CATALOGUE[kind].length_s)]
    return found


def happenings(stream: Stream, part: Part, entries: Sequence[Entry]) -> list[Happening]:
    """What happens in one half of a stream, in order."""
    rng = rng_for(part.seed, stream.name, part.half)
    mine, other = (choices(stream, entries, side) for side in (part.held_out, not part.held_out))
    asked = [c for c in ASKED[stream.modality] if c in mine]
    common = [
        name
        for name in mine
        if name in other and not any(related(name) & {c} or name in related(c) for c in asked)
    ]
    times = [(t, name) for name in asked for t in _seldom(rng, part)]
    if common and stream.per_hour:
        often = _often(rng, part, stream.per_hour)
        times += [(t, common[int(rng.integers(len(common)))]) for t in often]
    found = _ambient(rng, part, mine) if stream.modality == "audio" else []
    free_s = 0.0
    for start_s, name in sorted(times):
        choice = mine[name][int(rng.integers(len(mine[name])))]
        again = int(rng.integers(2, 6)) if name not in asked and rng.random() < BURST else 1
        for _ in range(again):
            if stream.modality != "audio":  # one body and one view: one thing at a time
                start_s = max(start_s, free_s)
            length_s = _length_s(stream, choice, rng)
            if start_s + length_s < part.seconds:
                end_s = round(start_s + length_s, 2)
                found.append(Happening(round(start_s, 2), end_s, choice.concepts, choice.source))
                free_s = end_s + (11.0 if stream.modality == "imu" else 4.0)
            start_s += length_s + rng.uniform(1, 15)
    return sorted(found, key=lambda h: h.start_s)


def _length_s(stream: Stream, choice: Choice, rng: np.random.Generator) -> float:
    if stream.modality == "audio" and choice.source:
        return len(clip_of(Path(choice.source))) / RATE_HZ
    return float(rng.uniform(*choice.length_s))


def _seldom(rng: np.random.Generator, part: Part) -> list[float]:
    """When something that is asked for happens, anywhere in the half."""
    count = rng.poisson(ASKED_PER_HOUR[part.half] * part.seconds / 3600)
    return rng.uniform(30, part.seconds, max(count, LEAST_ASKED[part.half])).tolist()


def _often(rng: np.random.Generator, part: Part, per_hour: float) -> list[float]:
    """Arrivals that come thick and fast for some tens of minutes and thin out again."""
    activity = np.exp(0.7 * drift(rng, part.seconds, 20))[: part.seconds]
    mean = per_hour * part.seconds / 3600 / (1 + 3.5 * BURST - BURST)
    return rng.choice(part.seconds, rng.poisson(mean), p=activity / activity.sum()).tolist()


def _ambient(
    rng: np.random.Generator, part: Part, mine: dict[str, list[Choice]]
) -> list[Happening]:
    """Rain, a clock, waves: one every 40 minutes or so, for 5 to 25 minutes."""
    kinds, found = [name for name in AMBIENT if name in mine], []
    at_s = rng.exponential(1500.0)
    while kinds and at_s < part.seconds:
        choice = mine[kinds[int(rng.integers(len(kinds)))]]
        one = choice[int(rng.integers(len(choice)))]
        end_s = min(at_s + rng.uniform(300, 1500), float(part.seconds))
        if end_s - at_s > AMBIENT_S:
            found.append(Happening(round(at_s, 2), round(end_s, 2), one.concepts, one.source))
        at_s = end_s + rng.exponential(1500.0)
    return found
