"""A fixed table of crops: parts of a picture that two sensors can both be cut to.

Where a picture is trained against another sensor's picture of the same view (depth against
vision), both have to show the same part of it; the ablations of arXiv 2305.05665 found that
essential. Frozen vectors of random crops could not be computed once and kept, so the crops are
these, and each is a view of the anchor.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from bindstream.records import ModalityName

PICTURES: tuple[ModalityName, ...] = ("vision", "thermal", "depth")
"""Modalities of pictures: two of them, seen from one place, are cut alike."""


@dataclass(frozen=True)
class Crop:
    """A square part of a frame's centre square, in shares of its side, maybe mirrored."""

    left: float
    top: float
    side: float
    mirrored: bool = False

    def of(self, frames: NDArray[Any]) -> NDArray[Any]:
        """The part of (n, H, W, channels): (n, s, s, channels), a view of the same memory."""
        height, width = frames.shape[1:3]
        square = min(height, width)
        side = max(round(self.side * square), 1)
        top = (height - square) // 2 + round(self.top * square)
        left = (width - square) // 2 + round(self.left * square)
        top, left = min(top, height - side), min(left, width - side)
        part = frames[:, top : top + side, left : left + side]
        return part[:, :, ::-1] if self.mirrored else part


_CORNERS = ((0.0, 0.0), (0.3, 0.3), (0.3, 0.0), (0.0, 0.3))

WHOLE = Crop(0.0, 0.0, 1.0)
"""The centre square, which is what a live window shows."""
CROPS: tuple[Crop, ...] = (
    WHOLE,
    Crop(0.0, 0.0, 1.0, mirrored=True),
    *(Crop(left, top, 0.7) for left, top in _CORNERS),
    *(Crop(left, top, 0.7, mirrored=True) for left, top in _CORNERS),
)


def crops_for(modality: ModalityName, views: int) -> tuple[Crop, ...]:
    """The first `views` of the table for pictures; other sensors have one view."""
    return CROPS[:views] if modality in PICTURES else (WHOLE,)


def aligned(one: ModalityName, other: ModalityName) -> bool:
    """Whether windows of both have to show the same part: both are pictures."""
    return one in PICTURES and other in PICTURES
