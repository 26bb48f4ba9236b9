from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bindstream.errors import DataError
from bindstream.features.audio import filterbank, resampled
from bindstream.features.views import clip_starts, video_frames, views
from bindstream.features.vision import clip_crops, still_clip
from bindstream.features.whole import model_inputs

RNG = np.random.default_rng(5)
WAVE = RNG.normal(0, 0.1, 16000 * 7).astype(np.float32)


def test_a_sound_is_heard_at_its_beginning_its_middle_and_its_end():
    heard = views("audio", WAVE)
    assert heard.shape == (3, 1, 128, 204)
    for view, start in zip(heard, (0, 40000, 80000), strict=True):
        np.testing.assert_array_equal(view, filterbank(WAVE[start : start + 32000]))


@given(st.integers(0, 10**7), st.integers(1, 10**5), st.integers(2, 9))
def test_clips_lie_evenly_from_the_beginning_to_the_end(length, window, clips):
    starts = clip_starts(length, window, clips)
    assert len(starts) == clips
    assert starts[0] == 0
    assert starts[-1] == max(length - window, 0)
    steps = np.diff(starts)
    assert steps.max() - steps.min() <= 1


@pytest.mark.parametrize("samples", [400, 12345, 32000])
def test_a_sound_of_two_seconds_or_less_is_three_times_the_same_clip(samples):
    heard = views("audio", WAVE[:samples])
    assert heard.shape == (3, 1, 128, 204)
    for view in heard:
        np.testing.assert_array_equal(view, filterbank(WAVE[:samples]))


def test_a_sound_shorter_than_a_mel_frame_is_refused():
    with pytest.raises(DataError, match="399 samples is too short"):
        views("audio", WAVE[:399])


@pytest.mark.parametrize("rate_hz", [16000, 44100])
def test_of_a_stereo_file_the_first_channel_is_heard_whatever_the_other_holds(tmp_path, rate_hz):
    soundfile = pytest.importorskip("soundfile")
    left = RNG.normal(0, 0.1, rate_hz * 3).astype(np.float32)
    right = RNG.normal(0.2, 0.1, rate_hz * 3).astype(np.float32)
    soundfile.write(tmp_path / "mono.wav", left, rate_hz, subtype="FLOAT")
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], 1), rate_hz, subtype="FLOAT")
    heard = views("audio", tmp_path / "stereo.wav")
    np.testing.assert_array_equal(heard, views("audio", tmp_path / "mono.wav"))
    # The published code takes the mean of both channels out first, which nothing hears.
    common = np.float32((left.mean() + right.mean()) / 2)
    wave = resampled(left - common, rate_hz, 16000, 48000)
    np.testing.assert_allclose(heard[2, :, :, 5:-10], filterbank(wave)[:, :, 5:-10], atol=1e-3)


def test_a_file_of_another_rate_is_heard_at_the_same_moments(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    times_s = np.arange(8 * 48000) / 48000
    tones = np.sin(2 * np.pi * (400 + 300 * times_s) * times_s).astype(np.float32) / 2
    soundfile.write(tmp_path / "sweep.wav", tones, 48000, subtype="FLOAT")
    whole = resampled(tones, 48000, 0, 8 * 16000)
    for view, start in zip(views("audio", tmp_path / "sweep.wav"), (0, 48000, 96000), strict=True):
        expected = filterbank(whole[start : start + 32000])
        np.testing.assert_allclose(view, expected, atol=1e-5)


def test_a_still_is_one_view_of_two_equal_frames(tmp_path):
    image = RNG.integers(0, 256, (50, 60, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "p.png")
    for given_as in (image, tmp_path / "p.png"):
        (view,) = views("vision", given_as)
        np.testing.assert_array_equal(view, still_clip(image))
        np.testing.assert_array_equal(view[:, 0], view[:, 1])


def test_clips_are_three_crops_each_in_their_order():
    clips = RNG.integers(0, 256, (2, 2, 40, 70, 3), np.uint8)
    seen = views("vision", clips)
    assert seen.shape == (6, 3, 2, 224, 224)
    np.testing.assert_array_equal(seen[:3], clip_crops(clips[0]))
    np.testing.assert_array_equal(seen[3:], clip_crops(clips[1]))


@pytest.mark.parametrize(
    ("frames", "rate_hz", "taken"),
    [
        # 10 s at 30 frames/s: a clip of 60 frames every 2 s.
        (300, 30, [(0, 59), (60, 119), (120, 179), (180, 239), (240, 299)]),
        # 5 s: clips begin every 0.75 s, at the first frame not before that.
        (150, 30, [(0, 59), (23, 82), (45, 104), (68, 127), (90, 149)]),
        # Under 2 s: five times all there is.
        (10, 10, [(0, 9)] * 5),
        (1, 25, [(0, 0)] * 5),
        # A frame every 2 s: a clip is the one that falls into it.
        (10, 0.5, [(0, 0), (3, 3), (5, 5), (7, 7), (9, 9)]),
    ],
)
def test_clips_of_a_video_are_five_of_two_seconds(frames, rate_hz, taken):
    assert video_frames(frames, rate_hz) == taken


@given(st.integers(1, 10**6), st.floats(0.1, 240))
def test_frames_taken_of_a_video_exist_and_are_at_most_two_seconds_apart(frames, rate_hz):
    found = video_frames(frames, rate_hz)
    assert len(found) == 5
    assert found[0][0] == 0
    assert found[-1][1] == frames - 1
    for first, last in found:
        assert 0 <= first <= last < frames
        assert last - first <= 2 * rate_hz


def test_a_video_without_frames_is_refused():
    with pytest.raises(DataError, match="no frame"):
        video_frames(0, 25)


def test_what_no_published_code_reads_is_cut_into_windows():
    frame = RNG.uniform(1, 30, (48, 64)).astype(np.float32)
    for modality in ("thermal", "depth"):
        np.testing.assert_array_equal(views(modality, frame), model_inputs(modality, frame))
    times = np.arange(1200, dtype=np.int64) * 10**7
    rows = RNG.normal([0, 0, 9.81, 0, 0, 0], 1, (1200, 6)).astype(np.float32)
    np.testing.assert_array_equal(views("imu", (times, rows)), model_inputs("imu", (times, rows)))


def test_sound_of_a_strange_shape_is_refused():
    with pytest.raises(DataError, match=r"\(n, channels\)"):
        views("audio", np.zeros((2, 2, 16000), np.float32))
