"""What users said of alerts: confirmed ones are no background, and what is like a rejected one has
to stand out by more than that one did.

A window's likeness to a rejected event is its cosine to the vector of that event's highest window,
counted from what the stream usually has (0) to the same again (1):

    usual    = median + 3 · 1.4826 · MAD of the stream's cosines to that vector, at most 0.9
    likeness = (cosine - usual) / (1 - usual)
    weight   = 0 up to a likeness of 0.4, 1 from 0.75, straight in between
    level    = on + weight · z of the rejected event's highest window

of which the highest over all rejected events of the query on the stream holds. The same event again
scores about what it scored before, which is `on` too little; it would have to be clearly stronger.
That z is what it scored then, or what it would score against the background of now if that is more.
Unlike windows keep their level. Sounds of the simulated house have a likeness of 0.9 and more to
themselves at another time, pictures and heat 0.65 and more, and other kinds of event up to 0.55 to
each other (a kettle and a smoke alarm), most below 0.3: hence the two constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bindstream.calibration import MAD_TO_SIGMA

SIGMAS = 3.0
"""Robust standard deviations above the median cosine that are still usual."""
USUAL_MOST = 0.9
"""Where a stream is always like the rejected event, only its very like has to stand out more."""
USUAL_UNKNOWN = 0.5
"""What is usual as long as nothing else was heard."""
UNLIKE, ALIKE = 0.4, 0.75
"""Likeness from which the level is raised at all, and from which in full."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Rejected:
    """An event that was no true one.

    Args:
        start_ns, end_ns: its interval [start, end), UTC.
        vector: (dim,) of its highest window, of unit length.
        usual: see above; a cosine in [-1, 0.9].
        z: of its highest window.
    """

    start_ns: int
    end_ns: int
    vector: Vectors
    usual: float
    z: float


@dataclass(frozen=True)
class Judged:
    """What users said of one query's alerts on one stream: intervals [start, end) in UTC ns of the
    confirmed ones, and the rejected ones."""

    confirmed: tuple[tuple[int, int], ...] = ()
    rejected: tuple[Rejected, ...] = ()

    @property
    def false(self) -> list[tuple[int, int]]:
        """Intervals [start, end) in UTC ns of the rejected ones."""
        return [(each.start_ns, each.end_ns) for each in self.rejected]


def usual(cosines: NDArray[np.floating]) -> float:
    """The highest cosine to a vector that is usual, from those (n,) of a stream's windows."""
    if not len(cosines):
        return USUAL_UNKNOWN
    median = float(np.median(cosines))
    spread = MAD_TO_SIGMA * float(np.median(np.abs(cosines - median)))
    return min(median + SIGMAS * spread, USUAL_MOST)


def raised(rejected: Sequence[Rejected], vectors: Vectors) -> NDArray[np.float64]:
    """By how much the level is raised, in z, for each of the windows' vectors (n, dim): (n,)."""
    found = np.zeros(len(vectors))
    for each in rejected:
        likeness = (vectors @ each.vector - each.usual) / (1 - each.usual)
        weight = np.clip((likeness - UNLIKE) / (ALIKE - UNLIKE), 0, 1)
        found = np.maximum(found, weight * each.z)
    return found
