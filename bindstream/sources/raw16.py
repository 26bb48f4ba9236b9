"""Pictures whose 16-bit values are a measurement: kept exact, or refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import DataError
from bindstream.sources.v4l2 import Format

PICTURES_16 = (".png", ".tif", ".tiff", ".pgm")
EXACT_FORMATS = ("gray16le", "gray16be", "yuyv422")
"""FFmpeg's pixel formats that keep what a 16-bit sensor wrote."""


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
