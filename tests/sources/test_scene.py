"""The simulated house as a source: aligned, repeatable, and flawed exactly as asked."""

from __future__ import annotations

import threading
import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from bindstream.clocks.host import Clock
from bindstream.errors import ConfigError
from bindstream.modalities import MODALITIES, SENSORS
from bindstream.records import ModalityName, Sample, Window
from bindstream.scene.world import Renderer
from bindstream.sources import EndOfStream, SourceContext
from bindstream.sources.reader import Reader
from bindstream.sources.scene import SceneOptions, SceneSource
from bindstream.windows import Windower

S = 1_000_000_000
START_NS = 1_700_000_000 * S
CLOCK = Clock.read()


def source(modality: ModalityName, start_ns: int = START_NS, **options: Any) -> SceneSource:
    asked = SceneOptions(kind="scene", **{"speed": "max", "length_s": 4, "seed": 3, **options})
    return SceneSource(asked, SourceContext("s", modality, CLOCK, start_ns))


def play(played: SceneSource) -> list[Sample]:
    samples: list[Sample] = []
    played.open()
    try:
        while True:
            samples += played.read()
    except EndOfStream:
        return samples
    finally:
        played.close()


def windows(samples: list[Sample], modality: ModalityName) -> tuple[list[Window], Windower]:
    windower = Windower("s", modality)
    return [w for s in samples for w in windower.push(s)] + windower.flush(), windower


def test_sound_is_that_of_the_scene_without_a_break() -> None:
    played = source("audio", length_s=3.25)
    samples = play(played)
    data = np.concatenate([s.data for s in samples])
    script = SceneOptions(kind="scene", length_s=3.25, seed=3).script()
    np.testing.assert_array_equal(data, Renderer(script).sound(0, 52000))
    assert samples[0].start_ns == START_NS
    assert all(b.start_ns == a.end_ns for a, b in pairwise(samples))
    assert samples[-1].end_ns == START_NS + round(3.25 * S)
    assert all(s.data.dtype == np.float32 and s.data.ndim == 1 for s in samples)


@pytest.mark.parametrize(
    ("modality", "rate_hz", "shape"),
    [("vision", 10, (240, 320, 3)), ("thermal", 9, (120, 160)), ("depth", 10, (120, 160))],
)
def test_frames_come_on_the_beat(
    modality: ModalityName, rate_hz: float, shape: tuple[int, ...]
) -> None:
    samples = play(source(modality))
    assert [s.start_ns for s in samples] == [
        START_NS + round(k / rate_hz * S) for k in range(round(4 * rate_hz))
    ]
    assert all(s.data.shape == shape and s.end_ns == s.start_ns for s in samples)


def test_motion_comes_in_pieces_with_a_time_for_each_reading() -> None:
    samples = play(source("imu"))
    assert len(samples) == 40
    times = np.concatenate([s.times_ns for s in samples if s.times_ns is not None])
    np.testing.assert_array_equal(times, START_NS + np.arange(400) * 10_000_000)
    assert all(s.data.shape == (10, 6) and s.data.dtype == np.float32 for s in samples)
    assert all(s.start_ns == s.times_ns[0] and s.end_ns == s.times_ns[-1] for s in samples)


@pytest.mark.parametrize("modality", SENSORS)
def test_playing_again_gives_the_same_readings(modality: ModalityName) -> None:
    flaws = {"jitter_ms": 20, "gap_every_s": 1.5, "gap_s": 0.3, "duplicates": 0.2}
    once = source(modality, **flaws)
    first, second, other = play(once), play(once), play(source(modality, **flaws))
    for again in (second, other):
        assert [(s.start_ns, s.gap) for s in again] == [(s.start_ns, s.gap) for s in first]
        for a, b in zip(first, again, strict=True):
            np.testing.assert_array_equal(a.data, b.data)


@pytest.mark.parametrize("modality", SENSORS)
def test_the_windower_cuts_whole_windows_from_it(modality: ModalityName) -> None:
    cut, _ = windows(play(source(modality, length_s=9)), modality)
    assert len(cut) >= 9 - MODALITIES[modality].window_s - 0.2
    assert all(w.coverage > 0.99 and not w.void for w in cut)


