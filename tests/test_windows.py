"""Windows: what is cut, from what, and that neither chunking nor reordering changes it."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bindstream.errors import ConfigError
from bindstream.records import Sample, Window
from bindstream.windows import Windower

S = 1_000_000_000
T0 = 1_700_000_000 * S


def sound(start_s: float, data: np.ndarray, gap: str = "") -> Sample:
    start = T0 + round(start_s * S)
    end = start + round(len(data) * S / 16000)
    return Sample("mic", "audio", data.astype(np.float32), start, end, end, gap=gap)


def rows(times_s: np.ndarray, data: np.ndarray, gap: str = "") -> Sample:
    times = T0 + np.round(times_s * S).astype(np.int64)
    first, last = int(times[0]), int(times[-1])
    return Sample("wrist", "imu", data, first, last, last, times_ns=times, gap=gap)


def frame(t_s: float, value: int, gap: str = "") -> Sample:
    t = T0 + round(t_s * S)
    return Sample("door", "vision", np.full((4, 6, 3), value, np.uint8), t, t, t, gap=gap)


def same(a: list[Window], b: list[Window]) -> None:
    assert [(w.seq, w.start_ns, w.coverage, w.gaps, w.void) for w in a] == [
        (w.seq, w.start_ns, w.coverage, w.gaps, w.void) for w in b
    ]
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x.data, y.data)


def run(windower: Windower, samples: list[Sample]) -> list[Window]:
    out: list[Window] = []
    for s in samples:
        out += windower.push(s)
    return out + windower.flush()


WAVE = np.random.default_rng(1).standard_normal(16000 * 7).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 16000 * 7 - 1), max_size=30))
def test_sound_windows_do_not_depend_on_how_the_sound_was_chunked(cuts: list[int]) -> None:
    whole = run(Windower("mic", "audio"), [sound(0.25, WAVE)])
    edges = [0, *sorted(set(cuts)), len(WAVE)]
    parts = [sound(0.25 + a / 16000, WAVE[a:b]) for a, b in itertools.pairwise(edges)]
    same(run(Windower("mic", "audio"), parts), whole)
    assert len(whole) == 5
    np.testing.assert_array_equal(whole[0].data, WAVE[12000 : 12000 + 32000])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 899), max_size=30), st.integers(0, 100))
def test_imu_windows_do_not_depend_on_how_the_readings_were_chunked(
    cuts: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    times = np.cumsum(rng.uniform(0.005, 0.015, 900))
    data = rng.standard_normal((900, 6)).astype(np.float32)
    whole = run(Windower("wrist", "imu"), [rows(times, data)])
    edges = [0, *sorted(set(cuts)), 900]
    parts = [rows(times[a:b], data[a:b]) for a, b in itertools.pairwise(edges)]
    same(run(Windower("wrist", "imu"), parts), whole)
    assert all(w.coverage == 1 for w in whole)


def test_windows_lie_on_the_grid_of_the_hop_and_close_after_the_lateness() -> None:
    windower = Windower("mic", "audio")
    early = windower.push(sound(0.3, WAVE[:48000]))  # up to 3.3 s
    assert [(w.start_ns - T0) / S for w in early] == [1.0]
    assert windower.push(sound(3.3, WAVE[:11200])) == []  # up to 4.0 s: 100 ms too early
    late = windower.push(sound(4.0, WAVE[:1600]))
    assert [(w.start_ns - T0) / S for w in late] == [2.0]


def test_reordered_and_repeated_chunks_change_nothing_and_are_counted() -> None:
    straight = [sound(i / 20, WAVE[i * 800 : (i + 1) * 800]) for i in range(100)]
    shuffled = list(straight)
    shuffled[41], shuffled[42] = shuffled[42], shuffled[41]
    shuffled.insert(60, shuffled[59])
    windower = Windower("mic", "audio")
    same(run(windower, shuffled), run(Windower("mic", "audio"), straight))
    assert windower.counts["duplicate"] == 800


def test_a_hole_in_the_sound_is_zero_marked_and_voids_the_window() -> None:
    windows = run(
        Windower("mic", "audio"),
        [sound(0, WAVE[:40000]), sound(3.0, WAVE[48000:], gap="overflow")],
    )
    holed = windows[1]
    assert holed.gaps == ((T0 + 2_500_000_000, T0 + 3 * S),)
    assert holed.coverage == pytest.approx(0.75)
    assert "75%" in holed.void
    assert not holed.data[24000:32000].any()
    assert windows[0].void == ""
    assert windows[3].void == ""


def test_a_reported_loss_is_marked_even_where_the_times_leave_no_hole() -> None:
    windows = run(
        Windower("mic", "audio"), [sound(0, WAVE[:16000]), sound(1.0, WAVE[:32000], gap="reopened")]
    )
    assert windows[0].gaps == ((T0 + S, T0 + S),)


def test_small_errors_of_reported_times_do_not_tear_the_sound() -> None:
    rng = np.random.default_rng(0)
    parts = [
        sound(i / 10 + (rng.uniform(-0.004, 0.004) if i else 0), WAVE[i * 1600 : (i + 1) * 1600])
        for i in range(60)
    ]
    for w in run(Windower("mic", "audio"), parts):
        assert w.coverage == 1
        start = (w.start_ns - T0) * 16000 // S
        np.testing.assert_array_equal(w.data, WAVE[start : start + 32000])


def test_nothing_heard_gives_no_window_and_is_added_up() -> None:
    windower = Windower("mic", "audio")
    first = run(windower, [sound(0, WAVE[:48000])])
    again = run(windower, [sound(60, WAVE[:48000], gap="unplugged")])
    assert [w.seq for w in first + again] == list(range(len(first + again)))
    assert (again[-1].start_ns - T0) / S == 61
    assert 54 * S <= windower.unheard_ns <= 58 * S


def test_an_idle_stream_closes_its_windows_by_the_clock() -> None:
    windower = Windower("mic", "audio")
    assert windower.due(T0) == []
    assert len(windower.push(sound(0, WAVE[:33000]))) == 0
    assert windower.due(T0 + 2 * S) == []
    assert [w.seq for w in windower.due(T0 + 2 * S + 100_000_000)] == [0]


def test_late_readings_are_counted() -> None:
    windower = Windower("wrist", "imu")
    t = np.arange(0, 8, 0.01)
    windower.push(rows(t, np.zeros((len(t), 6), np.float32)))
    windower.push(rows(t[:5] + 3.001, np.zeros((5, 6), np.float32)))
    assert windower.counts["late"] == 5


def test_a_clock_that_jumps_back_starts_afresh_and_loses_nothing_captured() -> None:
    windower = Windower("mic", "audio")
    before = windower.push(sound(100, WAVE[:48000]))
    after = run(windower, [sound(20, WAVE[:48000])])
    assert windower.counts["jump"] == 1
    starts = [(w.start_ns - T0) / S for w in before + after]
    assert starts == [100, 101, 20, 21]
    assert [w.seq for w in before + after] == [0, 1, 2, 3]


def test_a_clock_that_jumps_a_year_ahead_and_back_does_not_hang_or_go_deaf() -> None:
    windower = Windower("mic", "audio")
    out = windower.push(sound(0, WAVE[:48000]))
    out += windower.push(sound(365 * 86400.0, WAVE[:1600]))
    out += run(windower, [sound(4, WAVE[:48000])])
    assert (out[-1].start_ns - T0) / S == 5


def test_imu_rows_reach_past_the_edges_so_that_values_there_can_be_interpolated() -> None:
    t = np.arange(0, 12, 0.0099)
    windows = run(Windower("wrist", "imu"), [rows(t, np.ones((len(t), 6), np.float32))])
    w = windows[1]
    assert w.times_ns is not None
    assert w.times_ns[0] < w.start_ns < w.times_ns[1]
    assert w.times_ns[-2] < w.end_ns <= w.times_ns[-1]


def test_imu_gaps_and_nan_rows_are_stated() -> None:
    t = np.arange(0, 6, 0.01)
    data = np.ones((len(t), 6), np.float32)
    data[50] = np.nan
    keep = (t < 1) | (t > 2.5)
    windower = Windower("wrist", "imu")
    w = run(windower, [rows(t[keep], data[keep])])[0]
    assert windower.counts["invalid"] == 1
    assert w.coverage == pytest.approx(0.696, abs=0.01)
    assert w.void
    assert len(w.gaps) == 1


def test_a_clip_is_the_first_and_the_last_frame_and_few_frames_are_held() -> None:
    windower = Windower("door", "vision")
    out: list[Window] = []
    for i in range(200):
        out += windower.push(frame(i / 20, i % 250))
    assert out[0].data[:, 0, 0, 0].tolist() == [0, 39]
    assert out[1].data[:, 0, 0, 0].tolist() == [20, 59]
    assert all(w.coverage == 1 for w in out)
    held = windower._buffer._frames  # type: ignore[attr-defined]
    assert len(held) <= 6


def test_a_frozen_camera_shows_as_a_gap() -> None:
    windower = Windower("door", "vision")
    times = [i / 10 for i in range(25)] + [4.9 + i / 10 for i in range(40)]
    windows = run(windower, [frame(t, 7) for t in times])
    gone = next(w for w in windows if w.start_ns == T0 + 3 * S)
    assert gone.void
    assert gone.gaps == ((T0 + 3 * S, T0 + 4_900_000_000),)


def test_windows_of_another_host_say_how_far_its_clock_is_off_the_runs() -> None:
    samples = [dataclasses.replace(frame(i / 10, 7), offset_ns=-3 * S) for i in range(60)]
    windows = run(Windower("door", "vision"), samples)
    assert {w.offset_ns for w in windows} == {-3 * S}
    # Stages are compared across hosts, and so always on the run's clock.
    assert all(w.end_ns - 3 * S - S <= w.stages["received"] <= w.end_ns for w in windows)


def test_a_hop_that_makes_no_sense_is_refused_naming_the_stream() -> None:
    with pytest.raises(ConfigError, match=r"stream 'mic'.*hop"):
        Windower("mic", "audio", hop_s=-1)
