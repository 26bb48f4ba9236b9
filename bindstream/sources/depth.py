"""Depth cameras: 16-bit pictures and video whose counts are a distance."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, field_validator, model_validator

from bindstream.errors import DataError
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName
from bindstream.sources import SourceContext
from bindstream.sources.camera import require_one, with_lateness
from bindstream.sources.frames import Feed, FrameSource
from bindstream.sources.options import PlaybackOptions
from bindstream.sources.pictures import FOLDER_FPS, PictureFolder, decode_as_is
from bindstream.sources.raw16 import PICTURES_16, frame_values, require_16_bit
from bindstream.sources.video import VideoFile, VideoStream

TCP_LATENESS_S = 0.5
ORIGINS = ("url", "file", "folder")


class DepthOptions(PlaybackOptions):
    """Exactly one of url, file and folder says where frames come from."""

    # An address may hold a password: it is shown neither in errors nor in a repr.
    model_config = ConfigDict(hide_input_in_errors=True)
    modality: ClassVar[ModalityName] = "depth"

    kind: Literal["depth"]
    url: str | None = Field(
        default=None, repr=False, description="tcp://host:port of a NUT stream of gray16 frames"
    )
    file: Path | None = Field(
        default=None, description="16-bit video: FFV1 or raw gray16 in mkv or nut"
    )
    folder: Path | None = Field(
        default=None, description="16-bit PNG or TIFF pictures, played in natural order at `fps`"
    )
    scale_m: float = Field(
        default=0.001,
        gt=0,
        description="metres a count: 0.001 for RealSense, OAK-D, Kinect; 0.0002 for TUM RGB-D",
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
            raise ValueError("a depth camera's url reads tcp://host:port")
        return url

    @model_validator(mode="after")
    def _one_origin(self) -> DepthOptions:
        require_one(self, ORIGINS)
        return self

    @model_validator(mode="before")
    @classmethod
    def _network_lateness(cls, values: Any) -> Any:
        return with_lateness(values, {"tcp": TCP_LATENESS_S})


class Depth(FrameSource):
    """Samples of one frame each, (H, W) float32 metres; 0 where there is no reading.

    Raises:
        DataError: from `read`, when frames are not 16-bit or cannot be distances in a scene.
    """

    def __init__(self, options: DepthOptions, context: SourceContext) -> None:
        super().__init__(context, _feed(options, context), self._metres)
        self._scale_m = options.scale_m
        self._where = f"stream {context.stream!r}"

    def _metres(self, values: NDArray[Any]) -> NDArray[np.float32]:
        fix = "Record depth as 16-bit PNG, TIFF or FFV1, one count a pixel."
        raw = require_16_bit(values, self._where, fix)
        metres = (raw * np.float64(self._scale_m)).astype(np.float32)
        most = MODALITIES["depth"].high
        beyond = metres > most
        if 2 * int(beyond.sum()) > int((raw > 0).sum()):
            raise DataError(
                f"most readings would be beyond {most:g} m (raw up to {raw.max()}).",
                where=self._where,
                fix="Correct `scale_m`: 0.001 if counts are millimetres.",
            )
        metres[beyond] = 0
        return metres


def _feed(options: DepthOptions, context: SourceContext) -> Feed:
    if options.file is not None:
        return VideoFile(context, options.file, options, frame_values)
    if options.folder is not None:
        fps = options.fps or FOLDER_FPS
        return PictureFolder(context, options.folder, fps, options, decode_as_is, PICTURES_16)
    assert options.url is not None
    return VideoStream(context, options.url, frame_values, fps=options.fps)
