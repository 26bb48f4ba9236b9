"""Phrases: every concept can be said in several ways, and each way is in the vocabulary."""

from __future__ import annotations

import numpy as np

from bindstream.background import BACKGROUND
from bindstream.modalities import SENSORS
from bindstream.scene.catalogue import BACKGROUNDS, CATALOGUE
from bindstream.training.starter.phrases import (
    BACKGROUND_OF,
    UNHEARD,
    broader,
    concepts,
    related,
    vocabulary,
    worded,
    words_of,
)
from bindstream.training.starter.sight_words import BROADER, COMPATIBLE, PICTURES, SAME_AS, THERMAL
from bindstream.training.starter.sound_words import sound_concept


def test_every_event_of_the_simulated_house_is_a_concept_with_all_its_words() -> None:
    for name, kind in CATALOGUE.items():
        for says in kind.says.values():
            assert {" ".join(words_of(phrase)) for phrase in says} <= set(concepts()[name].phrases)


def test_every_sensor_has_a_background_that_can_be_said() -> None:
    for modality in SENSORS:
        phrases = concepts()[BACKGROUND_OF[modality]].phrases
        assert "nothing in particular" in phrases
        assert set(BACKGROUNDS[modality]) <= set(phrases)


def test_what_people_are_shown_as_background_is_in_the_vocabulary() -> None:
    known = set(vocabulary())
    for phrases in BACKGROUND.values():
        assert {word for phrase in phrases for word in words_of(phrase)} <= known


def test_tables_speak_of_concepts_that_exist() -> None:
    known = set(concepts())
    assert {SAME_AS.get(label, label) for label in PICTURES} <= known
    assert set(THERMAL.values()) <= known
    assert set(BROADER) <= known
    assert {name for narrow in BROADER.values() for name in narrow.split()} <= known
    assert {name for pair in COMPATIBLE for name in pair} <= known


def test_random_wordings_stay_within_the_vocabulary_and_differ() -> None:
    rng = np.random.default_rng(0)
    known = {*vocabulary(), UNHEARD}
    for name in concepts():
        texts = {worded(name, rng) for _ in range(20)}
        assert len(texts) > 5, name
        assert {word for text in texts for word in words_of(text)} <= known


def test_relations_go_both_ways_and_unrelated_things_stay_apart() -> None:
    for name in concepts():
        assert all(name in related(other) for other in related(name)), name
    assert "animal" in broader("dog")
    assert UNHEARD not in vocabulary()
    assert not related("dog") & {"rain", "person", "smoke_alarm", "room_tone"}
    assert not related("sitting_still") & {"still_sensor", "walking", "lying_still"}


def test_labels_of_recordings_fall_into_the_concept_a_person_would_name() -> None:
    assert sound_concept("dog bark", "1-100032-A") == "dog"
    assert sound_concept("environment/weather", "thunderstorm") == "thunder"
    assert sound_concept("smash_success/glass", "smash_success_glass_1") == "glass_breaking"
    assert sound_concept("door knock", "knock_01") == "knocking"
    assert sound_concept("something else", "unheard of") is None
