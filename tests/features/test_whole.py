from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bindstream.errors import DataError
from bindstream.features.audio import filterbank
from bindstream.features.imu import resample
from bindstream.features.views import views
from bindstream.features.vision import clip, still_clip
from bindstream.features.whole import _starts, model_inputs, read_sound
from bindstream.modalities import MODALITIES

RNG = np.random.default_rng(0)
WAVE = RNG.normal(0, 0.1, 16000 * 7).astype(np.float32)


@given(st.integers(0, 1000), st.integers(1, 50), st.integers(1, 60))
def test_windows_cover_all_but_a_tail_too_short_to_matter(length, window, least):
    starts = _starts(length, window, least)
    covered = np.zeros(max(length, window), bool)
    for start in starts:
        assert start >= 0
        covered[start : start + window] = True
    assert starts[-1] + window <= max(length, window)
    assert (~covered).sum() < least
    assert starts == sorted(set(starts))


def test_a_long_sound_is_heard_to_its_end():
    inputs = model_inputs("audio", WAVE)
    assert inputs.shape == (4, 1, 128, 204)
    np.testing.assert_array_equal(inputs[1], filterbank(WAVE[32000:64000]))
    np.testing.assert_array_equal(inputs[3], filterbank(WAVE[-32000:]))


def test_a_short_sound_is_one_window():
    assert model_inputs("audio", WAVE[:5000]).shape == (1, 1, 128, 204)


@pytest.mark.parametrize("rate_hz", [8000, 44100])
def test_a_sound_file_is_mixed_and_resampled(tmp_path, rate_hz):
    soundfile = pytest.importorskip("soundfile")
    pytest.importorskip("soxr")
    times = np.arange(3 * rate_hz) / rate_hz
    tone = np.sin(2 * np.pi * 440 * times)
    soundfile.write(tmp_path / "tone.wav", np.stack([tone, np.zeros_like(tone)], 1), rate_hz)
    wave = read_sound(tmp_path / "tone.wav")
    assert wave.shape == (48000,)
    assert np.abs(wave[2000:-2000]).max() == pytest.approx(0.5, abs=0.01)
    assert np.abs(np.fft.rfft(wave)).argmax() / 3 == pytest.approx(440, abs=1)
    assert model_inputs("audio", str(tmp_path / "tone.wav")).shape == (2, 1, 128, 204)


@pytest.mark.parametrize("content", [b"", b"no sound at all" * 100])
def test_a_file_that_is_no_sound_is_named(tmp_path, content):
    pytest.importorskip("soundfile")
    (tmp_path / "broken.wav").write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.wav"):
        model_inputs("audio", tmp_path / "broken.wav")


@pytest.mark.parametrize("rate_hz", [1, 999, 10**8])
def test_a_sound_file_that_states_no_rate_of_sound_is_named(tmp_path, rate_hz):
    soundfile = pytest.importorskip("soundfile")
    soundfile.write(tmp_path / "odd.wav", np.zeros(300_000, np.float32), rate_hz)
    for read in (read_sound, lambda path: views("audio", path)):
        with pytest.raises(DataError, match=f"Sound of {rate_hz} Hz") as raised:
            read(tmp_path / "odd.wav")
        assert raised.value.where == str(tmp_path / "odd.wav")


def test_a_missing_file_is_named(tmp_path):
    for modality in ("audio", "vision"):
        with pytest.raises(DataError, match="missing"):
            model_inputs(modality, tmp_path / "missing")


def test_pictures_come_as_arrays_files_or_clips(tmp_path):
    image = RNG.integers(0, 256, (50, 60, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "p.png")
    expected = still_clip(image)[None]
    np.testing.assert_array_equal(model_inputs("vision", image), expected)
    np.testing.assert_array_equal(model_inputs("vision", tmp_path / "p.png"), expected)
    frames = np.stack([image, image[::-1]])
    np.testing.assert_array_equal(model_inputs("vision", frames), clip(frames)[None])


def test_a_truncated_picture_is_named(tmp_path):
    image = RNG.integers(0, 256, (50, 60, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "p.png")
    whole = (tmp_path / "p.png").read_bytes()
    (tmp_path / "p.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"p\.png"):
        model_inputs("vision", tmp_path / "p.png")


def test_frames_of_heat_and_depth_are_one_input():
    frame = RNG.uniform(1, 30, (48, 64)).astype(np.float32)
    for modality in ("thermal", "depth"):
        assert model_inputs(modality, frame).shape == (1, *MODALITIES[modality].model_input)


def test_imu_is_cut_into_windows_of_five_seconds():
    times = np.arange(1200, dtype=np.int64) * 10**7
    readings = RNG.normal([0, 0, 9.81, 0, 0, 0], 1, (1200, 6)).astype(np.float32)
    inputs = model_inputs("imu", (times, readings))
    assert inputs.shape == (3, 6, 2000)
    np.testing.assert_array_equal(inputs[1], resample(times, readings, 5 * 10**9, 10 * 10**9))
    np.testing.assert_array_equal(inputs[2], resample(times, readings, 7 * 10**9, 12 * 10**9))


def test_too_little_imu_is_refused():
    times = np.arange(300, dtype=np.int64) * 10**7
    with pytest.raises(DataError, match="silent"):
        model_inputs("imu", (times, np.full((300, 6), 9.8, np.float32)))
    with pytest.raises(DataError, match="n >= 2"):
        model_inputs("imu", (times[:1], np.full((1, 6), 9.8, np.float32)))


def test_text_has_no_model_input_here():
    with pytest.raises(DataError, match="text"):
        model_inputs("text", "a dog")
