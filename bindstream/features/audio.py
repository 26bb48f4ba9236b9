"""Sound to mel frames: 2 s of 16 kHz mono to the (1, 128, 204) picture the audio tower reads."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import DataError, MissingPackageError

RATE_HZ = 16000
WINDOW_SAMPLES = 2 * RATE_HZ
LEAST_SAMPLES = 400  # one 25 ms frame
BINS, FRAMES = 128, 204  # 2 s give 198 frames; the tower's patches want 204
MEAN, STD = -4.268, 9.138  # of AudioSet's mel frames, as ImageBind was trained
LOUDEST = 4.0  # full scale is 1; resamplers overshoot a little, forgotten int16 scaling a lot
# Below the former the longest files would fill the memory, and nothing is in them that a tower
# hears; the latter is beyond every recorder, ultrasound's (500 kHz) too.
LEAST_RATE_HZ, MOST_RATE_HZ = 1000, 1_000_000
# The filter ImageBind's files are resampled with, torchaudio's default: a sinc of 6 zero crossings
# a side under a Hann window, cut off at 0.99 of the lower half rate.
ZERO_CROSSINGS, ROLLOFF = 6, 0.99
TAPS = 1 << 18  # computed at a time: 2 MB each of what a tap takes


def filterbank(wave: NDArray[np.floating]) -> NDArray[np.float32]:
    """Kaldi log-mel filterbank of one window: (1, 128, 204) float32, normalised.

    Mean removed; 25 ms Hann frames every 10 ms, 128 bins, no dither, no energy; padded with 0 to
    204 frames and only then normalised (the order of ImageBind's published code). Takes about 3 ms.

    Args:
        wave: (n,) float in [-1, 1], 16 kHz mono, n >= 400. Samples after the first 2 s are cut;
            a shorter wave is padded.

    Raises:
        DataError: wrong shape, dtype or scale, NaN, or under 25 ms.
        MissingPackageError: kaldi-native-fbank is not installed.
    """
    wave = _checked(np.asarray(wave))[:WINDOW_SAMPLES]
    try:
        import kaldi_native_fbank as knf
    except ImportError as error:
        raise MissingPackageError(
            "Mel frames need kaldi-native-fbank, which is not installed.",
            fix="Run: pip install 'bindstream[model]'.",
        ) from error

    options = knf.FbankOptions()
    options.frame_opts.samp_freq = RATE_HZ
    options.frame_opts.window_type = "hanning"
    options.frame_opts.dither = 0
    options.mel_opts.num_bins = BINS
    options.htk_compat = True
    options.use_energy = False
    bank = knf.OnlineFbank(options)
    bank.accept_waveform(RATE_HZ, wave - wave.mean())
    bank.input_finished()

    mel = np.zeros((BINS, FRAMES), np.float32)
    for index in range(bank.num_frames_ready):
        mel[:, index] = bank.get_frame(index)
    return ((mel - np.float32(MEAN)) / np.float32(STD))[None]


def resampled(
    wave: NDArray[np.float32], rate_hz: int, start: int, stop: int
) -> NDArray[np.float32]:
    """Samples [start, stop) at 16 kHz of a wave of another rate, (stop - start,) float32.

    Filtered as the published code filters its files. It lets the topmost of the 128 bins through
    otherwise than a sharper filter does, which the tower hears (a cosine of 0.98 on noise).

    Args:
        wave: (n,) float at `rate_hz`; silence is taken to lie around it.
        start, stop: places at 16 kHz; the whole wave is [0, ceil(n * 16000 / rate_hz)).

    Raises:
        DataError: as `check_rate`.
    """
    check_rate(rate_hz)
    if rate_hz == RATE_HZ:
        return wave[start:stop].astype(np.float32)
    cut_hz = ROLLOFF * min(rate_hz, RATE_HZ)
    reach = math.ceil(ZERO_CROSSINGS * rate_hz / cut_hz)  # input samples to each side
    offsets = np.arange(-reach, reach + 2)
    piece = np.empty(stop - start, np.float32)
    some = max(1, TAPS // len(offsets))
    for first in range(start, stop, some):
        places = np.arange(first, min(first + some, stop), dtype=np.int64)[:, None]
        taps = places * rate_hz // RATE_HZ + offsets
        # In whole numbers: far into a long file, seconds as floats are no longer exact enough.
        away_s = (taps * RATE_HZ - places * rate_hz) / (rate_hz * RATE_HZ)
        crossings = np.clip(cut_hz * away_s, -ZERO_CROSSINGS, ZERO_CROSSINGS)
        weights = np.sinc(crossings) * np.cos(crossings * (np.pi / 2 / ZERO_CROSSINGS)) ** 2
        weights *= (taps >= 0) & (taps < len(wave))
        heard = (wave.take(taps, mode="clip") * weights).sum(axis=1) * (cut_hz / rate_hz)
        piece[first - start : first - start + len(heard)] = heard
    return piece


def check_rate(rate_hz: int) -> None:
    """Refuse what is no rate of sound: files state whatever they like, and filters grow with it.

    Raises:
        DataError: it is not from LEAST_RATE_HZ to MOST_RATE_HZ.
    """
    if not LEAST_RATE_HZ <= rate_hz <= MOST_RATE_HZ:
        raise DataError(
            f"Sound of {rate_hz} Hz is not taken, {LEAST_RATE_HZ} to {MOST_RATE_HZ} Hz is.",
            fix="Convert it to 16000 Hz, if that is the rate at which it was recorded.",
        )


def _checked(wave: NDArray[np.floating]) -> NDArray[np.float32]:
    if wave.ndim != 1:
        raise DataError(
            f"Sound has shape {wave.shape}, one channel (n,) is needed.",
            fix="Average the channels first.",
        )
    if wave.dtype.kind != "f":
        raise DataError(
            f"Sound is {wave.dtype}, float32 in [-1, 1] is needed.",
            fix="Divide int16 samples by 32768.",
        )
    if len(wave) < LEAST_SAMPLES:
        raise DataError(
            f"Sound of {len(wave)} samples is too short, {LEAST_SAMPLES} (25 ms) are needed."
        )
    peak = float(np.abs(wave).max())
    if not np.isfinite(peak):
        raise DataError("Sound holds NaN or infinity.")
    if peak > LOUDEST:
        raise DataError(
            f"Sound reaches {peak:g}, full scale is 1.", fix="Divide int16 samples by 32768."
        )
    return wave.astype(np.float32)
