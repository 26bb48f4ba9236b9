"""Randomness with a name: every part of a scene draws from its own generator."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def rng_for(seed: int, *path: str | int) -> np.random.Generator:
    """A generator that depends on `seed` (0 or more) and on the names in `path`, nothing else.

    Each event and each part of the house has its own path, so that adding one event leaves
    every other part of the scene as it was.
    """
    return np.random.default_rng(
        [seed, *(p if isinstance(p, int) else crc32(p.encode()) for p in path)]
    )
