"""The ring: bounded in seconds and in bytes whatever comes, and true to what came."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bindstream.evidence.ring import LONGEST_SIDE, Ring, packed
from bindstream.modalities import SENSORS
from bindstream.records import ModalityName, Sample
from tests.evidence.readings import BEGIN_NS, S, sample

MOST_BYTES = 40_000
steps = st.lists(
    st.tuples(st.floats(-12, 12), st.sampled_from([0.01, 0.1, 0.5])), min_size=1, max_size=60
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SENSORS), steps, st.none() | st.floats(-30, 30))
def test_it_is_bounded_in_bytes_always_and_in_seconds_but_for_its_floor(
    modality: ModalityName, steps: list[tuple[float, float]], floor_s: float | None
) -> None:
    ring = Ring(modality, 5.0, MOST_BYTES)
    ring.floor_ns = None if floor_s is None else BEGIN_NS + round(floor_s * S)
    at_s = 0.0
    for step_s, length_s in steps:
        ring.push(sample(modality, at_s, length_s))
        held = ring.take(0, 2**62)
        assert ring.bytes == sum(one.bytes for one in held) <= MOST_BYTES
        assert [one.start_ns for one in held] == sorted(one.start_ns for one in held)
        floor_ns = ring.floor_ns if ring.floor_ns is not None else 2**62
        oldest_ns = min(ring.newest_ns - 5 * S, floor_ns)
        # A piece may wait behind one that began with it and is longer.
        assert all(one.end_ns >= oldest_ns - S // 2 for one in held)
        at_s += step_s


def test_no_more_pictures_are_held_than_make_a_film() -> None:
    ring = Ring("vision", 10.0)
    for i in range(150):
        ring.push(sample("vision", i / 30))
    assert 22 <= len(ring.take(0, 2**62)) <= 30


def test_a_second_of_an_hour_of_sound_is_forgotten_and_the_last_ones_are_not() -> None:
    ring = Ring("audio", 5.0)
    for i in range(400):
        ring.push(sample("audio", i / 4))
    held = ring.take(0, 2**62)
    assert 5 <= (held[-1].end_ns - held[0].start_ns) / S <= 5.5
    assert ring.take(0, BEGIN_NS + 90 * S) == []
    assert [one.start_ns for one in ring.take(BEGIN_NS + 98 * S, BEGIN_NS + 98 * S)] == [
        BEGIN_NS + round(at * S) for at in (97.75, 98)
    ]


def test_a_clock_that_jumped_back_begins_anew() -> None:
    ring = Ring("thermal", 5.0)
    for at_s in (7200.0, 7201.0, 0.0, 1.0):
        ring.push(sample("thermal", at_s))
    assert [one.start_ns - BEGIN_NS for one in ring.take(0, 2**62)] == [0, S]


def test_large_pictures_are_held_small_and_others_as_they_are() -> None:
    large = np.zeros((1080, 1920, 3), np.uint8)
    for picture, size in ((large, (LONGEST_SIDE, 540)), (large[:90, :121], (121, 90))):
        held = packed("vision", dataclasses.replace(sample("vision", 0), data=picture))
        assert Image.open(io.BytesIO(held.data)).size == size


def test_what_is_held_is_a_copy_and_takes_what_no_format_can() -> None:
    wave = np.array([np.nan, 2.0, -2.0, 0.25], np.float32)
    held = packed("audio", Sample("s1", "audio", wave, 0, 250_000, 0)).data
    wave[:] = 0
    assert held.tolist() == [0, 32767, -32767, 8192]
    hot = packed("thermal", dataclasses.replace(sample("thermal", 0), data=np.array([[1e9, 21]])))
    assert hot.data.tolist() == [[65504, 21]]


@pytest.mark.parametrize("modality", SENSORS)
def test_what_is_too_large_for_all_of_the_memory_is_not_held(modality: ModalityName) -> None:
    ring = Ring(modality, 5.0, most_bytes=200)
    ring.push(sample(modality, 0))
    assert (ring.bytes, ring.take(0, 2**62)) == (0, [])
