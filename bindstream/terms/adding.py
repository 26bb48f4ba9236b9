"""The sum of what is asked for: each summand is a unit vector and counts with its weight, whatever
it is made of; the sum is made a unit vector again.

Vectors of one sensor lie in a region of their own (see `bindstream.teaching.fitting`), words in
another. Taking the mean of its region off each summand first was tried, and is not worth it: what
it changes is nearly the same for all windows of a stream, and goes with the stream's own
background. With the starter, on recordings of held-out sources, of the pairs of a recording of the
kind and one of anything else so many were ranked rightly by words with one example added, by the
plain sum and by the centred one: sounds (ESC-10) 0.994 and 0.995, movements 0.956 and 0.951; by
words less half an example of the kind that they are mistaken for most 0.991 and 0.989, 0.979 and
0.957; of the pairs with that kind, where words alone rank 0.972 and 0.931: 0.995 and 0.994, 0.954
and 0.961. A whole example taken off (weight 1) costs more than it gives: 0.88 of all pairs.
`bench/sums.py` prints these.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bindstream.errors import ConfigError, DataError

Vectors = NDArray[np.float32]

LEAST_SUM = 1e-3
"""A sum shorter than this points nowhere: its terms cancel out."""


def added(summands: Sequence[tuple[float, Vectors]]) -> Vectors:
    """The sum of weighted unit vectors (dim,), as a unit vector (dim,) float32.

    Raises:
        ConfigError: they cancel out.
        DataError: they are of different lengths.
    """
    if len(dims := {len(vector) for _, vector in summands}) > 1:
        raise DataError(
            f"vectors of {' and '.join(map(str, sorted(dims)))} numbers cannot be added.",
            fix="Take them all from one model.",
        )
    total = np.sum([weight * vector.astype(np.float64) for weight, vector in summands], axis=0)
    length = float(np.linalg.norm(total))
    if not length >= LEAST_SUM:
        raise ConfigError("what is asked for cancels out.", fix="Change the weights.")
    unit: Vectors = (total / length).astype(np.float32)
    return unit