@pytest.mark.parametrize("modality", ["vision", "imu"])
def test_jitter_moves_readings_off_the_beat_but_keeps_their_order(modality: ModalityName) -> None:
    steady, shaken = play(source(modality)), play(source(modality, jitter_ms=30))
    late = [b.start_ns - a.start_ns for a, b in zip(steady, shaken, strict=True)]
    most = {"vision": 0.03, "imu": 0.0045}[modality]
    assert 0.5 * most < max(abs(x) for x in late) / S <= most
    times = [t for s in shaken for t in (s.times_ns if s.times_ns is not None else [s.start_ns])]
    assert all(b > a for a, b in pairwise(times))


def test_a_gap_is_left_out_and_the_next_sample_says_so() -> None:
    samples = play(source("audio", length_s=5, gap_every_s=2, gap_s=0.5))
    after = [s for s in samples if s.gap]
    assert [(s.start_ns - START_NS) / S for s in after] == [2.0, 4.0]
    assert all("0.5 s" in s.gap for s in after)
    assert sum(len(s.data) for s in samples) == 16000 * 4
    cut, _ = windows(samples, "audio")
    assert {round((w.end_ns - w.start_ns) * (1 - w.coverage) / S, 2) for w in cut} == {0.5}


def test_duplicates_come_at_the_asked_rate_and_the_windower_refuses_them() -> None:
    plain = play(source("audio", length_s=20))
    doubled = play(source("audio", length_s=20, duplicates=0.3))
    assert 0.15 * len(plain) < len(doubled) - len(plain) < 0.45 * len(plain)
    (clean, _), (kept, windower) = windows(plain, "audio"), windows(doubled, "audio")
    assert windower.counts["duplicate"] > 0
    for a, b in zip(clean, kept, strict=True):
        np.testing.assert_array_equal(a.data, b.data)


def test_listed_events_happen_when_they_are_said_to() -> None:
    events = [{"kind": "siren", "at_s": 2, "length_s": 1.5}]
    with_it = np.concatenate([s.data for s in play(source("audio", events=events))])
    without = np.concatenate([s.data for s in play(source("audio", events=[]))])
    different = np.flatnonzero(with_it != without) / 16000
    assert 2 <= different[0] < 2.1
    assert 3.4 < different[-1] < 4


def test_a_loop_starts_again_and_time_goes_on() -> None:
    played = source("vision", length_s=1, loop=True)
    played.open()
    samples = [played.read()[0] for _ in range(25)]
    played.close()
    assert samples[23].start_ns == START_NS + round(2.3 * S)
    np.testing.assert_array_equal(samples[3].data, samples[23].data)


def test_in_real_time_a_sample_comes_when_it_is_due() -> None:
    played = source("thermal", start_ns=CLOCK.now_ns(), speed=1, length_s=0.7)
    samples = play(played)
    waits = [(s.receive_ns - s.start_ns) / S for s in samples]
    assert min(waits) >= 0
    assert (samples[-1].receive_ns - samples[0].receive_ns) / S > 0.4


def test_closing_ends_a_wait() -> None:
    played = source("audio", start_ns=CLOCK.now_ns() + 3600 * S, speed=1)
    played.open()
    waiting = threading.Thread(target=played.read)
    waiting.start()
    time.sleep(0.05)
    assert waiting.is_alive()
    played.close()
    waiting.join(2)
    assert not waiting.is_alive()


def test_a_reader_plays_it_to_its_end() -> None:
    reader = Reader(lambda: source("imu")).start()
    taken: list[Sample] = []
    until = time.monotonic() + 20
    while not reader.ended and time.monotonic() < until:
        taken += reader.take(0.1)
    reader.stop()
    assert len(taken) == 40
    assert reader.health().losses == 0


def test_a_modality_without_a_sensor_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"s: a scene has no sensor of modality 'text'.*vision"):
        source("text")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"events": [{"kind": "unicorn", "at_s": 1}]}, "unknown event kind 'unicorn'"),
        ({"events": [{"kind": "fire", "at_s": 30}]}, "comes after the scene's end"),
        ({"gap_every_s": 1, "gap_s": 2}, "must be shorter"),
        ({"duplicates": 1.5}, "less than or equal to 1"),
        ({"lenght_s": 3}, "Extra inputs"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        SceneOptions(**{"kind": "scene", "length_s": 4, **options})
