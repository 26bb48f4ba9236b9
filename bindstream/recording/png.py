"""Pictures without loss, made fast: PNG that leaves compression to the file it lies in."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_DEPTH, _RGB, _SUB = 8, 2, 1


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """A picture (H, W, 3) uint8 RGB as a PNG whose rows are differences and are not compressed.

    A recording's chunks are compressed as a whole, which makes of these differences what PNG's own
    compression would, in a tenth of the time.
    """
    height, width, _ = picture.shape
    rows = np.empty((height, 1 + 3 * width), np.uint8)
    rows[:, 0] = _SUB
    rows[:, 1:4] = picture[:, 0]
    np.subtract(
        picture[:, 1:].reshape(height, -1), picture[:, :-1].reshape(height, -1), out=rows[:, 4:]
    )
    head = struct.pack(">IIBBBBB", width, height, _DEPTH, _RGB, 0, 0, 0)
    parts = (b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes(), 0)), (b"IEND", b"")
    return _SIGNATURE + b"".join(_part(kind, data) for kind, data in parts)


def _part(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
