"""Depth cameras: 16-bit pictures and video whose counts are a distance."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from bindstream.errors import DataError
from bindstream.modalities import MODALITIES
from bindstream.records import ModalityName
from bindstream.sources import SourceContext
from bindstream.sources.frames import FrameSource
from bindstream.sources.raw16 import Raw16Options, raw16_feed, require_16_bit


class DepthOptions(Raw16Options):
    """Exactly one of url, file and folder says where frames come from."""

    modality: ClassVar[ModalityName] = "depth"

    kind: Literal["depth"]
    scale_m: float = Field(
        default=0.001,
        gt=0,
        description="metres a count: 0.001 for RealSense, OAK-D, Kinect; 0.0002 for TUM RGB-D",
    )


class Depth(FrameSource):
    """Samples of one frame each, (H, W) float32 metres; 0 where there is no reading.

    Raises:
        DataError: from `read`, when frames are not 16-bit or cannot be distances in a scene.
    """

    def __init__(self, options: DepthOptions, context: SourceContext) -> None:
        super().__init__(context, raw16_feed(options, context), self._metres)
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
