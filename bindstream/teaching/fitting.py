"""From vectors of examples to a query: its vector, and the level from which its score counts.

Vectors of one sensor lie in a region of their own in the joint space: two sounds of different
things are often closer to each other than either is to its own words. So a vector made of sounds is
compared with sounds only, and background *phrases* are no contrast to it. In place of a soft
maximum over them stands one number, the `level`, from which its score counts (see
`bindstream.matcher`): a little below what the examples score by one another, or half way between
them and the negatives, whichever is more. On held-out sounds (ESC-10, four examples) the contrast
with phrases ranked fewer things rightly, and one with each negative's vector took more of what is
neither for an example (0.94 of pairs ranked rightly in place of 0.98).

Without negatives the vector is the examples' mean, a prototype. With negatives it is a ridge
regression (1 for examples, 0 for negatives, either side weighing the same) that is pulled to the
prototype instead of to zero. A plain ridge looks along the difference of the two sides alone, and
what is neither then passes for an example: on the same sounds, with four negatives of the kind that
is mistaken most, it ranked 0.77 of the pairs of an example and something else rightly, pulled to
the prototype 0.98; of pairs with that kind 0.93 and 0.89, a prototype 0.75.
`bench/few_shot.py` prints how they do now.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bindstream.averaging import LEAST_NORM
from bindstream.errors import DataError
from bindstream.matcher import CONTRAST_TEMPERATURE

Vectors = NDArray[np.float32]
Scores = NDArray[np.float64]

PULLS = (0.3, 1.0, 0.1)
"""How strongly a ridge's vector may be pulled to the prototype, the first where nothing speaks for
another. Of 0.01 to 3, 0.3 told the likeliest mistake apart best without finding less else."""
ENOUGH = 4
"""Examples, and negatives, that there have to be for one of `PULLS` to be chosen."""
TEXT_WEIGHT = 0.5
"""Weight of words where some are mixed in: of 0.3, 0.5 and 0.7 the best over 1 to 8 examples."""
BELOW_EXAMPLES = 4 * CONTRAST_TEMPERATURE
"""The level lies no lower than this below what examples score by one another. Of new sounds nine in
ten are then found, and of other sounds one in ten to six called (ESC-10, one to eight examples)."""
ALONE = 0.25
"""How much less a new example scores by a single one than that one by itself, on average."""
TURNS = 40
"""Files of a side are left out one by one up to here, and in so many groups from here on."""


@dataclass(frozen=True)
class Fit:
    """A query's vector (dim,) float32 of unit length, its level, and how it came about.

    `positive_scores` (n,) and `negative_scores` (m,) are what each file scores by a query made
    without it, in the order given. Of a single example it is what a new one would score.
    """

    vector: Vectors
    level: float
    pull: float | None
    positive_scores: Scores
    negative_scores: Scores

    def shares(self, scores: Scores) -> Scores:
        """How likely windows of these scores are to be the query, 0 to 1, by the matcher's rule."""
        shares: Scores = 1 / (1 + np.exp((self.level - scores) / CONTRAST_TEMPERATURE))
        return shares

    def score_of(self, share: float) -> float:
        """The score that a window of this share, between 0 and 1, has."""
        return self.level - CONTRAST_TEMPERATURE * math.log(1 / share - 1)


def fit(
    positives: Vectors,
    negatives: Vectors,
    words: Vectors | None = None,
    weight: float = TEXT_WEIGHT,
) -> Fit:
    """A query from unit vectors of examples (n, dim) and of negatives (m, dim), one a file.

    In which order they are given changes nothing, not even by rounding. Takes milliseconds for tens
    of files, seconds for hundreds.

    Args:
        words: unit vector (dim,) of words for the same thing, mixed in with `weight` from 0 to 1.

    Raises:
        DataError: there is no example, or vectors cancel out.
    """
    if not len(positives):
        raise DataError("there is no example to learn from.")
    (ones, place), (others, place_not) = _in_order(positives), _in_order(negatives)
    mix = _Mix(words, weight)
    pull = _pull(ones, others, mix) if len(others) else None
    vector = mix(_learnt(ones, others, pull))
    found, mistaken = _left_out(ones, others, pull, mix)
    level = float(found.mean()) - BELOW_EXAMPLES
    if len(mistaken):
        level = max(level, float(found.mean() + mistaken.mean()) / 2)
    return Fit(vector.astype(np.float32), level, pull, found[place], mistaken[place_not])


