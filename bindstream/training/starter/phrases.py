"""What the starter can be asked for: concepts, many ways to say each, and how they relate."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np

from bindstream.background import BACKGROUND
from bindstream.records import ModalityName
from bindstream.scene.catalogue import BACKGROUNDS as RENDERED_BACKGROUNDS
from bindstream.scene.catalogue import CATALOGUE
from bindstream.training.starter.further_words import FINER, FURTHER
from bindstream.training.starter.sight_words import (
    BACKGROUNDS,
    BROADER,
    COMPATIBLE,
    NOTHING,
    OTHERS,
    PICTURES,
    SAME_AS,
)
from bindstream.training.starter.sound_words import SOUNDS

BACKGROUND_OF: dict[ModalityName, str] = {
    "audio": "room_tone",
    "vision": "empty_view",
    "thermal": "cold_view",
    "depth": "empty_view",
    "imu": "still_sensor",
}
"""The concept that a window shows in which nothing in particular happens."""

FRAMES = (
    *(("{}",) * 24), "the {}", "there is {}", "{} in view", "a photo of {}",
    "a picture of {}", "an image of {}", "i see {}", "{} in the room", "{} nearby", "{} outside",
    "the sound of {}", "sound of {}", "{} sound", "{} noise", "i hear {}", "{} can be heard",
    "a recording of {}", "{} in the background", "{} in the distance", "{} at home",
    "alert me when there is {}", "tell me when you hear {}", "{} detected", "{} right now",
    "watch for {}", "listen for {}", "{} happening", "this is {}", "a thermal image of {}",
    "{} in the yard", "{} in the house", "someone is {}", "a video of {}",
    "{} in front of the camera", "is there {}", "do you hear {}", "can you see {}",
    "notify me about {}", "let me know when {} happens", "warn me if {}", "wake me up if {}",
    "possible {}", "loud {}", "very loud {}", "faint {}", "distant {}", "{} again", "{} now",
    "{} starts", "a sensor that feels {}", "an aerial view of {}", "an aerial photo of {}",
    "an infrared image of {}", "a depth image of {}", "motion of {}", "the movement of {}",
    "sensor data of {}", "an accelerometer recording of {}", "an audio recording of {}",
    "{} at night", "{} in the street", "{} in the garden", "{} in the kitchen", "{} at the door",
    "{} from above", "a close up of {}", "a close up photo of {}", "a black and white photo of {}",
    "a bad photo of {}", "a good photo of {}", "a photo of many {}", "a photo of one {}",
    "a photo of my {}", "a photo of a small {}", "a photo of a large {}", "a blurry photo of {}",
    "a low resolution photo of {}", "a bright photo of {}", "a dark photo of {}",
    "a cropped photo of {}", "a pixelated photo of {}", "a photo of a clean {}",
    "a photo of a dirty {}", "a photo of a nice {}", "a photo of a cool {}",
    "a photo of a weird {}", "a photo of a hard to see {}", "a jpeg corrupted photo of {}",
    "a painting of {}", "a drawing of {}", "a sketch of {}", "a rendering of {}",
    "a rendition of {}",
    "a cartoon {}", "a plastic {}", "a plushie {}", "a toy {}", "an origami {}", "art of {}",
    "a sculpture of {}", "a tattoo of {}", "graffiti of {}", "an embroidered {}",
    "a doodle of {}",
    "{} in a video game", "itap of my {}", "a person is {}", "somebody is {}", "the wearer is {}",
    "this is the sound of {}", "you can hear {}", "what sounds like {}", "something like {}",
    "{} being heard", "{} here", "any {}", "some {}", "maybe {}", "another {}", "{} over there",
)  # fmt: skip
"""Sentence frames that add nothing to the meaning: ordinary ones, and CLIP's templates' words."""
UNHEARD = "xxunheard"
"""Stands for any word that the tokenizer does not know, so that the rest of a text still counts."""


BESIDE = ("in a {}", "in the {}", "on a {}", "on the {}", "with a {}", "at the {}",
          "of a {}", "by the {}", "from the {}", "to {}", "and {}", "{}", "for {}")  # fmt: skip
"""Where a thing is and what is with it, in any other word: what is said first is what is meant."""


@dataclass(frozen=True)
class Concept:
    """Something that windows can show. `phrases` say it, the plainest first, all lower case."""

    name: str
    phrases: tuple[str, ...]


def words_of(text: str) -> list[str]:
    """The lower-case words of a text as the word tokenizer sees them."""
    text = re.sub(r"['’]s\b|['’]", "", text.lower())
    return re.sub(r"[^\w\s]|_", " ", text).split()


@cache
def concepts() -> dict[str, Concept]:
    """All concepts by name: recorded sounds, pictures, rendered events, backgrounds."""
    said: dict[str, list[str]] = {}
    for name, kind in CATALOGUE.items():
        said[name] = [kind.words, *(phrase for says in kind.says.values() for phrase in says)]
    for table in (SOUNDS, OTHERS):
        for name, phrases in table.items():
            said.setdefault(name, []).extend(phrases.split(";"))
    for name, (_, _, phrases) in FINER.items():
        said.setdefault(name, []).extend(phrases.split(";"))
    for label, nouns in PICTURES.items():
        said.setdefault(SAME_AS.get(label, label), []).extend(_nouns(nouns.split(";")))
    for name, phrases in FURTHER.items():
        said.setdefault(name, []).extend(phrases.split(";"))
    for modality, name in BACKGROUND_OF.items():
        said[name] += [*NOTHING, *RENDERED_BACKGROUNDS[modality]]
    return {
        name: Concept(name, tuple(dict.fromkeys(" ".join(words_of(p)) for p in phrases)))
        for name, phrases in said.items()
    }


def _nouns(nouns: Iterable[str]) -> list[str]:
    found = []
    for noun in (noun.strip() for noun in nouns):
        plural = noun if noun.endswith("s") else noun + "s"
        article = "an" if noun[0] in "aeiou" else "a"
        found += [f"{article} {noun}", noun, plural, f"some {plural}"]
    return found


@cache
def concepts_of_phrase() -> dict[str, frozenset[str]]:
    """Which concepts each phrase may mean ("a person walking" is seen, and felt by an IMU)."""
    found: dict[str, set[str]] = {}
    for concept in concepts().values():
        for phrase in concept.phrases:
            found.setdefault(phrase, set()).add(concept.name)
    return {phrase: frozenset(names) for phrase, names in found.items()}


@cache
def broader(name: str) -> tuple[str, ...]:
    """What a concept also is: a rooster is a bird and an animal."""
    parents = [FINER[name][0]] if name in FINER else []
    kinds = {name, *parents}
    return (*parents, *(wide for wide, narrow in BROADER.items() if kinds & set(narrow.split())))


@cache
def related(name: str) -> frozenset[str]:
    """Concepts that may hold of the same window, itself among them: never its negatives."""
    found = {name, *broader(name)}
    found |= {other for other in concepts() if name in broader(other)}
    found |= {b if a == name else a for a, b in COMPATIBLE if name in (a, b)}
    if name in BACKGROUNDS:
        found |= set(BACKGROUNDS)
    says = set(concepts()[name].phrases)
    found |= {other for phrase in says for other in concepts_of_phrase()[phrase]}
    return frozenset(found)


def worded(name: str, rng: np.random.Generator) -> str:
    """A random way to say a concept: a phrase in a frame, at times with a word lost or moved."""
    phrases = concepts()[name].phrases
    # The plainest phrases come up more often: they are what most people type.
    pick = phrases[int(len(phrases) * rng.random() ** 1.2)]
    words = pick.split()
    if len(words) > 1 and words[0] in ("a", "an", "the") and rng.random() < 0.35:
        words = words[1:]
    if len(words) > 2 and rng.random() < 0.1:
        words.pop(int(rng.integers(len(words))))
    if len(words) > 1 and rng.random() < 0.1:
        rng.shuffle(words)
    if rng.random() < 0.3:
        for _ in range(int(rng.integers(1, 4))):
            words.insert(int(rng.integers(len(words) + 1)), UNHEARD)
    elif rng.random() < 0.3:
        beside = BESIDE[int(rng.integers(len(BESIDE)))]
        words += beside.format(_any_word(rng)).split()
    return FRAMES[int(rng.integers(len(FRAMES)))].format(" ".join(words))


def _any_word(rng: np.random.Generator) -> str:
    words = vocabulary()
    return words[int(rng.integers(len(words)))]


@cache
def vocabulary() -> tuple[str, ...]:
    """Every word of the phrases and frames, sorted: all that the text tower can know."""
    texts = [phrase for concept in concepts().values() for phrase in concept.phrases]
    texts += [frame.format("") for frame in (*FRAMES, *BESIDE)]
    texts += [phrase for bank in BACKGROUND.values() for phrase in bank]
    return tuple(sorted({word for text in texts for word in words_of(text)}))
