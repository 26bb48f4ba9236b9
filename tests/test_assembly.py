"""Buffers of readings: bounded in time and memory, whatever the clocks of cameras do."""

from __future__ import annotations

import time

import numpy as np
import pytest

from bindstream.assembly import FramesBuffer, buffer_for, observed
from bindstream.modalities import MODALITIES, SENSORS
from bindstream.records import Sample
from bindstream.windows import Windower

S = 1_000_000_000
T0 = 1_700_000_000 * S
DAY_S = 86400.0


def frame(t_s: float, value: int = 0) -> Sample:
    t_ns = T0 + round(t_s * S)
    return Sample("door", "vision", np.full((4, 6, 3), value, np.uint8), t_ns, t_ns, t_ns)


@pytest.mark.parametrize("ahead_s", [3600.0, 30 * DAY_S, 3650 * DAY_S])
def test_a_camera_whose_clock_leaps_ahead_holds_nobody_up(ahead_s: float) -> None:
    windower = Windower("door", "vision")
    for i in range(30):
        windower.push(frame(i / 10, i))
    begun = time.monotonic()
    closed = windower.push(frame(ahead_s))
    assert time.monotonic() - begun < 0.5
    last = next(w for w in closed if w.start_ns == T0 + S)
    assert last.data[:, 0, 0, 0].tolist() == [10, 29]
    after = [w for i in range(41) for w in windower.push(frame(ahead_s + i / 10, i))]
    assert after[-1].data[:, 0, 0, 0].tolist()[-1] == 29


@pytest.mark.parametrize("hop_s", [0.5, 1.0, 2.0, 7.0])
def test_every_window_gets_the_frames_it_would_pick_of_all(hop_s: float) -> None:
    rng = np.random.default_rng(round(hop_s * 10))
    times = np.cumsum(rng.choice([0.1, 0.3, 2.5, 11.0], 80, p=[0.6, 0.2, 0.15, 0.05]))
    windower = Windower("door", "vision", hop_s=hop_s)
    frames = {round(t * S): i for i, t in enumerate(times.tolist())}
    closed = [w for t, i in frames.items() for w in windower.push(frame(t / S, i))]
    for window in [*closed, *windower.flush()]:
        start_ns = window.start_ns - T0
        inside = [i for t, i in frames.items() if start_ns <= t < start_ns + 2 * S]
        assert window.data[:, 0, 0, 0].tolist() == [inside[0], inside[-1]]
    assert closed


@pytest.mark.parametrize("modality", SENSORS)
def test_an_empty_buffer_cuts_nothing(modality: str) -> None:
    buffer = buffer_for(MODALITIES[modality], 2 * S, S)  # type: ignore[index]
    assert buffer.cut(T0, T0 + 2 * S) is None
    assert buffer.first_ns(T0) is None
    buffer.forget(T0)


@pytest.mark.parametrize("modality", SENSORS)
def test_a_recording_that_is_over_before_it_began_gives_no_window(modality: str) -> None:
    assert Windower("s", modality).flush() == []  # type: ignore[arg-type]


def test_frames_are_held_only_while_a_window_may_pick_them() -> None:
    buffer = FramesBuffer(2, 1.0, 2 * S, S)
    for i in range(2000):
        buffer.put(frame(i / 100))
        if i % 100 == 0:
            buffer.forget(T0 + round((i / 100 - 2) * S))
        assert len(buffer._frames) <= 8


def test_what_was_observed_is_the_time_between_readings_that_are_close() -> None:
    times = np.array([0, 1, 2, 6, 7, 8, 9], np.int64) * S
    coverage, gaps = observed(times, 0, 10 * S, 2 * S)
    assert gaps == [(2 * S, 6 * S)]
    assert coverage == pytest.approx(0.6)
    assert observed(times[:0], 0, 10 * S, 2 * S) == (0, [(0, 10 * S)])
