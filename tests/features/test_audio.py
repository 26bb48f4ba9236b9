from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from bindstream.errors import DataError
from bindstream.features.audio import LEAST_RATE_HZ, MOST_RATE_HZ, TAPS, filterbank, resampled
from tests import parity

NOISE = np.random.default_rng(0).normal(0, 0.1, 32000).astype(np.float32)


@pytest.mark.parametrize("name", ["noise", "chirp", "quiet_offset", "silence"])
def test_mel_frames_equal_the_reference(name):
    wave = parity.seeded().waves()[name]
    expected = parity.figures("golden_preprocess.npz")["mel_" + name]
    np.testing.assert_allclose(filterbank(wave), expected, atol=1e-3)


def test_gives_the_tower_s_shape_for_any_length():
    for samples in (400, 12345, 32000, 99999):
        mel = filterbank(np.resize(NOISE, samples))
        assert mel.shape == (1, 128, 204)
        assert mel.dtype == np.float32
        assert np.isfinite(mel).all()


def test_what_comes_after_two_seconds_is_not_heard():
    longer = np.concatenate([NOISE, np.ones(8000, np.float32)])
    np.testing.assert_array_equal(filterbank(longer), filterbank(NOISE))


def test_a_short_wave_is_padded_with_zeros_before_normalising():
    mel = filterbank(NOISE[:16000])  # 98 frames
    np.testing.assert_allclose(mel[0, :, 98:], 4.268 / 9.138, rtol=1e-6)
    assert mel[0, :, :98].std() > 0.1


def test_a_constant_offset_is_not_heard():
    np.testing.assert_allclose(filterbank(NOISE + np.float32(0.2)), filterbank(NOISE), atol=1e-3)


@pytest.mark.parametrize(
    ("wave", "says"),
    [
        (np.zeros(399, np.float32), "too short"),
        (np.zeros(0, np.float32), "too short"),
        (np.zeros(32000, np.int16), "int16"),
        (np.zeros((32000, 2), np.float32), "one channel"),
        (np.full(32000, np.nan, np.float32), "NaN"),
        (np.full(32000, np.inf, np.float32), "NaN or infinity"),
        (np.full(32000, 20000, np.float32), "Divide int16 samples by 32768"),
    ],
)
def test_refuses_what_is_no_sound(wave, says):
    with pytest.raises(DataError, match=says):
        filterbank(wave)


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 48000])
def test_a_resampled_tone_keeps_its_pitch_and_loudness(rate_hz):
    times_s = np.arange(rate_hz) / rate_hz
    tone = (0.5 * np.sin(2 * np.pi * 1000 * times_s)).astype(np.float32)
    heard = resampled(tone, rate_hz, 0, 16000)
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    assert heard.dtype == np.float32
    np.testing.assert_allclose(heard[50:-50], expected[50:-50], atol=2e-3)


def test_frequencies_that_16_khz_cannot_hold_are_filtered_out():
    times_s = np.arange(48000) / 48000
    tone = np.sin(2 * np.pi * 11000 * times_s).astype(np.float32)
    assert np.abs(resampled(tone, 48000, 0, 16000)[50:-50]).max() < 0.01


def test_a_piece_is_resampled_as_it_is_within_the_whole():
    wave = np.random.default_rng(1).normal(0, 0.1, 44100).astype(np.float32)
    whole = resampled(wave, 44100, 0, 16000)
    np.testing.assert_array_equal(resampled(wave, 44100, 5000, 7000), whole[5000:7000])
    assert resampled(wave, 16000, 5, 9) is not wave
    np.testing.assert_array_equal(resampled(wave, 16000, 5, 9), wave[5:9])


def test_the_filter_is_a_sinc_of_six_crossings_under_a_hann_window():
    """An impulse at 48 kHz comes out as every third value of the filter itself."""
    impulse = np.zeros(301, np.float32)
    impulse[150] = 1
    heard = resampled(impulse, 48000, 0, 101)
    crossings = 0.99 * (np.arange(101) - 50)
    filter_ = np.sinc(crossings) * np.cos(np.pi * crossings / 12) ** 2 * 0.99 / 3
    np.testing.assert_allclose(heard, np.where(np.abs(crossings) < 6, filter_, 0), atol=1e-7)


@pytest.mark.parametrize("rate_hz", [-1, 0, 1, LEAST_RATE_HZ - 1, MOST_RATE_HZ + 1, 10**8])
def test_a_rate_that_no_sound_has_is_refused(rate_hz):
    with pytest.raises(DataError, match=rf"Sound of {rate_hz} Hz .*1000 to 1000000 Hz is") as out:
        resampled(NOISE, rate_hz, 0, 16000)
    assert "16000 Hz" in out.value.fix


@pytest.mark.parametrize("rate_hz", [LEAST_RATE_HZ, 384_000, MOST_RATE_HZ])
def test_the_slowest_and_the_fastest_sound_keep_their_pitch(rate_hz):
    times_s = np.arange(rate_hz) / rate_hz
    tone = (0.5 * np.sin(2 * np.pi * 200 * times_s)).astype(np.float32)
    heard = resampled(tone, rate_hz, 7000, 9000)
    expected = 0.5 * np.sin(2 * np.pi * 200 * np.arange(7000, 9000) / 16000)
    np.testing.assert_allclose(heard, expected, atol=0.01)


def test_a_filter_takes_no_more_memory_the_more_samples_are_heard():
    tone = NOISE.repeat(31)
    tracemalloc.start()
    try:
        resampled(tone, MOST_RATE_HZ, 0, 8000)
        assert tracemalloc.get_traced_memory()[1] < 100 * TAPS
    finally:
        tracemalloc.stop()
