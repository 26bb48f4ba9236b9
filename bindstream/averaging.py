"""One vector a file: the mean over its views, as ImageBind's published code takes it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bindstream.embedding import Encoder
from bindstream.errors import BindstreamError, DataError
from bindstream.file_inputs import file_views
from bindstream.records import ModalityName

BATCH = 16  # views at once: a video has 15, thermal videos and motion logs any number
LEAST_NORM = 1e-3  # of a mean; unit vectors that cancel out to less have no common direction

Vectors = NDArray[np.float32]


def view_vectors(encoder: Encoder, modality: ModalityName, file: Path) -> Vectors:
    """Unit vectors (views, dim) float32 of a file's views (see `file_views`). Blocks.

    Raises:
        BindstreamError: the file cannot be read or is too short (`where` names it), or no vector
            comes out of it.
    """
    try:
        rows = list(file_views(modality, file))
    except BindstreamError as error:
        raise type(error)(error.what, where=str(file), fix=error.fix) from error
    parts = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
    return np.concatenate([encoder.encode(modality, np.stack(part)) for part in parts])


def unit_mean(vectors: Vectors) -> Vectors:
    """The mean of unit vectors (n, dim), made a unit vector (dim,) again.

    The published code leaves the mean as it is, a little shorter than 1; every vector that leaves
    bindstream is of unit length.

    Raises:
        DataError: they cancel out.
    """
    mean = vectors.mean(axis=0, dtype=np.float64)
    norm = float(np.linalg.norm(mean))
    if not norm >= LEAST_NORM:
        raise DataError(f"its {len(vectors)} views cancel out: they have no mean direction.")
    unit: Vectors = (mean / norm).astype(np.float32)
    return unit