def _in_order(rows: Vectors) -> tuple[Scores, NDArray[np.intp]]:
    """Rows in an order that depends on them alone, and where each of them is then."""
    order = np.lexsort(rows.T) if rows.size else np.zeros(len(rows), np.intp)
    place = np.empty(len(rows), np.intp)
    place[order] = np.arange(len(rows))
    return rows[order].astype(np.float64), place


class _Mix:
    """Mixes the words' vector into what was learnt from examples."""

    def __init__(self, words: Vectors | None, weight: float) -> None:
        self._words = None if words is None else np.asarray(words, np.float64)
        self._weight = weight

    def __call__(self, learnt: Scores) -> Scores:
        if self._words is None:
            return learnt
        return _unit((1 - self._weight) * learnt + self._weight * self._words)


def _unit(vector: Scores) -> Scores:
    norm = float(np.linalg.norm(vector))
    if not norm >= LEAST_NORM:
        raise DataError(
            "the examples cancel out: they have no direction in common.",
            fix="Teach a query each of what is not alike.",
        )
    return vector / norm


def _learnt(positives: Scores, negatives: Scores, pull: float | None) -> Scores:
    """The prototype, or the ridge regression that is pulled to it."""
    prototype = _unit(positives.mean(axis=0))
    if pull is None or not len(negatives):
        return prototype
    rows = np.concatenate((positives, negatives))
    wanted = np.concatenate((np.ones(len(positives)), np.zeros(len(negatives))))
    share = [1 / (2 * len(side)) for side in (positives, negatives) for _ in side]
    root = np.sqrt(share)
    weighted = rows * root[:, None]
    left = (wanted - rows @ prototype) * root
    # In as many unknowns as there are files: there are more dimensions than files.
    steps = np.linalg.solve(weighted @ weighted.T + pull * np.eye(len(rows)), left)
    return _unit(prototype + weighted.T @ steps)


def _left_out(
    positives: Scores, negatives: Scores, pull: float | None, mix: _Mix
) -> tuple[Scores, Scores]:
    """What each file scores by a query made of the others."""
    if len(positives) == 1:
        found = positives @ mix(_learnt(positives, negatives, pull)) - ALONE
    else:
        found = np.concatenate(
            [some @ mix(_learnt(rest, negatives, pull)) for some, rest in _in_turn(positives)]
        )
    mistaken = np.concatenate(
        [
            np.zeros(0),
            *(some @ mix(_learnt(positives, rest, pull)) for some, rest in _in_turn(negatives)),
        ]
    )
    return found, mistaken


def _in_turn(rows: Scores) -> Iterator[tuple[Scores, Scores]]:
    """Each row, and all but that row; of more than `TURNS`, some rows together."""
    turns = min(len(rows), TURNS)
    for places in np.array_split(np.arange(len(rows)), turns) if turns else ():
        yield rows[places], np.delete(rows, places, axis=0)


def _pull(positives: Scores, negatives: Scores, mix: _Mix) -> float:
    """Which of `PULLS` tells files that were left out apart best, the first of equals."""
    if min(len(positives), len(negatives)) < ENOUGH:
        return PULLS[0]
    ranked = [_ranked(*_left_out(positives, negatives, pull, mix)) for pull in PULLS]
    return PULLS[int(np.argmax(np.round(ranked, 6)))]


def _ranked(found: Scores, mistaken: Scores) -> float:
    """The share of pairs in which an example scores more than a negative."""
    return float(np.mean((found[:, None] > mistaken) + 0.5 * (found[:, None] == mistaken)))
