"""Pictures and clips to the (3, 224, 224) and (3, 2, 224, 224) inputs of the vision tower."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bindstream.errors import DataError

SIDE = 224
LEAST_SIDE = 8  # px: below this nothing can be seen, and the aspect ratio may explode memory
# CLIP's channel means and deviations (openai/CLIP, clip/clip.py).
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
FIRST, CENTRE, LAST = 0, 1, 2  # of the three crops along a clip's longer side


def picture(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A still as the tower reads it: (3, 224, 224) float32, normalised.

    Bicubic (antialiased) to a short side of 224, centre crop, CLIP mean and deviation.

    Args:
        image: (H, W, 3) uint8 RGB.

    Raises:
        DataError: wrong shape or dtype, or a side under 8 px.
    """
    image = _checked(np.asarray(image), "Picture")
    height, width = image.shape[:2]
    new_height, new_width = short_side(height, width)
    small = Image.fromarray(image).resize((new_width, new_height), Image.Resampling.BICUBIC)
    return _normalised(centre_crop(np.asarray(small)))


def clip(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Two frames of a clip as the tower reads them: (3, 2, 224, 224) float32, normalised.

    Bilinear *without* antialiasing to a short side of 224, centre crop, CLIP mean and deviation:
    ImageBind's clips are scaled otherwise than its stills.

    Args:
        frames: (2, H, W, 3) uint8 RGB, the first and the last frame of the window.

    Raises:
        DataError: wrong shape or dtype, or a side under 8 px.
    """
    return _cropped(np.asarray(frames), CENTRE)


def clip_crops(frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Two frames of a clip in three crops, (3, 3, 2, 224, 224) float32: `clip` is the second.

    Left, centre and right of a picture that is wider than tall, top, centre and bottom of one that
    is taller than wide: so ImageBind looks at recorded video.

    Args:
        frames: (2, H, W, 3) uint8 RGB.

    Raises:
        DataError: as `clip`.
    """
    return np.stack([_cropped(np.asarray(frames), place) for place in (FIRST, CENTRE, LAST)])


def still_clip(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A still as a clip: `picture` repeated twice, (3, 2, 224, 224) float32.

    Raises:
        DataError: as `picture`.
    """
    return np.repeat(picture(image)[:, None], 2, axis=1)


def short_side(height: int, width: int) -> tuple[int, int]:
    """(height, width) in pixels once the short side is 224; the long one is rounded down."""
    if height <= width:
        return SIDE, SIDE * width // height
    return SIDE * height // width, SIDE


def centre_crop(image: NDArray[Any]) -> NDArray[Any]:
    """The middle 224 × 224 of (H, W, ...), offset rounded half to even as torchvision does."""
    top, left = (round((side - SIDE) / 2) for side in image.shape[:2])
    return image[top : top + SIDE, left : left + SIDE]


def _cropped(frames: NDArray[np.uint8], place: int) -> NDArray[np.float32]:
    if frames.ndim != 4 or frames.shape[0] != 2:
        raise DataError(f"Clip has shape {frames.shape}, (2, H, W, 3) is needed.")
    out = np.empty((3, 2, SIDE, SIDE), np.float32)
    for i, frame in enumerate(frames):
        out[:, i] = _bilinear_crop(_checked(frame, "Clip frame"), place).transpose(2, 0, 1)
    return out


def _bilinear_crop(frame: NDArray[np.uint8], place: int) -> NDArray[np.float32]:
    """Scale, crop and normalise at once: only the 224 × 224 pixels that stay are computed.

    Rows are kept flat, (224, 224 · 3), because NumPy is slow over a last axis of three.
    """
    height, width = frame.shape[:2]
    new_height, new_width = short_side(height, width)
    above, below, down = _taps(height, new_height, place if new_height > new_width else CENTRE)
    before, after, right = _taps(width, new_width, CENTRE if new_height > new_width else place)
    right = np.repeat(right, 3)

    def across(rows: NDArray[np.uint8]) -> NDArray[np.float32]:
        left = rows.take(before, axis=1).reshape(SIDE, -1).astype(np.float32)
        step = rows.take(after, axis=1).reshape(SIDE, -1).astype(np.float32)
        step -= left
        step *= right
        left += step
        return left

    upper, step = across(frame[above]), across(frame[below])
    step -= upper
    step *= down[:, None]
    upper += step
    upper *= np.tile(1 / (255 * STD), SIDE)
    upper -= np.tile(MEAN / STD, SIDE)
    return upper.reshape(SIDE, SIDE, 3)


def _taps(
    size: int, new_size: int, place: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Neighbours and the weight of the second one for each kept pixel (pixel centres at .5)."""
    spare = new_size - SIDE
    start = (0, -(-spare // 2), spare)[place]  # the centre is rounded up, as by pytorchvideo
    unclipped = (np.arange(start, start + SIDE) + 0.5) * (size / new_size) - 0.5
    centre: NDArray[np.float64] = np.clip(unclipped, 0, size - 1)
    first = centre.astype(np.intp)
    return first, np.minimum(first + 1, size - 1), (centre - first).astype(np.float32)


def _normalised(crop: NDArray[Any]) -> NDArray[np.float32]:
    scaled = (crop.astype(np.float32) / np.float32(255) - MEAN) / STD
    return np.ascontiguousarray(scaled.transpose(2, 0, 1))


def _checked(image: NDArray[Any], what: str) -> NDArray[np.uint8]:
    if image.ndim != 3 or image.shape[2] != 3:
        raise DataError(
            f"{what} has shape {image.shape}, (H, W, 3) RGB is needed.",
            fix="Convert grey or RGBA pictures to RGB.",
        )
    if image.dtype != np.uint8:
        raise DataError(f"{what} is {image.dtype}, uint8 in 0..255 is needed.")
    if min(image.shape[:2]) < LEAST_SIDE:
        raise DataError(
            f"{what} is {image.shape[1]}x{image.shape[0]} px, at least {LEAST_SIDE} px a side "
            "are needed."
        )
    return image
