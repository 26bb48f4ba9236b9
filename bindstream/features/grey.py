"""One-channel pictures in [0, 1] to the (1, 224, 224) input of the thermal and depth towers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bindstream.errors import DataError
from bindstream.features.vision import LEAST_SIDE, centre_crop, short_side


def grey_image(grey: NDArray[np.float32], what: str) -> NDArray[np.float32]:
    """Bicubic to a short side of 224, centre crop; no mean or deviation: (1, 224, 224) in [0, 1].

    Args:
        grey: (H, W) float in [0, 1].
        what: what the picture is, as an error begins ("Thermal picture").

    Raises:
        DataError: wrong shape or dtype, a side under 8 px, NaN, or values outside [0, 1].
    """
    grey = np.asarray(grey)
    check_frame(grey, what)
    low, high = float(grey.min()), float(grey.max())
    if not (low >= -1e-6 and high <= 1 + 1e-6):
        raise DataError(f"{what} runs from {low:g} to {high:g}, grey in [0, 1] is needed.")
    new_height, new_width = short_side(*grey.shape)
    scaled = Image.fromarray(grey.astype(np.float32)).resize(
        (new_width, new_height), Image.Resampling.BICUBIC
    )
    # Bicubic overshoots at edges; 8-bit pictures, which the towers were trained on, cannot.
    crop: NDArray[np.float32] = np.clip(centre_crop(np.asarray(scaled)), 0, 1)[None]
    return crop


def check_frame(frame: NDArray[np.floating], what: str) -> None:
    """Refuse a frame that is not (H, W) float with sides of at least 8 px.

    Raises:
        DataError: it is not.
    """
    if frame.ndim != 2 or min(frame.shape) < LEAST_SIDE:
        raise DataError(
            f"{what} has shape {frame.shape}, (H, W) of at least {LEAST_SIDE} px a side is needed."
        )
    if frame.dtype.kind != "f":
        raise DataError(
            f"{what} is {frame.dtype}, float32 is needed.",
            fix="Raw counts have to be turned into a physical unit by the source.",
        )
