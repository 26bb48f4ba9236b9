"""Cameras: V4L2 devices, RTSP and MJPEG addresses, video files, picture folders, GStreamer."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, field_validator, model_validator

from bindstream.records import ModalityName
from bindstream.sources import SourceContext
from bindstream.sources.frames import Feed, FrameSource
from bindstream.sources.mjpeg import MjpegStream
from bindstream.sources.options import PlaybackOptions
from bindstream.sources.pictures import FOLDER_FPS, PictureFolder, decode_rgb
from bindstream.sources.v4l2 import CaptureDevice, Format, device_path, fourcc_code
from bindstream.sources.video import VideoFile, VideoStream, fitted, rgb_picture

PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
ORIGINS = ("device", "url", "file", "folder", "gstreamer")
RTSP_LATENESS_S = 1.0
HTTP_LATENESS_S = 0.5
"""Network cameras encode and buffer: their frames come later than the modality allows for."""


class CameraOptions(PlaybackOptions):
    """Exactly one of device, url, file, folder and gstreamer says where pictures come from."""

    # An address may hold a password: it is shown neither in errors nor in a repr.
    model_config = ConfigDict(hide_input_in_errors=True)
    modality: ClassVar[ModalityName] = "vision"

    kind: Literal["camera"]
    device: int | str | None = Field(
        default=None, description="number or path of a V4L2 device, such as 0 or /dev/video0"
    )
    url: str | None = Field(
        default=None, repr=False, description="rtsp:// or rtsps://; http:// or https:// for MJPEG"
    )
    file: Path | None = Field(default=None, description="a video file, played as a recording")
    folder: Path | None = Field(
        default=None, description="a folder of pictures, played in natural order at `fps`"
    )
    gstreamer: str | None = Field(
        default=None, repr=False, description="a GStreamer pipeline that ends in a BGR appsink"
    )
    width: int | None = Field(default=None, gt=0, description="pixels, asked of a device")
    height: int | None = Field(default=None, gt=0, description="pixels, asked of a device")
    fps: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        description="frames a second: asked of a device; what is taken of a url; a folder's pace "
        "(10 if left out)",
    )
    fourcc: str | None = Field(
        default=None, pattern="^[ -~]{4}$", description="asked of a device, such as MJPG"
    )
    transport: Literal["tcp", "udp"] = Field(default="tcp", description="how RTSP is carried")
    short_side: int | None = Field(
        default=480,
        ge=64,
        description="larger frames are scaled down to this shorter side, in pixels; null: never",
    )

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).scheme not in ("rtsp", "rtsps", "http", "https"):
            raise ValueError("a camera's url begins with rtsp://, rtsps://, http:// or https://")
        if url is not None and not urlsplit(url).hostname:
            raise ValueError("a camera's url names a host, as in rtsp://10.0.0.7/stream")
        return url

    @model_validator(mode="after")
    def _one_origin(self) -> CameraOptions:
        require_one(self, ORIGINS)
        return self

    @model_validator(mode="before")
    @classmethod
    def _network_lateness(cls, values: Any) -> Any:
        return with_lateness(values, {"rtsp": RTSP_LATENESS_S, "http": HTTP_LATENESS_S})


def require_one(options: PlaybackOptions, names: tuple[str, ...]) -> None:
    """ValueError unless exactly one of the options `names` is given."""
    given = [name for name in names if getattr(options, name) is not None]
    if len(given) != 1:
        found = " and ".join(given) or "none"
        raise ValueError(f"give exactly one of {', '.join(names)}; {found} is given")


def with_lateness(values: Any, by_scheme: dict[str, float]) -> Any:
    """Raw options with the lateness of the url's scheme, where they do not say one."""
    if not isinstance(values, dict) or values.get("lateness_s") is not None:
        return values
    scheme = str(values.get("url") or "").partition(":")[0].removesuffix("s")
    return {**values, "lateness_s": by_scheme[scheme]} if scheme in by_scheme else values


class Camera(FrameSource):
    """Samples of one frame each, (H, W, 3) uint8 RGB.

    Capture times and their uncertainty are those of the feed: see `VideoStream` (RTSP),
    `MjpegStream` (HTTP), `CaptureDevice` (V4L2, GStreamer), `VideoFile` and `PictureFolder`.
    """

    def __init__(self, options: CameraOptions, context: SourceContext) -> None:
        super().__init__(context, _feed(options, context), np.ascontiguousarray)


def _feed(options: CameraOptions, context: SourceContext) -> Feed:
    def decode(content: NDArray[np.uint8]) -> NDArray[Any] | None:
        rgb = decode_rgb(content)
        return None if rgb is None else _scaled(rgb, options.short_side)

    if options.file is not None:
        return VideoFile(context, options.file, options, rgb_picture(options.short_side))
    if options.folder is not None:
        fps = options.fps or FOLDER_FPS
        return PictureFolder(context, options.folder, fps, options, decode, PICTURES)
    if options.url is not None and options.url.startswith("http"):
        return MjpegStream(context, options.url, decode, fps=options.fps)
    if options.url is not None:
        return VideoStream(
            context,
            options.url,
            rgb_picture(options.short_side),
            fps=options.fps,
            av_options={"rtsp_transport": options.transport, "analyzeduration": "100000"},
        )
    return _capture_device(options, context)


def _capture_device(options: CameraOptions, context: SourceContext) -> CaptureDevice:
    def picture(array: NDArray[Any], device: Format) -> NDArray[Any]:
        import cv2

        scaled = _scaled(array, options.short_side)
        code = cv2.COLOR_GRAY2RGB if scaled.ndim == 2 else cv2.COLOR_BGR2RGB
        return np.asarray(cv2.cvtColor(scaled, code))

    if options.gstreamer is not None:
        return CaptureDevice(context, options.gstreamer, picture, gstreamer=True)
    assert options.device is not None
    wanted = {
        "FOURCC": fourcc_code(options.fourcc),
        "FRAME_WIDTH": options.width,
        "FRAME_HEIGHT": options.height,
        "FPS": options.fps,
        "BUFFERSIZE": 1,
    }
    return CaptureDevice(context, device_path(options.device), picture, properties=wanted)


def _scaled(picture: NDArray[Any], short_side: int | None) -> NDArray[Any]:
    """`picture` scaled down to a shorter side of `short_side` pixels, as it is if smaller."""
    import cv2

    height, width = picture.shape[:2]
    size = fitted(width, height, short_side)
    if size == (width, height):
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
