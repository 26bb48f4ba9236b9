"""Views of a whole recording: the clips and crops the published ImageBind averages a file over.

`whole.model_inputs` cuts a recording so that every moment of it is in a window; here only the
moments are taken that ImageBind's published code (imagebind/data.py) looks at, and as it does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import DataError
from bindstream.features.audio import RATE_HZ, WINDOW_SAMPLES, filterbank, resampled
from bindstream.features.vision import clip_crops
from bindstream.features.whole import model_inputs, read_channels
from bindstream.records import ModalityName

SOUND_CLIPS, VIDEO_CLIPS = 3, 5  # a file (imagebind/data.py)
CLIP_S = 2


def views(modality: ModalityName, data: Any) -> NDArray[np.float32]:
    """Model inputs (n, *model_input) float32 whose vectors' mean stands for the whole of `data`.

    Args:
        data: by modality:
            audio: the path of a sound file, or a wave at 16 kHz, (n,) or (n, channels) float32:
                3 clips of 2 s of the first channel, the first at the beginning, the last at the
                end. A shorter sound is 3 times the same clip, padded.
            vision: what `model_inputs` takes as a still: 1 view. Clips, (clips, 2, H, W, 3) uint8
                RGB: 3 crops of each (see `clip_crops`). `video_frames` says which to take.
            thermal, depth, imu: as `model_inputs`; no published code reads their files, so the
                mean is over its windows.

    Raises:
        DataError: data that cannot be used, among them sounds of less than 25 ms.
        MissingPackageError: a library that reads sound files is not installed.
    """
    if modality == "audio":
        if isinstance(data, str | Path):
            return sound_views(*read_channels(data))
        return sound_views(np.asarray(data), RATE_HZ)
    if modality == "vision" and not isinstance(data, str | Path) and np.ndim(data) == 5:
        return np.concatenate([clip_crops(frames) for frames in data])
    return model_inputs(modality, data)


def clip_starts(length: int, window: int, clips: int) -> list[int]:
    """Where `clips` windows begin in `length`: evenly from 0 to flush right, all at 0 if it is
    shorter than one.

    In whole samples; the published code counts in floating-point seconds and may land one earlier.
    """
    return [index * max(length - window, 0) // (clips - 1) for index in range(clips)]


def video_frames(frames: int, rate_hz: float) -> list[tuple[int, int]]:
    """For each clip of a video of so many frames, which one is its first and which its last.

    Raises:
        DataError: there are none.
    """
    if frames < 1:
        raise DataError("The video holds no frame.")
    spare_s = max(frames / rate_hz - CLIP_S, 0)
    clips = []
    for index in range(VIDEO_CLIPS):
        start_s = spare_s * index / (VIDEO_CLIPS - 1)
        # Frames [ceil, ceil), as pytorchvideo takes them; a float's last bit must not add one.
        first, end = (_ceil(at_s * rate_hz) for at_s in (start_s, start_s + CLIP_S))
        last = min(max(end, 1), frames) - 1
        clips.append((min(first, last), last))
    return clips


def _ceil(value: float) -> int:
    return int(np.ceil(value - 1e-6))


def sound_views(wave: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """The views of a sound at its own rate, (3, 1, 128, 204) float32: see `views`.

    Args:
        wave: (n,) or (n, channels) float32 in [-1, 1].

    Raises:
        DataError: as `views`, or a rate that is none.
    """
    # Of several channels the published code, through Kaldi's filterbank, hears the first.
    if wave.ndim == 2:
        wave = wave[:, 0]
    if wave.ndim != 1:
        raise DataError(f"Sound has shape {wave.shape}, (n,) or (n, channels) is needed.")
    length = -(-len(wave) * RATE_HZ // rate_hz)
    rows = {}
    starts = clip_starts(length, WINDOW_SAMPLES, SOUND_CLIPS)
    for start in set(starts):
        stop = min(start + WINDOW_SAMPLES, length)
        rows[start] = filterbank(resampled(wave, rate_hz, start, stop))
    return np.stack([rows[start] for start in starts])
