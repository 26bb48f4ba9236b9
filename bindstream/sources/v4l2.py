"""Devices that OpenCV opens: V4L2 (USB and built-in cameras) and GStreamer pipelines."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.clocks.sender import UNKNOWN_DELAY_NS
from bindstream.errors import MissingPackageError
from bindstream.sources import SourceContext
from bindstream.sources.frames import Frame, lost

BELIEVED_NS = 2_000_000_000
"""The driver's frame time is the kernel's monotonic stamp if it is this close to now."""
EXPOSURE_NS = 20_000_000
"""The kernel's stamp is taken at one edge of exposure and readout; the other is this far off."""


@dataclass(frozen=True)
class Format:
    """What a device says it sends: pixels, and V4L2's four letters such as "YUYV"."""

    width: int
    height: int
    fourcc: str


class CaptureDevice:
    """A live feed of what OpenCV captures.

    Args:
        address: /dev/video… for V4L2, a pipeline ending in an appsink for GStreamer.
        properties: cv2.CAP_PROP_* names without the prefix, set in this order after opening;
            None is left to the device.
        picture: makes the feed's array of what OpenCV returns and of the device's format.

    `read` blocks until the next frame; a device that hangs is the reader's to abandon.
    """

    recorded = False
    skipped = 0  # OpenCV does not tell

    def __init__(
        self,
        context: SourceContext,
        address: str,
        picture: Callable[[NDArray[Any], Format], NDArray[Any]],
        *,
        properties: Mapping[str, float | None] | None = None,
        gstreamer: bool = False,
    ) -> None:
        self._context = context
        self._address = address
        # A pipeline may hold a password.
        self._shown = "the GStreamer pipeline" if gstreamer else address
        self._picture = picture
        self._properties = properties or {}
        self._gstreamer = gstreamer
        self._capture: Any = None
        self._format = Format(0, 0, "")

    def open(self) -> None:
        try:
            import cv2
        except ImportError as error:
            raise MissingPackageError(
                f"cameras need OpenCV ({error}).", fix="pip install 'bindstream[camera]'"
            ) from None
        if self._gstreamer:
            _require_gstreamer(cv2)
        else:
            self._require_device()
        api = cv2.CAP_GSTREAMER if self._gstreamer else cv2.CAP_V4L2
        self._capture = cv2.VideoCapture(self._address, api)
        if not self._capture.isOpened():
            raise lost(
                self._context,
                f"{self._shown} cannot be opened.",
                "See whether another program uses it and whether it is a capture device.",
            )
        for name, value in self._properties.items():
            if value is not None:
                self._capture.set(getattr(cv2, f"CAP_PROP_{name}"), value)
        self._format = Format(
            round(self._capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            round(self._capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            _letters(round(self._capture.get(cv2.CAP_PROP_FOURCC))),
        )

    def read(self) -> Frame | None:
        import cv2

        got, array = self._capture.read()
        monotonic_ns = time.monotonic_ns()
        if not got or array is None:
            raise lost(
                self._context,
                f"{self._shown} gives no more frames.",
                "Check that it is plugged in; it is tried again.",
            )
        stamp_ns = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        clock = self._context.clock
        believed = not self._gstreamer and abs(monotonic_ns - stamp_ns) < BELIEVED_NS
        return Frame(
            self._picture(np.asarray(array), self._format),
            # Some drivers stamp the end of an exposure that they only expect.
            clock.from_monotonic_ns(min(stamp_ns, monotonic_ns) if believed else monotonic_ns),
            clock.from_monotonic_ns(monotonic_ns),
            EXPOSURE_NS if believed else UNKNOWN_DELAY_NS,
        )

    def close(self) -> None:
        if self._capture is not None:
            self._capture.release()

    def _require_device(self) -> None:
        path = Path(self._address)
        if not path.exists():
            present = ", ".join(sorted(str(p) for p in Path("/dev").glob("video*"))) or "none"
            raise lost(
                self._context,
                f"there is no device {path} (there are: {present}).",
                "Plug it in or correct `device`.",
            )
        if not os.access(path, os.R_OK | os.W_OK):
            raise lost(
                self._context,
                f"{path} may not be opened by this user.",
                "Add the user to the group `video`.",
            )


def fourcc_code(letters: str | None) -> int | None:
    """V4L2's number of four letters, little-endian; None of None."""
    return None if letters is None else int.from_bytes(letters.encode("ascii"), "little")


def _letters(code: int) -> str:
    return code.to_bytes(4, "little").decode("latin-1") if 0 < code < 2**32 else ""


def device_path(device: int | str) -> str:
    """/dev/videoN of a device's number; a path as it is."""
    return f"/dev/video{device}" if isinstance(device, int) or device.isdigit() else device


def _require_gstreamer(cv2: Any) -> None:
    lines = [line for line in cv2.getBuildInformation().splitlines() if "GStreamer:" in line]
    if not any("YES" in line for line in lines):
        raise MissingPackageError(
            f"this OpenCV ({cv2.__version__}) was built without GStreamer.",
            fix="Use the OpenCV of JetPack or of Debian (python3-opencv), or give a url or device.",
        )
