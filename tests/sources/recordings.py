"""Writes real recordings for tests: exact 16-bit video, H.264 video, picture folders."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray


def write_video(
    path: Path | Any,
    frames: Sequence[NDArray[Any]],
    *,
    codec: str,
    frame_format: str,
    pixel_format: str,
    times_ms: Sequence[int] | None = None,
    container: str | None = None,
    fps: int = 10,
) -> None:
    """`frames` as video; `times_ms` are their time stamps (every 1/fps s if None)."""
    height, width = frames[0].shape[:2]
    with av.open(str(path) if isinstance(path, Path) else path, "w", format=container) as output:
        stream = output.add_stream(codec, rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, array in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(array, format=frame_format)
            frame.pts = round(number * 1000 / fps) if times_ms is None else times_ms[number]
            frame.time_base = Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())


def write_gray16(path: Path, frames: Sequence[NDArray[np.uint16]], codec: str = "ffv1") -> None:
    formats = {"frame_format": "gray16le", "pixel_format": "gray16le"}
    write_video(path, frames, codec=codec, **formats)


def write_h264(path: Path, frames: Sequence[NDArray[np.uint8]], **options: Any) -> None:
    write_video(
        path, frames, codec="libx264", frame_format="rgb24", pixel_format="yuv420p", **options
    )


def write_pictures(folder: Path, pictures: dict[str, NDArray[Any]]) -> None:
    """`pictures` by file name; colour ones are RGB."""
    folder.mkdir(exist_ok=True)
    for name, picture in pictures.items():
        array = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        assert cv2.imwrite(str(folder / name), array)
