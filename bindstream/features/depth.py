"""Depth in metres to disparity in [0, 1], and on to the depth tower's (1, 224, 224) input.

Experimental: the published statistics suggest that ImageBind's depth training data was misread by a
factor of 8, hence `scale` (see `DepthGeometry`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import DataError
from bindstream.features.grey import check_frame, grey_image
from bindstream.modalities import MODALITIES

NEAREST_M, FARTHEST_M = 0.01, 50.0  # ImageBind's authors (facebookresearch/omnivore issue 12)
MOST_PX = 75.0  # disparity is clamped to and divided by this (same thread)
LEAST_VALID = 0.1  # share of pixels with a reading below which filling would be invention


@dataclass(frozen=True)
class DepthGeometry:
    """The stereo camera whose disparity the tower expects to see.

    `baseline_m`: 0.075 for Kinect (the default), 0.095 for RealSense and Xtion. `focal_px`: 518.86
    is the Kinect's in NYU-D. `scale` multiplies the disparity before it is clamped.
    """

    baseline_m: float = 0.075
    focal_px: float = 518.86
    scale: float = 1.0


KINECT = DepthGeometry()


def disparity(
    depth_m: NDArray[np.float32], geometry: DepthGeometry = KINECT
) -> NDArray[np.float32]:
    """Disparity as a share of 75 px, (H, W) float32 in [0, 1]; holes are filled first.

    Args:
        depth_m: (H, W) float metres; 0, negative, NaN and infinite pixels are holes.

    Raises:
        DataError: wrong shape or dtype, a unit that cannot be metres, or over 90 % holes.
    """
    depth_m = np.asarray(depth_m)
    check_frame(depth_m, "Depth frame")
    valid = np.isfinite(depth_m) & (depth_m > 0)
    if valid.mean() < LEAST_VALID:
        raise DataError(
            f"Depth frame has readings in {valid.mean():.0%} of its pixels, "
            f"{LEAST_VALID:.0%} are needed.",
            fix="Check that nothing covers the sensor and that the scene is within its range.",
        )
    middle = float(np.median(depth_m[valid]))
    if middle > MODALITIES["depth"].high:
        raise DataError(
            f"Depth frame has a median of {middle:g} m, at most {MODALITIES['depth'].high:g} m "
            "is possible.",
            fix="Check the source's depth scale: millimetres have to be divided by 1000.",
        )
    filled = fill(np.where(valid, depth_m, 0).astype(np.float32), valid)
    pixels = geometry.scale * geometry.baseline_m * geometry.focal_px
    shifted = pixels / np.clip(filled, NEAREST_M, FARTHEST_M)
    share: NDArray[np.float32] = np.minimum(shifted, MOST_PX) / np.float32(MOST_PX)
    return share


def depth_image(
    depth_m: NDArray[np.float32], geometry: DepthGeometry = KINECT
) -> NDArray[np.float32]:
    """(H, W) metres to the tower's (1, 224, 224) float32: disparity, bicubic, centre crop.

    Raises:
        DataError: as `disparity`.
    """
    return grey_image(disparity(depth_m, geometry), "Disparity picture")


def fill(values: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Holes take the mean of the smallest 2, 4, 8, ... pixel block around them that has readings.

    A hole left at 0 m would become the nearest thing in sight. One value at least must be `valid`.
    """
    if valid.all():
        return values
    height, width = values.shape
    odd = ((0, height % 2), (0, width % 2))
    blocks = ((height + 1) // 2, 2, (width + 1) // 2, 2)
    count = np.pad(valid, odd).reshape(blocks).sum((1, 3))
    total = np.pad(np.where(valid, values, 0), odd).reshape(blocks).sum((1, 3))
    coarse = fill((total / np.maximum(count, 1)).astype(np.float32), count > 0)
    spread = coarse.repeat(2, 0).repeat(2, 1)[:height, :width]
    return np.where(valid, values, spread)
