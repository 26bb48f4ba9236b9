"""Thermal cameras that measure: V4L2 devices, NUT over TCP, 16-bit video files and pictures.

Scales and layouts: FLIR Lepton engineering note (TLinear, kelvin × 100, two telemetry rows);
InfiRay P2 Pro and Topdon TC001 (kelvin × 64, in the lower half of a 256×384 YUYV frame).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from bindstream.errors import DataError
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName
from bindstream.sources import SourceContext
from bindstream.sources.frames import Feed, FrameSource
from bindstream.sources.raw16 import (
    Raw16Options,
    device_values,
    is_yuyv,
    raw16_feed,
    require_16_bit,
    words,
)
from bindstream.sources.v4l2 import CaptureDevice, device_path, fourcc_code

KELVIN = 273.15
TELEMETRY = {62: 60, 122: 120}
"""Frame height with the Lepton's two telemetry rows, and without."""
STACKED_SIZE = (256, 384)
"""Width and height of the frames of InfiRay P2 Pro and Topdon TC001, both halves."""


class Celsius(BaseModel):
    """°C = raw · scale + offset."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: float = Field(gt=0, description="°C a count")
    offset: float = Field(default=0.0, description="°C at count 0")
    signed: bool = Field(default=False, description="counts are two's complement")


Preset = Literal["lepton", "infiray", "centi_celsius"]
PRESETS: dict[Preset, Celsius] = {
    "lepton": Celsius(scale=1 / 100, offset=-KELVIN),
    "infiray": Celsius(scale=1 / 64, offset=-KELVIN),
    "centi_celsius": Celsius(scale=1 / 100, signed=True),
}


class ThermalOptions(Raw16Options):
    """Exactly one of device, url, file and folder says where frames come from."""

    modality: ClassVar[ModalityName] = "thermal"
    origins: ClassVar[tuple[str, ...]] = ("device", *Raw16Options.origins)

    kind: Literal["thermal"]
    device: int | str | None = Field(
        default=None, description="number or path of a V4L2 device, such as 0 or /dev/video0"
    )
    file: Path | None = Field(
        default=None, description="16-bit video: FFV1 or raw gray16 in mkv or nut, or raw YUYV"
    )
    layout: Literal["y16", "yuyv_stacked", "auto"] = Field(
        default="auto",
        description="y16: one value a pixel; yuyv_stacked: values in the lower half of YUYV; "
        "auto: y16 is asked of a device, and YUYV frames higher than wide are stacked",
    )
    celsius: Preset | Celsius | None = Field(
        default=None,
        description="how counts become °C; left out: lepton for y16, infiray for yuyv_stacked",
    )
    width: int | None = Field(default=None, gt=0, description="pixels, asked of a device")
    height: int | None = Field(
        default=None, gt=0, description="pixels, asked of a device, with all rows it sends"
    )


class Thermal(FrameSource):
    """Samples of one frame each, (H, W) float32 °C.

    Raises:
        DataError: from `read`, when frames are not 16-bit or cannot be temperatures.
    """

    def __init__(self, options: ThermalOptions, context: SourceContext) -> None:
        super().__init__(context, _feed(options, context), self._temperatures)
        self._options = options
        self._where = f"stream {context.stream!r}"

    def _temperatures(self, values: NDArray[Any]) -> NDArray[np.float32]:
        stacked = self._is_stacked(values)
        if stacked:
            values = words(values)
        fix = "Choose the camera's 16-bit (Y16, raw, radiometric) output, or a lossless recording."
        raw = require_16_bit(values, self._where, fix)
        if stacked:
            raw = raw[raw.shape[0] // 2 :]
        else:
            raw = raw[: TELEMETRY.get(raw.shape[0], raw.shape[0])]
        celsius = to_celsius(raw, _scale(self._options, stacked))
        self._require_plausible(celsius, raw)
        return celsius

    def _is_stacked(self, values: NDArray[Any]) -> bool:
        if self._options.layout != "auto" or not is_yuyv(values):
            return self._options.layout == "yuyv_stacked"
        height, width = values.shape[:2]
        if height <= width:
            raise DataError(
                f"frames are YUYV pictures of {width}×{height} without temperatures below them.",
                where=self._where,
                fix="Set `layout: yuyv_stacked` (InfiRay P2 Pro, Topdon TC001) or `layout: y16`.",
            )
        return True

    def _require_plausible(self, celsius: NDArray[np.float32], raw: NDArray[np.uint16]) -> None:
        """A wrong scale shows at once: no scene's middle is at −80 °C or 2,000 °C."""
        middle, low, high = float(np.median(celsius)), *_plausible()
        if not low <= middle <= high:
            raise DataError(
                f"half of the scene would be beyond {middle:.0f} °C (raw {np.median(raw):.0f}).",
                where=self._where,
                fix="Correct `celsius` (lepton, infiray, centi_celsius or your own scale and "
                "offset), or switch the camera to its radiometric output.",
            )


def to_celsius(raw: NDArray[np.uint16], scale: Celsius) -> NDArray[np.float32]:
    """(H, W) float32 °C of (H, W) uint16 counts; rounded once, from float64."""
    counts = raw.view(np.int16) if scale.signed else raw
    return (counts * np.float64(scale.scale) + scale.offset).astype(np.float32)


def _plausible() -> tuple[float, float]:
    return MODALITIES["thermal"].low, MODALITIES["thermal"].high


def _scale(options: ThermalOptions, stacked: bool) -> Celsius:
    if isinstance(options.celsius, Celsius):
        return options.celsius
    return PRESETS[options.celsius or ("infiray" if stacked else "lepton")]


def _feed(options: ThermalOptions, context: SourceContext) -> Feed:
    if options.device is None:
        return raw16_feed(options, context)
    stacked = options.layout == "yuyv_stacked"
    width, height = STACKED_SIZE if stacked else (None, None)
    # The format has to be chosen before conversion is switched off.
    wanted = {
        "FOURCC": fourcc_code("YUYV" if stacked else "Y16 "),
        "FRAME_WIDTH": options.width or width,
        "FRAME_HEIGHT": options.height or height,
        "CONVERT_RGB": 0,
    }
    return CaptureDevice(context, device_path(options.device), device_values, properties=wanted)
