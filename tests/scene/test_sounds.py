"""Sound: the same however it is cut, louder where something happens, and told apart by ear."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.scene.catalogue import kinds_of
from bindstream.scene.script import Event
from bindstream.scene.sounds import Sounds
from bindstream.scene.tones import RATE_HZ
from bindstream.scene.voices import VOICES

EVENTS = (
    Event(kind="knocking", start_s=1.3, end_s=3.9),
    Event(kind="smoke_alarm", start_s=3.2, end_s=6.1),
)
WHOLE = Sounds(EVENTS, 11).render(0, 7 * RATE_HZ)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 7 * RATE_HZ - 1), max_size=25))
def test_sound_is_the_same_however_it_is_cut(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), 7 * RATE_HZ]
    sounds = Sounds(EVENTS, 11)
    parts = [sounds.render(a, b - a) for a, b in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts), WHOLE)


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(14)))
def test_sound_is_the_same_in_whatever_order_it_is_asked_for(order: list[int]) -> None:
    sounds = Sounds(EVENTS, 11)
    half = RATE_HZ // 2
    for k in order:
        np.testing.assert_array_equal(
            sounds.render(k * half, half), WHOLE[k * half : (k + 1) * half]
        )


def test_room_tone_neither_stops_nor_jumps_at_the_seams_of_its_blocks() -> None:
    for seed in range(5):
        tone = Sounds((), seed).render(0, 6 * RATE_HZ)
        level = np.sqrt((tone.reshape(-1, RATE_HZ // 4) ** 2).mean(1))
        assert level.min() > 0.3 * np.median(level) > 0
        steps = np.abs(np.diff(tone))
        seams = steps[RATE_HZ - 1 :: RATE_HZ]
        assert seams.max() <= steps.max()
        assert np.median(seams) < 6 * np.median(steps) + 1e-6


@pytest.mark.parametrize("kind", kinds_of("audio"))
def test_every_kind_stands_out_of_the_room_while_it_lasts(kind: str) -> None:
    for seed in (1, 2, 3):
        quiet = Sounds((), seed)
        heard = Sounds((Event(kind=kind, start_s=2, end_s=5),), seed)
        added = heard.render(0, 7 * RATE_HZ) - quiet.render(0, 7 * RATE_HZ)
        assert not added[: 2 * RATE_HZ].any()
        assert not added[round(5.6 * RATE_HZ) :].any()
        during = np.abs(added[2 * RATE_HZ : 5 * RATE_HZ]).max()
        room = np.sqrt((quiet.render(0, 2 * RATE_HZ) ** 2).mean())
        assert 0.07 < during <= 2
        assert during > 8 * room


def test_the_smoke_alarm_beeps_near_three_kilohertz_in_threes() -> None:
    beeps = VOICES["smoke_alarm"](8.0, np.random.default_rng(3))
    spectrum = np.abs(np.fft.rfft(beeps))
    peak_hz = spectrum.argmax() * RATE_HZ / len(beeps)
    assert 2700 < peak_hz < 3600
    on = np.abs(beeps).reshape(-1, 160).max(1) > 0.1
    starts = np.flatnonzero(np.diff(on.astype(int)) == 1) / 100
    gaps = np.diff([0.0, *starts])[:6]
    assert gaps[2] > 1.5 * gaps[1]
    assert gaps[5] > 1.5 * gaps[4]


def test_voices_are_finite_and_as_long_as_asked() -> None:
    for kind, voice in VOICES.items():
        for length_s in (0.2, 1.0, 3.7):
            sound = voice(length_s, np.random.default_rng(1))
            assert sound.dtype == np.float32, kind
            assert len(sound) == round(length_s * RATE_HZ), kind
            assert np.isfinite(sound).all(), kind


def test_another_seed_is_another_room() -> None:
    a, b = (Sounds((), seed).render(0, RATE_HZ) for seed in (1, 2))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.5
