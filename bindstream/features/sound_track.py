"""The sound track of a video file, through FFmpeg (PyAV)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import DataError, MissingPackageError

CONTAINERS = (".mp4", ".m4v", ".m4a", ".aac", ".mkv", ".webm", ".mov", ".avi")
"""Files whose sound libsndfile does not read."""


def sound_track(path: Path) -> tuple[NDArray[np.float32], int]:
    """The first sound track, (n, channels) float32 in [-1, 1], and its rate in Hz. Blocks.

    Packets that cannot be decoded are left out.

    Raises:
        DataError: the file cannot be read, or has no sound.
        MissingPackageError: PyAV is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingPackageError(
            f"Sound tracks need PyAV ({error}).", fix="Run: pip install 'bindstream[camera]'."
        ) from None
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise DataError("The file has no sound track.", where=str(path))
            stream = container.streams.audio[0]
            rate_hz = int(stream.rate or 0)
            planar = av.AudioResampler(format="fltp")  # channels and rate stay as they are
            pieces: list[NDArray[Any]] = []
            for packet in container.demux(stream):
                try:
                    frames = packet.decode()
                except av.error.FFmpegError:
                    continue
                pieces += [p.to_ndarray() for frame in frames for p in planar.resample(frame)]
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise DataError(f"The sound track cannot be read ({error}).", where=str(path)) from error
    if not pieces:
        raise DataError("No sound of the file can be decoded.", where=str(path))
    return np.ascontiguousarray(np.concatenate(pieces, axis=1).T, np.float32), rate_hz
