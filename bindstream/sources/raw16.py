"""Pictures whose 16-bit values are a measurement: where they come from; kept exact, or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, field_validator, model_validator

from bindstream.errors import DataError
from bindstream.records import ModalityName
from bindstream.sources import SourceContext
from bindstream.sources.camera import require_one, with_lateness
from bindstream.sources.frames import Feed
from bindstream.sources.options import PlaybackOptions
from bindstream.sources.pictures import FOLDER_FPS, PictureFolder, decode_as_is
from bindstream.sources.v4l2 import Format
from bindstream.sources.video import VideoFile, VideoStream

TCP_LATENESS_S = 0.5
PICTURES_16 = (".png", ".tif", ".tiff", ".pgm")
EXACT_FORMATS = ("gray16le", "gray16be", "yuyv422")
"""FFmpeg's pixel formats that keep what a 16-bit sensor wrote."""


class Raw16Options(PlaybackOptions):
    """Exactly one of `origins` says where frames of 16-bit counts come from."""

    # An address may hold a password: it is shown neither in errors nor in a repr.
    model_config = ConfigDict(hide_input_in_errors=True)
    modality: ClassVar[ModalityName]
    origins: ClassVar[tuple[str, ...]] = ("url", "file", "folder")

    url: str | None = Field(
        default=None, repr=False, description="tcp://host:port of a NUT stream of gray16 frames"
    )
    file: Path | None = Field(
        default=None, description="16-bit video: FFV1 or raw gray16 in mkv or nut"
    )
    folder: Path | None = Field(
        default=None, description="16-bit PNG or TIFF pictures, played in natural order at `fps`"
    )
    fps: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="frames a second: what is taken of a url; a folder's pace (10 if left out)",
    )

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).scheme != "tcp" or not urlsplit(url).hostname):
            raise ValueError(f"a {cls.modality} camera's url reads tcp://host:port")
        return url

    @model_validator(mode="after")
    def _one_origin(self) -> Raw16Options:
        require_one(self, self.origins)
        return self

    @model_validator(mode="before")
    @classmethod
    def _network_lateness(cls, values: Any) -> Any:
        return with_lateness(values, {"tcp": TCP_LATENESS_S})


def raw16_feed(options: Raw16Options, context: SourceContext) -> Feed:
    """Frames of the url, file or folder that is given, with the values as the sensor wrote them."""
    if options.file is not None:
        return VideoFile(context, options.file, options, frame_values)
    if options.folder is not None:
        fps = options.fps or FOLDER_FPS
        return PictureFolder(context, options.folder, fps, options, decode_as_is, PICTURES_16)
    assert options.url is not None
    return VideoStream(context, options.url, frame_values, fps=options.fps)


def frame_values(frame: Any) -> NDArray[Any]:
    """The values of an av.VideoFrame: (H, W) uint16, or (H, W, 2) uint8 for YUYV.

    A frame of another format comes as it would look, in 8 bits, for the caller to refuse.
    """
    if frame.format.name in EXACT_FORMATS:
        return np.asarray(frame.to_ndarray())
    return np.asarray(frame.to_ndarray(format="gray"))


def device_values(array: NDArray[Any], device: Format) -> NDArray[Any]:
    """What OpenCV captured without conversion, in its true shape.

    (H, W) uint16 of a Y16 device, (H, W, 2) uint8 of a YUYV one; OpenCV may hand either over
    flattened to bytes. Anything else comes as it is, for the caller to refuse.
    """
    if array.nbytes != 2 * device.width * device.height:
        return array
    pairs = np.ascontiguousarray(array).view(np.uint8).reshape(device.height, device.width, 2)
    return words(pairs) if device.fourcc == "Y16 " or array.dtype == np.uint16 else pairs


def is_yuyv(values: NDArray[Any]) -> bool:
    """Whether `values` are two bytes a pixel, (H, W, 2) uint8."""
    return values.dtype == np.uint8 and values.ndim == 3 and values.shape[2] == 2


def words(values: NDArray[Any]) -> NDArray[Any]:
    """(H, W) uint16 of (H, W, 2) uint8 little-endian bytes; anything else as it is."""
    if not is_yuyv(values):
        return values
    # A view, not arithmetic: uint8 * 256 overflows.
    return np.ascontiguousarray(values).view("<u2")[..., 0]


def require_16_bit(values: NDArray[Any], where: str, fix: str) -> NDArray[np.uint16]:
    """`values` as (H, W) uint16.

    Raises:
        DataError: they are 8-bit or in colour: the measurement is gone from them.
    """
    if values.ndim != 2 or values.dtype != np.uint16:
        raise DataError(
            f"frames come as {values.dtype} of shape {values.shape}, not as one 16-bit value a "
            "pixel: the measurement is flattened.",
            where=where,
            fix=fix,
        )
    return values
