"""Scripts: well spaced, the same for the same seed, and readable from a configuration."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bindstream.modalities import SENSORS
from bindstream.scene.catalogue import CATALOGUE, kinds_of
from bindstream.scene.script import (
    QUIET_S,
    REST_S,
    Event,
    PlannedEvent,
    Script,
    demo_script,
    ground_truth,
    make_script,
    random_script,
)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**40), st.floats(25, 400))
@example(34309098, 129.0)  # a fall at the end of one round of events, a stove early in the next
def test_events_of_a_random_script_are_spaced_for_every_sensor(seed: int, length_s: float) -> None:
    script = random_script(seed, length_s)
    for modality in SENSORS:
        events = script.of(modality)
        assert all(e.start_s >= QUIET_S and e.end_s < length_s for e in events)
        for before, after in pairwise(events):
            assert after.start_s - before.end_s >= REST_S[modality] - 1e-6


@pytest.mark.parametrize("seed", range(12))
def test_the_demo_gives_each_sensor_two_or_three_events(seed: int) -> None:
    script = demo_script(seed)
    assert script.length_s == 100
    for modality in ("audio", "vision", "thermal", "imu"):
        assert 2 <= len(script.of(modality)) <= 3, (modality, script.events)


def test_a_long_script_keeps_going_to_its_end() -> None:
    events = random_script(3, 900).of("audio")
    assert len(events) >= 18
    assert events[-1].end_s > 800


def test_the_same_seed_writes_the_same_script_and_another_seed_another() -> None:
    assert demo_script(4) == demo_script(4)
    assert demo_script(4).events != demo_script(5).events


def test_a_script_survives_json() -> None:
    script = demo_script(1)
    assert Script.model_validate_json(script.model_dump_json()) == script


def test_listed_events_are_sorted_and_get_their_typical_length() -> None:
    script = make_script(
        0, 60, [PlannedEvent(kind="fire", at_s=40, length_s=5), PlannedEvent(kind="dog", at_s=10)]
    )
    assert [(e.kind, e.start_s, e.end_s) for e in script.events] == [
        ("dog", 10, 18),
        ("fire", 40, 45),
    ]


def test_the_ground_truth_can_be_asked_for_one_sensor() -> None:
    script = make_script(
        0, 60, [PlannedEvent(kind="fire", at_s=30), PlannedEvent(kind="walking", at_s=9)]
    )
    assert [e.kind for e in ground_truth(script)] == ["walking", "fire"]
    assert [e.kind for e in ground_truth(script, "thermal")] == ["fire"]


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValidationError, match=r"unknown event kind 'alien'.*smoke_alarm"):
        PlannedEvent(kind="alien", at_s=1)


def test_an_event_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValidationError, match="not after its start"):
        Event(kind="fire", start_s=5, end_s=5)


def test_the_catalogue_has_words_for_every_sensor_of_every_kind() -> None:
    for name, kind in CATALOGUE.items():
        assert kind.name == name
        assert kind.modalities
        for phrases in kind.says.values():
            assert len(phrases) == len(set(phrases)) >= 2
        assert 0 < kind.length_s[0] <= kind.length_s[1]
    for modality in SENSORS:
        assert len(kinds_of(modality)) >= 4
