"""Model inputs of a whole recording or picture, outside the live path: queries, tests, training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from bindstream.errors import DataError, MissingPackageError
from bindstream.features.audio import (
    LEAST_SAMPLES,
    RATE_HZ,
    WINDOW_SAMPLES,
    check_rate,
    filterbank,
)
from bindstream.features.depth import depth_image
from bindstream.features.imu import resample
from bindstream.features.sound_track import CONTAINERS, sound_track
from bindstream.features.thermal import GainControl, thermal_image
from bindstream.features.vision import clip, still_clip
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName

IMU_WINDOW_NS = round(MODALITIES["imu"].window_s * 1e9)


def model_inputs(modality: ModalityName, data: Any) -> NDArray[np.float32]:
    """Model inputs (n, *model_input) float32 of raw data, one row a window.

    Args:
        data: by modality:
            audio: (n,) float32 at 16 kHz or the path of a sound file; cut into 2 s windows that
                together hold every sample (the last one overlaps its neighbour).
            vision: (H, W, 3) uint8 RGB or the path of a picture: a still; (2, H, W, 3): a clip.
            thermal: (H, W) float32 °C, grey by gain control on this frame alone.
            depth: (H, W) float32 metres.
            imu: (times_ns (n,) int64, readings (n, 6) float32); cut into 5 s windows as audio is.

    Raises:
        DataError: data that cannot be used.
        MissingPackageError: a library that reads sound files is not installed.
    """
    match modality:
        case "audio":
            wave = read_sound(data) if isinstance(data, str | Path) else np.atleast_1d(data)
            starts = _starts(len(wave), WINDOW_SAMPLES, LEAST_SAMPLES)
            return np.stack([filterbank(wave[s : s + WINDOW_SAMPLES]) for s in starts])
        case "vision":
            image = read_picture(data) if isinstance(data, str | Path) else np.asarray(data)
            return (clip(image) if image.ndim == 4 else still_clip(image))[None]
        case "thermal":
            return thermal_image(GainControl().push(np.asarray(data), 0))[None]
        case "depth":
            return depth_image(np.asarray(data))[None]
        case "imu":
            if not isinstance(data, tuple | list) or len(data) != 2:
                raise DataError(
                    f"IMU data are {type(data).__name__}, (times_ns, readings) are needed.",
                    fix="Give the times of the readings too, as int64 nanoseconds.",
                )
            return _imu_inputs(*(np.asarray(part) for part in data))
        case _:
            raise DataError(f"{modality} has no model input made of sensor data.")


def read_sound(path: str | Path) -> NDArray[np.float32]:
    """A sound file as (n,) float32 mono at 16 kHz: the mean of its channels, resampled.

    Raises:
        DataError: the file cannot be read, or states a rate that is none.
        MissingPackageError: soundfile or soxr is not installed.
    """
    channels, rate_hz = read_channels(path)
    try:
        import soxr
    except ImportError as error:
        raise _missing(error) from error
    mono: NDArray[np.float32] = soxr.resample(channels.mean(axis=1), rate_hz, RATE_HZ)
    return mono.astype(np.float32, copy=False)


def read_channels(path: str | Path) -> tuple[NDArray[np.float32], int]:
    """A sound file, or a video's sound track, as it is: (n, channels) float32 and its rate in Hz.

    Raises:
        DataError: the file cannot be read, or states a rate that is none (see `check_rate`).
        MissingPackageError: soundfile, or PyAV for videos, is not installed.
    """
    in_container = Path(path).suffix.lower() in CONTAINERS
    wave, rate_hz = sound_track(Path(path)) if in_container else _decoded(path)
    try:
        check_rate(rate_hz)
    except DataError as error:
        raise DataError(error.what, where=str(path), fix=error.fix) from error
    return wave, rate_hz


def _decoded(path: str | Path) -> tuple[NDArray[np.float32], int]:
    try:
        import soundfile
    except ImportError as error:
        raise _missing(error) from error
    try:
        wave, rate_hz = soundfile.read(str(path), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise DataError(
            f"The sound file cannot be read ({error}).",
            where=str(path),
            fix="Give a WAV, FLAC, Ogg or MP3 file.",
        ) from error
    return wave, int(rate_hz)


def _missing(error: ImportError) -> MissingPackageError:
    return MissingPackageError(
        f"Sound files need {error.name}, which is not installed.",
        fix="Run: pip install 'bindstream[microphone]'.",
    )


def read_picture(path: str | Path) -> NDArray[np.uint8]:
    """A picture file as (H, W, 3) uint8 RGB.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(
            f"The picture cannot be read ({error}).", where=str(path), fix="Give a JPEG or PNG."
        ) from error


def _imu_inputs(times_ns: NDArray[np.int64], readings: NDArray[np.float32]) -> NDArray[np.float32]:
    if times_ns.ndim != 1 or len(times_ns) < 2:
        raise DataError(f"IMU times have shape {times_ns.shape}, (n,) with n >= 2 is needed.")
    # The last reading stands for the interval up to the one that would have followed.
    interval_ns = int(np.median(np.diff(times_ns)))
    length_ns = int(times_ns[-1] - times_ns[0]) + interval_ns
    begin_ns = int(times_ns[0])
    windows = []
    for start in _starts(length_ns, IMU_WINDOW_NS, interval_ns + 1):
        start_ns, end_ns = begin_ns + start, begin_ns + start + IMU_WINDOW_NS
        near = (times_ns >= start_ns - interval_ns) & (times_ns <= end_ns + interval_ns)
        windows.append(resample(times_ns[near], readings[near], start_ns, end_ns))
    return np.stack(windows)


def _starts(length: int, window: int, least: int) -> list[int]:
    """Where windows begin so that they cover `length`: side by side, the last one flush right.

    A tail shorter than `least` is left out.
    """
    starts = list(range(0, max(length - window, 0) + 1, window))
    tail = length - (starts[-1] + window)
    return [*starts, length - window] if tail >= least else starts
