"""Novelty: how far a window lies from everything that its stream gave before.

No words are needed for it: a stream's own history says what is usual there. What is new counts by
the cosines to the windows that are most like it, of a sample that is spread over all that was heard
(nearest neighbours: Knorr & Ng 1998, Ramaswamy et al. 2000).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bindstream.budget.events import Times
from bindstream.budget.heard import Heard
from bindstream.matcher import Values, Vectors

SAMPLE = 1024
"""Windows that stand for all that was heard: one in 84 of a day."""
LEAST = 60
"""Windows of which nothing can be said to be unusual yet."""
NEIGHBOURS = 3
"""Likest windows that count: what came once is not usual yet."""
APART_NS = 120_000_000_000
"""Windows that lie closer in time say nothing of one another: an event is like itself."""


class Novelty:
    """How unusual windows of one stream are; all of them equally until `draw`."""

    def __init__(self) -> None:
        self._sample: Vectors | None = None
        self._starts_ns: Times = np.zeros(0, np.int64)

    def draw(self, heard: Heard) -> None:
        """Takes what is usual from all that was heard by now."""
        if len(heard) >= LEAST:
            places = np.linspace(0, len(heard) - 1, min(SAMPLE, len(heard))).round().astype(int)
            self._sample = heard.take(places)
            self._starts_ns = heard.times()[0][places]

    def push(self, vectors: Vectors, starts_ns: NDArray[np.int64]) -> Values:
        """(n,): mean cosine of windows (n, dim) to those that are most like them, of which at least
        `APART_NS` set them apart; NaN while too little was heard.

        Args:
            starts_ns: (n,) when the windows begin, UTC ns.
        """
        if self._sample is None:
            return np.full(len(vectors), np.nan, np.float32)
        cosines = vectors @ self._sample.T
        near = np.abs(starts_ns[:, None] - self._starts_ns) < APART_NS
        likest = np.partition(np.where(near, -np.inf, cosines), -NEIGHBOURS, axis=1)[
            :, -NEIGHBOURS:
        ]
        found = likest.mean(1)
        return np.asarray(np.where(np.isfinite(found), found, np.nan), np.float32)
